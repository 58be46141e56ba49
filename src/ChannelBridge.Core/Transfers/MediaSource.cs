using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Core.Net;

namespace ChannelBridge.Core.Transfers;

/// <inheritdoc cref="IMediaSource"/>
internal sealed class MediaSource(ISpool spool, TransferOptions options, PublicHttp http) : IMediaSource
{
    public async ValueTask<Attachment> TakeAsync(string channel, string account, Attachment file, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(file);
        if (file.File is not null) return file;
        if (file.Content is { } bytes)
        {
            using var content = new MemoryStream(bytes, writable: false);
            return await spool.ImportAsync(channel, account, content, file.FileName, file.MimeType, bytes.Length, cancellationToken)
                .ConfigureAwait(false) with
            { IsVoice = file.IsVoice };
        }

        if (string.IsNullOrWhiteSpace(file.Location)) return file;
        if (file.Location.StartsWith("file://", StringComparison.OrdinalIgnoreCase) && Uri.TryCreate(file.Location, UriKind.Absolute, out var local))
            return await FromPathAsync(channel, account, local.LocalPath, file, cancellationToken).ConfigureAwait(false);
        return file.Location.Contains("://", StringComparison.Ordinal)
            ? await FromUrlAsync(channel, account, file.Location, file, cancellationToken).ConfigureAwait(false)
            : await FromPathAsync(channel, account, file.Location, file, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask<Attachment> FromUrlAsync(string channel, string account, string location, Attachment file, CancellationToken cancellationToken)
    {
        if (!Uri.TryCreate(location, UriKind.Absolute, out var url)) throw BridgeException.Invalid("the file's URL is malformed");
        var content = await http.OpenAsync(url, options.MaxUrlBytes, cancellationToken).ConfigureAwait(false);
        await using (content.ConfigureAwait(false))
        {
            var name = file.FileName ?? Path.GetFileName(Uri.UnescapeDataString(url.AbsolutePath));
            var taken = await spool.ImportAsync(channel, account, content, name, content.MimeType, content.Size, cancellationToken).ConfigureAwait(false);
            return taken with { IsVoice = file.IsVoice };
        }
    }

    private async ValueTask<Attachment> FromPathAsync(string channel, string account, string path, Attachment file, CancellationToken cancellationToken)
    {
        FileStream content;
        string allowed;
        try
        {
            allowed = Allowed(path);
            content = RegularFile.Open(allowed);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new BridgeException(ErrorCodes.NotFound, "the file isn't there, can't be read, or is no regular file", fault);
        }

        await using (content.ConfigureAwait(false))
        {
            var taken = await spool.ImportAsync(
                channel, account, content, file.FileName ?? Path.GetFileName(allowed), file.MimeType, content.Length, cancellationToken).ConfigureAwait(false);
            return taken with { IsVoice = file.IsVoice };
        }
    }

    /// <summary>The path without detours, when it lies within an allowed folder and no link leads out of it.</summary>
    private string Allowed(string path)
    {
        if (path.Contains('\0', StringComparison.Ordinal) || !Path.IsPathFullyQualified(path)) throw Outside();
        var full = Path.GetFullPath(path);
        foreach (var root in options.Roots)
        {
            var folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));
            if (!full.StartsWith(folder + Path.DirectorySeparatorChar, StringComparison.Ordinal)) continue;
            // Below the root no step may be a link: what it points to could be anywhere, and somewhere else a moment later.
            var step = folder;
            foreach (var part in full[(folder.Length + 1)..].Split(Path.DirectorySeparatorChar))
            {
                step = Path.Combine(step, part);
                if (new FileInfo(step).LinkTarget is not null) throw Outside();
            }

            // The root itself may lie behind a link; what is refused may, too.
            var real = FilePaths.Resolve(full);
            if (IsRefused(real)) throw Outside();
            return real;
        }

        throw Outside();
    }

    private bool IsRefused(string real) =>
        FilePaths.IsWithin(real, FilePaths.Resolve(options.Folder)) || options.Refused.Any(path => FilePaths.IsWithin(real, FilePaths.Resolve(path)));

    private static BridgeException Outside() => TransferErrors.Make(
        ErrorCodes.Forbidden, "path-outside-roots", "the path lies outside of the folders from which files may be sent (Store:Files:Roots), or a link leads there");
}
