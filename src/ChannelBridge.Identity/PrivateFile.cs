using System.Diagnostics;
using System.Text;

namespace ChannelBridge.Identity;

/// <summary>Text files with secrets: readable by their owner only, written in one step, never half there.</summary>
internal static class PrivateFile
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Others = (UnixFileMode)0x3F;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="what">What it is, for the message: <c>key file</c>.</param>
    /// <param name="maxLength">More bytes than it can have.</param>
    /// <exception cref="IdentityException">There is no such file, it can't be read, others may read it, or it is too large.</exception>
    public static string Read(string path, string what, int maxLength)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(stream.SafeFileHandle) & Others) != UnixFileMode.None)
                throw new IdentityException(IdentityFault.NotPrivate, $"others may read the {what} {path}; make it private with: chmod 600 {path}");
            if (stream.Length > maxLength) throw new IdentityException(IdentityFault.Malformed, $"{path} is too large to be a {what}");
            using var reader = new StreamReader(stream, Encoding.UTF8);
            return reader.ReadToEnd();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new IdentityException(IdentityFault.File, $"can't read the {what} {path}: {fault.Message}", fault);
        }
    }

    /// <summary>Writes a file.</summary>
    /// <returns>False when the file is there already and must stay.</returns>
    /// <exception cref="IdentityException">It can't be written.</exception>
    public static bool TryWrite(string path, string what, string text, bool overwrite)
    {
        path = Path.GetFullPath(path);
        var temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerOnly;
            using (var stream = new FileStream(temporary, options))
            {
                stream.Write(Encoding.UTF8.GetBytes(text));
                stream.Flush(flushToDisk: true);
            }

            if (overwrite)
            {
                File.Move(temporary, path, overwrite: true);
                return true;
            }

            // A move that must not overwrite looks first and renames then: of several that do so at once the last one would win.
            using (Alone(path))
            {
                if (!File.Exists(path))
                {
                    File.Move(temporary, path);
                    return true;
                }
            }

            File.Delete(temporary);
            return false;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            if (File.Exists(temporary)) File.Delete(temporary);
            throw new IdentityException(IdentityFault.File, $"can't write the {what} {path}: {fault.Message}", fault);
        }
    }

    /// <summary>Waits until no other thread or process is about to make the file; holds them off until it is disposed.</summary>
    private static FileStream Alone(string path)
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            Options = FileOptions.DeleteOnClose,
            BufferSize = 0,
        };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = OwnerOnly;
        var began = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return new FileStream(path + ".lock", options);
            }
            catch (Exception fault) when (MayBeTaken(fault) && Stopwatch.GetElapsedTime(began) < Patience)
            {
                // Nothing tells when a lock of another process is free; whoever has it holds it for one rename.
                Thread.Sleep(5);
            }
        }
    }

    /// <summary>True for what an opener meets while another one has the lock, or is just removing it; Windows denies the access to a file that is being removed.</summary>
    private static bool MayBeTaken(Exception fault) =>
        fault is IOException and not (DirectoryNotFoundException or PathTooLongException) || (fault is UnauthorizedAccessException && OperatingSystem.IsWindows());
}
