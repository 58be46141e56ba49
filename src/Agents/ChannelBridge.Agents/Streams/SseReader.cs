using System.Buffers;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Agents.Streams;

/// <summary>One event of a stream. Its data is valid until the next one is read.</summary>
/// <param name="Type">The <c>event</c> field, or empty.</param>
/// <param name="Data">The <c>data</c> lines, joined by line feeds.</param>
internal readonly record struct SseEvent(string Type, ReadOnlyMemory<byte> Data);

/// <summary>
/// Reads server-sent events as providers really write them: lines that end in LF, CR LF or CR, split anywhere between two packets, comments, a byte order
/// mark, and a last event without its blank line. Bounded: an event or a stream that is larger than it may be is a failure.
/// </summary>
internal sealed class SseReader(Stream stream, int maxEventBytes, long maxStreamBytes) : IDisposable
{
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(16 * 1024);
    private readonly ArrayBufferWriter<byte> _data = new();
    private string _type = "";
    private bool _hasData;
    private bool _given;
    private int _start;
    private int _end;
    private long _total;
    private bool _ended;
    private bool _skipLineFeed;
    private bool _begun;

    /// <summary>
    /// The next event; null at the stream's end. A comment gives an event without data, so that the caller sees that the other side is alive.
    /// </summary>
    /// <exception cref="BridgeException">More bytes than allowed.</exception>
    public async ValueTask<SseEvent?> ReadAsync(CancellationToken cancellationToken)
    {
        if (_given)
        {
            _given = _hasData = false;
            _data.ResetWrittenCount();
            _type = "";
        }

        while (true)
        {
            while (TakeLine(out var line))
            {
                if (line.Length > 0)
                {
                    // Only a colon first: a comment, by which servers keep connections alive.
                    if (line[0] == (byte)':') return new SseEvent("", default);
                    Field(line);
                    continue;
                }

                if (Dispatch() is { } found) return found;
            }

            if (_ended) return Dispatch();
            await FillAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    public void Dispose()
    {
        if (_buffer.Length == 0) return;
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }

    private SseEvent? Dispatch()
    {
        if (!_hasData)
        {
            _type = "";
            return null;
        }

        _given = true;
        return new SseEvent(_type, _data.WrittenMemory);
    }

    /// <summary>The next whole line without its end; at the stream's end also what has none.</summary>
    private bool TakeLine(out ReadOnlySpan<byte> line)
    {
        if (_skipLineFeed && _start < _end)
        {
            if (_buffer[_start] == (byte)'\n') _start++;
            _skipLineFeed = false;
        }

        var rest = _buffer.AsSpan(_start, _end - _start);
        var end = rest.IndexOfAny((byte)'\n', (byte)'\r');
        if (end < 0)
        {
            line = rest;
            if (!_ended || rest.Length == 0) return false;
            _start = _end;
            return true;
        }

        line = rest[..end];
        _skipLineFeed = rest[end] == (byte)'\r';
        _start += end + 1;
        return true;
    }

    private void Field(ReadOnlySpan<byte> line)
    {
        var colon = line.IndexOf((byte)':');
        var name = colon < 0 ? line : line[..colon];
        var value = colon < 0 ? [] : line[(colon + 1)..];
        if (value.Length > 0 && value[0] == (byte)' ') value = value[1..];
        if (name.SequenceEqual("data"u8))
        {
            Append(value);
        }
        else if (name.SequenceEqual("event"u8))
        {
            _type = System.Text.Encoding.UTF8.GetString(value);
        }
        else if (line[0] == (byte)'{')
        {
            // JSON without its field, as servers write that fail in the middle.
            Append(line);
        }
        else if (name.SequenceEqual("error"u8) && value.Length > 0)
        {
            _type = "error";
            Append(value);
        }
    }

    private void Append(ReadOnlySpan<byte> value)
    {
        if (_data.WrittenCount + value.Length > maxEventBytes) throw TooLarge($"an event of more than {maxEventBytes} bytes");
        if (_hasData) _data.Write("\n"u8);
        _data.Write(value);
        _hasData = true;
    }

    private async ValueTask FillAsync(CancellationToken cancellationToken)
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        if (_end == _buffer.Length)
        {
            if (_buffer.Length > maxEventBytes) throw TooLarge($"a line of more than {maxEventBytes} bytes");
            var larger = ArrayPool<byte>.Shared.Rent(_buffer.Length * 2);
            _buffer.AsSpan(0, _end).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }

        var read = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken).ConfigureAwait(false);
        _ended = read == 0;
        _end += read;
        _total += read;
        if (_total > maxStreamBytes) throw TooLarge($"more than {maxStreamBytes} bytes");
        if (_begun || (_end < 3 && !_ended)) return;
        _begun = true;
        if (_buffer.AsSpan(_start, _end - _start).StartsWith("\uFEFF"u8)) _start += 3;
    }

    private static BridgeException TooLarge(string what) =>
        new(AgentErrorCodes.StreamBroken, $"The provider's stream has {what}.");
}
