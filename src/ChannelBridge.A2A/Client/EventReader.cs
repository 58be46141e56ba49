using System.Buffers;

namespace ChannelBridge.A2A.Client;

/// <summary>
/// Reads server-sent events from a stream of bytes within bounds. Comments and other lines count as signs of life; the data of an event is
/// handed out as bytes that hold until the next one is read.
/// </summary>
internal sealed class EventReader(Stream stream, A2AClientOptions options) : IDisposable
{
    private const int BufferBytes = 16 * 1024;

    private byte[] _buffer = [];
    private int _start;
    private int _scanned;
    private int _end;
    private long _total;
    private readonly ArrayBufferWriter<byte> _data = new(1024);
    private bool _hasData;

    /// <summary>The name of the event that was read last; null for the usual one.</summary>
    public bool IsError { get; private set; }

    /// <summary>Reads the data of the next event. Null: the stream has ended.</summary>
    /// <exception cref="A2AException">The event or the stream is too large, or nothing came for too long.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken)
    {
        _data.ResetWrittenCount();
        _hasData = false;
        IsError = false;
        while (true)
        {
            while (TryLine(out var line))
            {
                if (line.Length > 0) Field(line.Span);
                else if (_hasData) return _data.WrittenMemory;
                else IsError = false;
            }

            if (!await FillAsync(cancellationToken).ConfigureAwait(false)) return null;
        }
    }

    public void Dispose()
    {
        if (_buffer.Length == 0) return;
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
    }

    /// <summary>Waits for bytes without a buffer, of which a thousand streams that say nothing would hold a thousand; then there is one.</summary>
    private async ValueTask<int> ReadAsync(Stream from, CancellationToken cancellationToken)
    {
        if (_end == 0)
        {
            Dispose();
            await from.ReadAsync(Memory<byte>.Empty, cancellationToken).ConfigureAwait(false);
            _buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        }

        return await from.ReadAsync(_buffer.AsMemory(_end), cancellationToken).ConfigureAwait(false);
    }

    private bool TryLine(out ReadOnlyMemory<byte> line)
    {
        var at = _buffer.AsSpan(_scanned, _end - _scanned).IndexOf((byte)'\n');
        if (at < 0)
        {
            _scanned = _end;
            line = default;
            return false;
        }

        var end = _scanned + at;
        var length = end - _start;
        if (length > 0 && _buffer[end - 1] == (byte)'\r') length--;
        line = _buffer.AsMemory(_start, length);
        _start = _scanned = end + 1;
        return true;
    }

    private void Field(ReadOnlySpan<byte> line)
    {
        if (line.StartsWith("data"u8))
        {
            var value = Value(line, 4);
            if (_hasData) _data.Write("\n"u8);
            if (_data.WrittenCount + value.Length > options.MaxEventBytes) throw TooLarge("An event", options.MaxEventBytes);
            _data.Write(value);
            _hasData = true;
        }
        else if (line.StartsWith("event"u8))
        {
            IsError = Value(line, 5).SequenceEqual("error"u8);
        }
    }

    private static ReadOnlySpan<byte> Value(ReadOnlySpan<byte> line, int name)
    {
        if (line.Length <= name || line[name] != (byte)':') return default;
        var value = line[(name + 1)..];
        return value.Length > 0 && value[0] == (byte)' ' ? value[1..] : value;
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _scanned -= _start;
            _start = 0;
        }

        if (_end > 0 && _end == _buffer.Length)
        {
            if (_end > options.MaxEventBytes) throw TooLarge("An event", options.MaxEventBytes);
            var larger = ArrayPool<byte>.Shared.Rent(_buffer.Length * 2);
            _buffer.AsSpan(0, _end).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }

        using var silence = new CancellationTokenSource(options.SilenceTimeout, options.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(silence.Token, cancellationToken);
        int read;
        try
        {
            read = await ReadAsync(stream, either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (silence.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new A2AException(
                A2AFault.SilenceTimeout, $"The peer's stream has said nothing for {options.SilenceTimeout.TotalSeconds:0} s.")
            {
                Retryable =
                    true
            };
        }
        catch (Exception fault) when (fault is IOException or HttpRequestException)
        {
            throw new A2AException(A2AFault.StreamBroken, "The peer's stream broke off.", fault) { Retryable = true };
        }

        _total += read;
        if (_total > options.MaxStreamBytes) throw TooLarge("The stream", options.MaxStreamBytes);
        _end += read;
        return read > 0;
    }

    private static A2AException TooLarge(string what, long bound) =>
        new(A2AFault.TooLarge, $"{what} of the peer is larger than {bound} bytes.");
}
