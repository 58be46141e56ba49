using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace ChannelBridge.Protocol.Framing;

/// <summary>What became of an attempt to read a header.</summary>
public enum HeaderStatus
{
    /// <summary>The bytes end inside the header: read more.</summary>
    Incomplete,

    /// <summary>A header was read.</summary>
    Complete,

    /// <summary>This is no such header; the stream can't be trusted any further.</summary>
    Invalid,
}

/// <summary>
/// The header of one message on a byte stream, as the Language Server Protocol, StreamJsonRpc and vscode-jsonrpc write it:
/// <c>Content-Length: N</c>, optionally <c>Content-Type: T</c>, each line ended by CRLF, then an empty line and N bytes. Names are compared without
/// case, a bare LF ends a line too, unknown fields are skipped.
/// </summary>
/// <param name="ContentLength">The size of the body in bytes.</param>
/// <param name="IsBinary">True for <c>application/octet-stream</c>: the body is not JSON.</param>
public readonly record struct ContentLengthHeader(long ContentLength, bool IsBinary)
{
    /// <summary>The largest header that is accepted, in bytes.</summary>
    public const int MaxBytes = 4096;

    /// <summary>The largest header that <see cref="Write"/> writes, in bytes.</summary>
    public const int MaxWrittenBytes = 80;

    /// <summary>Reads a header from the start of a buffer.</summary>
    /// <param name="buffer">The bytes that arrived.</param>
    /// <param name="header">The header.</param>
    /// <param name="consumed">Where the body starts, when complete.</param>
    /// <param name="error">What is wrong, when invalid.</param>
    public static HeaderStatus TryRead(
        in ReadOnlySequence<byte> buffer, out ContentLengthHeader header, out SequencePosition consumed, out string? error)
    {
        var reader = new SequenceReader<byte>(buffer);
        consumed = buffer.Start;
        header = default;
        error = null;
        long? length = null;
        var binary = false;
        while (reader.TryReadTo(out ReadOnlySequence<byte> line, (byte)'\n'))
        {
            if (reader.Consumed > MaxBytes) break;
            var text = line.IsSingleSegment ? line.FirstSpan : line.ToArray();
            if (text.EndsWith("\r"u8)) text = text[..^1];
            if (text.IsEmpty)
            {
                if (length is null) return Fail("a message header needs Content-Length", out error);
                header = new ContentLengthHeader(length.Value, binary);
                consumed = reader.Position;
                return HeaderStatus.Complete;
            }

            var colon = text.IndexOf((byte)':');
            if (colon <= 0) return Fail("a header line is 'Name: value'", out error);
            var name = text[..colon];
            var value = text[(colon + 1)..].Trim(" \t"u8);
            if (Ascii.EqualsIgnoreCase(name, "Content-Length"u8))
            {
                if (!Utf8Parser.TryParse(value, out long parsed, out var digits) || digits != value.Length || parsed < 0 || value[0] is (byte)'+' or (byte)'-')
                    return Fail("Content-Length is not a number of bytes", out error);
                if (length is { } earlier && earlier != parsed) return Fail("Content-Length stands twice with two values", out error);
                length = parsed;
            }
            else if (Ascii.EqualsIgnoreCase(name, "Content-Type"u8))
            {
                var type = value.IndexOf((byte)';') is >= 0 and var end ? value[..end].Trim(" \t"u8) : value;
                binary = Ascii.EqualsIgnoreCase(type, "application/octet-stream"u8);
            }
        }

        return buffer.Length > MaxBytes || reader.Consumed > MaxBytes
            ? Fail($"a message header is larger than {MaxBytes} bytes", out error)
            : HeaderStatus.Incomplete;
    }

    /// <summary>Writes the header.</summary>
    /// <param name="destination">At least <see cref="MaxWrittenBytes"/> long.</param>
    /// <returns>How many bytes were written.</returns>
    public int Write(Span<byte> destination)
    {
        "Content-Length: "u8.CopyTo(destination);
        Utf8Formatter.TryFormat(ContentLength, destination[16..], out var digits);
        var length = 16 + digits;
        var end = IsBinary ? "\r\nContent-Type: application/octet-stream\r\n\r\n"u8 : "\r\n\r\n"u8;
        end.CopyTo(destination[length..]);
        return length + end.Length;
    }

    private static HeaderStatus Fail(string message, out string? error)
    {
        error = message;
        return HeaderStatus.Invalid;
    }
}
