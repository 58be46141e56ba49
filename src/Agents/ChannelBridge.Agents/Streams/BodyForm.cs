using System.IO.Compression;

namespace ChannelBridge.Agents.Streams;

/// <summary>
/// Looks at the first bytes of an answer, because its headers may be wrong: whether it is compressed, which nobody asked for, and whether
/// it is JSON or a stream of events.
/// </summary>
internal static class BodyForm
{
    private const int Look = 512;

    /// <summary>Unpacks a body and says whether it is JSON.</summary>
    /// <param name="body">The body.</param>
    /// <param name="coding">Its <c>Content-Encoding</c>, or null.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="InvalidDataException">It is packed in a way that isn't known.</exception>
    public static async ValueTask<(Stream Body, bool IsJson)> OpenAsync(Stream body, string? coding, CancellationToken cancellationToken)
    {
        // The last coding was put on last.
        foreach (var name in (coding ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Reverse())
        {
            body = name.ToLowerInvariant() switch
            {
                "gzip" or "x-gzip" => new GZipStream(body, CompressionMode.Decompress),
                "deflate" => new ZLibStream(body, CompressionMode.Decompress),
                "br" => new BrotliStream(body, CompressionMode.Decompress),
                "identity" => body,
                _ => throw new InvalidDataException($"a body in Content-Encoding {(name.Length <= 20 ? name : "of another kind")}"),
            };
        }

        var (first, peeked) = await PeekAsync(body, cancellationToken).ConfigureAwait(false);
        if (first.Span.StartsWith((ReadOnlySpan<byte>)[0x1f, 0x8b, 0x08]))
            (first, peeked) = await PeekAsync(new GZipStream(peeked, CompressionMode.Decompress), cancellationToken).ConfigureAwait(false);
        var text = first.Span;
        if (text.StartsWith("\uFEFF"u8)) text = text[3..];
        text = text.TrimStart(" \r\n\t"u8);
        return (peeked, text.Length > 0 && text[0] is (byte)'{' or (byte)'[');
    }

    /// <summary>Reads until something other than white space has come.</summary>
    private static async ValueTask<(ReadOnlyMemory<byte> First, Stream Body)> PeekAsync(Stream body, CancellationToken cancellationToken)
    {
        var buffer = new byte[Look];
        var length = 0;
        while (length < Look)
        {
            var read = await body.ReadAsync(buffer.AsMemory(length), cancellationToken).ConfigureAwait(false);
            length += read;
            if (read == 0 || (length >= 3 && !buffer.AsSpan(0, length).Trim(" \r\n\t"u8).IsEmpty)) break;
        }

        var first = buffer.AsMemory(0, length);
        return (first, new PrefixStream(first, body));
    }
}
