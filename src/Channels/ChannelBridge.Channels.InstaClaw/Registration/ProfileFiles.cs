using System.Text.Json;
using ChannelBridge.Channels.InstaClaw.Wire;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.InstaClaw.Registration;

/// <summary>
/// An account's secrets on disk: <c>.insta/config/profile.json</c> and <c>.insta/.activate_session</c>. Owner-only, replaced in one step, and written under a lock
/// that other processes of the same user respect.
/// </summary>
internal sealed partial class ProfileFiles(string baseFolder, TimeProvider time, ILogger logger)
{
    private const long MaxBytes = 1 << 20;
    private static readonly TimeSpan LockTime = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LockPause = TimeSpan.FromMilliseconds(50);
    private string? _complaint;

    /// <summary>The folder <c>.insta</c>.</summary>
    public string Folder { get; } = Path.Combine(baseFolder, ".insta");

    /// <summary>The profile's file.</summary>
    public string ProfilePath => Path.Combine(Folder, "config", "profile.json");

    /// <summary>The activation session's file.</summary>
    public string SessionPath => Path.Combine(Folder, ".activate_session");

    private string LockPath => Path.Combine(Folder, ".lock");

    /// <summary>Why the profile couldn't be read the last time, though it is there; null when there was no fault.</summary>
    public string? Problem => _complaint;

    /// <summary>The profile; null when there is none, or none that can be read (<see cref="Problem"/>).</summary>
    public Profile? ReadProfile()
    {
        var profile = Read(ProfilePath, bytes => JsonSerializer.Deserialize(bytes, InstaClawJson.Default.Profile), out var problem);
        if (problem is null && profile is { IsComplete: false }) problem = "app_key and app_secret are missing in it";
        Complain(problem);
        return problem is null ? profile : null;
    }

    /// <summary>The activation session's token, or null.</summary>
    public string? ReadSessionToken() =>
        Read(SessionPath, bytes => JsonSerializer.Deserialize(bytes, InstaClawJson.Default.ActivateSession), out _) is { SessionToken.Length: > 0 } session
            ? session.SessionToken
            : null;

    /// <summary>Replaces the profile.</summary>
    public Task WriteProfileAsync(Profile profile, CancellationToken cancellationToken) =>
        WriteAsync(ProfilePath, JsonSerializer.SerializeToUtf8Bytes(profile, InstaClawJson.Indented.Profile), cancellationToken);

    /// <summary>Replaces the activation session.</summary>
    public Task WriteSessionTokenAsync(string token, CancellationToken cancellationToken) =>
        WriteAsync(
            SessionPath, JsonSerializer.SerializeToUtf8Bytes(new ActivateSession { SessionToken = token }, InstaClawJson.Indented.ActivateSession), cancellationToken);

    private T? Read<T>(string path, Func<byte[], T?> parse, out string? problem)
        where T : class
    {
        problem = null;
        try
        {
            var file = new FileInfo(path);
            if (!file.Exists) return null;
            if (file.Length > MaxBytes)
            {
                problem = "it is larger than 1 MiB";
                return null;
            }

            if (OwnerOnlyFile.Close(path)) LogWasOpen(logger, path);
            return parse(File.ReadAllBytes(path));
        }
        catch (JsonException)
        {
            problem = "it is not the JSON that it should be";
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            problem = $"it can't be read ({fault.GetType().Name})";
        }

        return null;
    }

    private async Task WriteAsync(string path, byte[] content, CancellationToken cancellationToken)
    {
        OwnerOnlyFile.CreateFolder(Folder);
        OwnerOnlyFile.CreateFolder(Path.GetDirectoryName(path)!);
        // The lock file keeps tasks of this process apart, too.
        using var held = await LockAsync(cancellationToken).ConfigureAwait(false);
        OwnerOnlyFile.Replace(path, content);
    }

    private async Task<FileStream> LockAsync(CancellationToken cancellationToken)
    {
        var since = time.GetTimestamp();
        while (true)
        {
            try
            {
                return OwnerOnlyFile.OpenExclusive(LockPath);
            }
            catch (IOException) when (time.GetElapsedTime(since) < LockTime)
            {
                await Task.Delay(LockPause, time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private void Complain(string? problem)
    {
        if (Interlocked.Exchange(ref _complaint, problem) != problem && problem is not null) LogUnreadable(logger, ProfilePath, problem);
    }

    [LoggerMessage(LogEvents.ProfileFilesUnreadable, LogLevel.Error, "InstaClaw: {Path} can't be used: {Problem}. Correct it, or delete it to register anew.")]
    private static partial void LogUnreadable(ILogger logger, string path, string problem);

    [LoggerMessage(LogEvents.ProfileFilesWasOpen, LogLevel.Warning,
        "InstaClaw: other users could read {Path}, which holds secrets; it is closed now, but register anew if somebody may have read it.")]
    private static partial void LogWasOpen(ILogger logger, string path);
}
