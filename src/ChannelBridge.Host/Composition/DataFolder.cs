using System.Security.Cryptography;
using ChannelBridge.Core.Access;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Host.Composition;

/// <summary>
/// The data folder while this process holds it: its lock, the first token, and where the rest lies. The lock ends with the process, however it ends.
/// </summary>
internal sealed class DataFolder : IDisposable
{
    private const string LockFile = "host.lock";

    private readonly FileStream _lock;

    private DataFolder(string path, FileStream held, List<string> warnings)
    {
        Path = path;
        _lock = held;
        Warnings = warnings;
    }

    /// <summary>The folder, absolute.</summary>
    public string Path { get; }

    /// <summary>What the operator should know about the folder's rights.</summary>
    public List<string> Warnings { get; }

    /// <summary>The first token's file.</summary>
    public string TokenPath => System.IO.Path.Combine(Path, Defaults.TokenFile);

    /// <summary>Makes the folder when it isn't there, and takes it for this process.</summary>
    /// <exception cref="HostStartException">Another host has it, or it can't be used.</exception>
    public static DataFolder Open(string path)
    {
        try
        {
            var warnings = new List<string>();
            // Settings, token and store lie in it: who can write there decides what the host does.
            if (FileTrust.OwnerProblem(path) is { } owner) throw new HostStartException(ExitCodes.Store, $"the data folder {owner}");
            if (FileTrust.OthersWrite(path) && Directory.EnumerateFileSystemEntries(path).Any())
            {
                throw new HostStartException(
                    ExitCodes.Store, $"other users can write to the data folder {path}; see that nothing in it was changed and close it "
                        + $"with: chmod go-w {path}\nor choose a folder inside it, which is made for this user alone: --data "
                        + $"{System.IO.Path.Combine(path, "channelbridge")}");
            }

            if (!OwnerOnly.CreateDirectory(path, IsOurs))
                warnings.Add($"other users may enter the data folder {path}; close it with: chmod 700 {path}");
            var held = Lock(path);
            HostFile.Write(path, new HostFile(Environment.ProcessId));
            return new DataFolder(path, held, warnings);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new HostStartException(
                ExitCodes.Store,
                $"the data folder {path} can't be used: {fault.Message.ReplaceLineEndings(" ")}\nchoose another one with --data DIR, or give "
                    + "this user the right to write there", fault);
        }
    }

    /// <summary>
    /// The first token: the one given, else the one of an earlier start, else a new one. Afterwards it stands in the token file.
    /// </summary>
    /// <param name="given">The token that the settings name, or null.</param>
    /// <param name="made">True when it was made now.</param>
    public string TakeToken(string? given, out bool made)
    {
        made = false;
        if ((FileTrust.LinkProblem(TokenPath) ?? FileTrust.Problem(TokenPath)) is { } problem) throw new HostStartException(ExitCodes.Store,
            $"the token file {problem}");
        try
        {
            var stored = File.Exists(TokenPath) ? File.ReadAllText(TokenPath).Trim() : "";
            if (stored.Length > 0 && OwnerOnly.CloseFile(TokenPath))
                Warnings.Add($"other users could read {TokenPath}; it is closed now, but choose a new token if another user may have "
                    + "read it");
            if (given is null && stored.Length > 0)
            {
                if (stored.Length <= AccessToken.MaxLength) return stored;
                throw new HostStartException(
                    ExitCodes.Settings,
                    $"{TokenPath}: the token in it has {stored.Length} characters, at most {AccessToken.MaxLength} are allowed; delete the file and a new one is made");
            }

            made = given is null;
            var token = given ?? Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)).TrimEnd('=').Replace('+', '-').Replace('/', '_');
            if (token == stored) return token;
            if (stored.Length > 0)
                Warnings.Add($"the token in {TokenPath} was replaced by the one of the settings or the command line; clients with the "
                    + "old one are refused from now on");
            OwnerOnly.WriteFile(TokenPath, token + "\n");
            return token;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new HostStartException(ExitCodes.Store, $"the token file {TokenPath} can't be used: {fault.Message.ReplaceLineEndings(" ")}", fault);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        HostFile.Delete(Path);
        _lock.Dispose();
    }

    private static bool IsOurs(string path) => File.Exists(System.IO.Path.Combine(path, LockFile)) || File.Exists(System.IO.Path.Combine(path, Defaults.TokenFile));

    private static FileStream Lock(string path)
    {
        var file = System.IO.Path.Combine(path, LockFile);
        if (FileTrust.LinkProblem(file) is { } problem) throw new HostStartException(ExitCodes.Store, $"the lock file {problem}");
        var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            return new FileStream(file, options);
        }
        catch (IOException fault) when (IsHeld(fault))
        {
            var pid = HostFile.Read(path)?.Pid;
            throw new HostStartException(
                ExitCodes.InUse,
                $"another host{(pid is null ? "" : $" (process {pid})")} uses the data folder {path}\nstop it first, or choose another "
                    + "folder with --data DIR and another address with --urls", fault);
        }
    }

    // A sharing violation on Windows, EAGAIN on Linux and macOS. Anything else, such as a read-only file system, has another cause.
    private static bool IsHeld(IOException fault) => OperatingSystem.IsWindows() ? (fault.HResult & 0xFFFF) is 32 or 33 : fault.HResult is 11 or 35;
}
