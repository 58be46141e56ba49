using System.Buffers;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;

namespace ChannelBridge.Plugins.Streams;

/// <summary>
/// The reading end of a stream: bytes as a <see cref="Stream"/>, or items one by one by <see cref="ReadItemsAsync"/>. Reading gives the
/// sender new credit; disposing tells it to stop.
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Naming", "CA1710", Justification = "It reads and writes a stream of the protocol; that it is a Stream is how.")]
public sealed class PluginStreamReader : Stream
{
    private readonly OutgoingFrames _output;
    private readonly Action<long> _forget;
    private readonly Channel<Frame> _frames = Channel.CreateUnbounded<Frame>(new UnboundedChannelOptions { SingleReader = true });
    private readonly ArrayBufferWriter<byte> _header = new(64);
    private ReadOnlyMemory<byte> _rest;
    private string? _error;
    private long _window = PluginProtocol.StreamWindow;
    private long _owed;
    private long _seq;
    private int _state;

    internal PluginStreamReader(long id, OutgoingFrames output, Action<long> forget)
    {
        Id = id;
        _output = output;
        _forget = forget;
    }

    private enum Flag
    {
        Claimed = 1,
        Closed = 2,
    }

    /// <summary>The number that the sender gave it.</summary>
    public long Id { get; }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>The items as they were sent, each whole; a stream of bytes has no items that mean anything.</summary>
    /// <param name="maxItemBytes">The largest item that is taken.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    /// <exception cref="BridgeException">The sender gave up, or an item is larger.</exception>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadItemsAsync(
        int maxItemBytes = PluginProtocol.MaxMessageBytes, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArrayBufferWriter<byte>? joined = null;
        while (await NextAsync(cancellationToken).ConfigureAwait(false) is { } frame)
        {
            if ((joined?.WrittenCount ?? 0) + frame.Bytes.Length > maxItemBytes)
                throw new BridgeException(ErrorCodes.PayloadTooLarge, $"an item of a stream is larger than {maxItemBytes} bytes");
            if (frame.More)
            {
                (joined ??= new ArrayBufferWriter<byte>()).Write(frame.Bytes.Span);
                continue;
            }

            if (joined is null)
            {
                // The frame that ends a stream of items is an empty one.
                if (!frame.End || frame.Bytes.Length > 0) yield return frame.Bytes;
                continue;
            }

            joined.Write(frame.Bytes.Span);
            yield return joined.WrittenMemory;
            joined = null;
        }
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (_rest.IsEmpty)
        {
            if (buffer.IsEmpty) return 0;
            if (await NextAsync(cancellationToken).ConfigureAwait(false) is not { } frame) return 0;
            _rest = frame.Bytes;
        }

        var count = Math.Min(buffer.Length, _rest.Length);
        _rest[..count].CopyTo(buffer);
        _rest = _rest[count..];
        return count;
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <summary>Not offered: a read waits for the other process.</summary>
    public override int Read(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("read a plugin's stream asynchronously");

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    internal bool Claim() => (Interlocked.Or(ref _state, (int)Flag.Claimed) & (int)Flag.Claimed) == 0;

    internal void Received(StreamFrame header, ReadOnlySequence<byte> bytes)
    {
        if (header.Seq != ++_seq) throw new PluginProtocolException($"frame {header.Seq} of stream {Id} comes where {_seq} was due");
        var cost = PluginProtocol.FrameCost + bytes.Length;
        if (Interlocked.Add(ref _window, -cost) < 0 && !header.End)
            throw new PluginProtocolException($"stream {Id} has sent more than its credit");
        if ((Volatile.Read(ref _state) & (int)Flag.Closed) != 0) return;
        _frames.Writer.TryWrite(new Frame(bytes.ToArray(), header.More, header.End));
        if (!header.End) return;
        _error = header.Error;
        _frames.Writer.TryComplete();
        // A stream that failed before anybody opened it belongs to a call that failed.
        if (_error is not null && Claim()) Finish();
    }

    internal void Fail(string error)
    {
        _error ??= error;
        _frames.Writer.TryComplete();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) Finish();
        base.Dispose(disposing);
    }

    private async ValueTask<Frame?> NextAsync(CancellationToken cancellationToken)
    {
        if (!_frames.Reader.TryRead(out var frame))
        {
            if (!await _frames.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false) || !_frames.Reader.TryRead(out frame))
            {
                Finish();
                if (_error is null) return null;
                throw new BridgeException(_error,
                    "the sender gave the stream up")
                { Retryable = _error is ErrorCodes.Unavailable or ErrorCodes.Busy };
            }
        }

        _owed += PluginProtocol.FrameCost + frame.Bytes.Length;
        if (_owed >= PluginProtocol.StreamWindow / 2 && !frame.End)
        {
            Interlocked.Add(ref _window, _owed);
            Tell(new StreamFrame { Stream = Id, Credit = _owed });
            _owed = 0;
        }

        return frame;
    }

    private void Finish()
    {
        if ((Interlocked.Or(ref _state, (int)Flag.Closed) & (int)Flag.Closed) != 0) return;
        Tell(new StreamFrame { Stream = Id, Closed = true });
        _forget(Id);
        while (_frames.Reader.TryRead(out _))
        {
            // What nobody reads any more isn't kept.
        }
    }

    private void Tell(StreamFrame frame)
    {
        try
        {
            lock (_header)
            {
                _output.Add(frame.Write(_header).Span, binary: true);
            }
        }
        catch (BridgeException)
        {
            // The connection is gone, and the stream with it.
        }
    }

    private readonly record struct Frame(ReadOnlyMemory<byte> Bytes, bool More, bool End);
}
