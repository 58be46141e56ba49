using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Transfers;

namespace ChannelBridge.Channels.InstaClaw.Tools;

/// <summary>
/// Opens files that an agent wants to post. An agent can be talked into anything, so only regular files below the allowed folders are opened, wherever
/// links lead, and a file outside is answered the same whether it exists or not.
/// </summary>
internal static class ArtifactGate
{
    /// <summary>Opens a file for reading.</summary>
    /// <param name="path">As the agent wrote it; relative to the first folder.</param>
    /// <param name="roots">The allowed folders, absolute; at least one.</param>
    /// <param name="maxBytes">The largest file.</param>
    /// <param name="own">The account's own folder for artifacts: what is in it may be posted even where it lies in a folder of <paramref name="refused"/>.</param>
    /// <param name="refused">Files and folders of which nothing is posted.</param>
    /// <exception cref="BridgeException"><c>FORBIDDEN</c>, <c>INVALID_REQUEST</c> or <c>PAYLOAD_TOO_LARGE</c>.</exception>
    public static FileStream Open(
        string path, IReadOnlyList<string> roots, long maxBytes, string? own = null, IReadOnlyList<string>? refused = null)
    {
        if (string.IsNullOrWhiteSpace(path) || path.Length > 4096 || path.Contains('\0', StringComparison.Ordinal)) throw BridgeException.Invalid("filePath is required");
        try
        {
            var real = FilePaths.Resolve(Path.GetFullPath(path, roots[0]));
            if (!roots.Any(root => FilePaths.IsWithin(real, FilePaths.Resolve(root)))) throw Outside(roots);
            var isOwn = own is not null && FilePaths.IsWithin(real, FilePaths.Resolve(own));
            if (!isOwn && refused?.Any(secret => FilePaths.IsWithin(real, FilePaths.Resolve(secret))) == true) throw Outside(roots);
            var info = new FileInfo(real);
            // Pipes, sockets and the files of /proc have no length; opening one of them could wait for ever.
            if (!info.Exists || info.Length == 0) throw BridgeException.Invalid("there is no such file, or it is empty");
            if (info.Length > maxBytes) throw TooLarge(maxBytes);
            var stream = new FileStream(real, FileMode.Open, FileAccess.Read, FileShare.Read);
            try
            {
                // Between the look and the opening somebody may have put a link there.
                if (Opened(stream, real) != real) throw Outside(roots);
                if (stream.Length > maxBytes) throw TooLarge(maxBytes);
                return stream;
            }
            catch
            {
                stream.Dispose();
                throw;
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new BridgeException(ErrorCodes.InvalidRequest, "the file can't be read", fault);
        }
    }

    private static string Opened(FileStream stream, string path)
    {
        var descriptor = $"/proc/self/fd/{stream.SafeFileHandle.DangerousGetHandle()}";
        return OperatingSystem.IsLinux() && new FileInfo(descriptor).LinkTarget is { } opened ? opened : FilePaths.Resolve(path);
    }

    private static BridgeException Outside(IReadOnlyList<string> roots) =>
        new(ErrorCodes.Forbidden, $"only files below {string.Join(", ", roots)} may be posted; the setting Channels:InstaClaw:ArtifactRoots says which");

    private static BridgeException TooLarge(long maxBytes) => new(ErrorCodes.PayloadTooLarge, $"the file is larger than {maxBytes} bytes");
}
