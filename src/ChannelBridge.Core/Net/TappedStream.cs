using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;

namespace ChannelBridge.Core.Net;

/// <summary>
/// The bytes of a WebSocket connection as they pass: what comes in is heard and tapped for pongs, and ping frames go out between the frames that the WebSocket
/// writes, each of which is one write. .NET's client can ping by itself, but neither by an injected clock nor by count.
/// </summary>
internal sealed class TappedStream(Stream inner, Action heard, Action<long> ponged) : Stream
{
    private const byte FinalPing = 0x89;
    private const byte Masked = 0x80;

    // One TLS record or a few network packets: more gains nothing.
    private const int HeldBytes = 16 * 1024;
    private readonly FrameTap _tap = new(ponged);
    private readonly SemaphoreSlim _writing = new(1);
    private byte[]? _held;
    private int _length;
    private volatile bool _corked;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Holds small writes back from now on, so that several frames are one write.</summary>
    public void Cork() => _corked = true;

    /// <summary>Writes what was held back.</summary>
    public async ValueTask UncorkAsync(CancellationToken cancellationToken)
    {
        // First of all: who gives up waiting here leaves what is held to the next write, which may be the goodbye.
        _corked = false;
        await _writing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await WriteHeldAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Sends a ping frame that carries a number.</summary>
    public ValueTask PingAsync(long number, CancellationToken cancellationToken)
    {
        // Two bytes of header, four of mask, eight of payload.
        var frame = new byte[14];
        frame[0] = FinalPing;
        frame[1] = Masked | sizeof(long);
        RandomNumberGenerator.Fill(frame.AsSpan(2, 4));
        BinaryPrimitives.WriteInt64BigEndian(frame.AsSpan(6), number);
        for (var i = 0; i < sizeof(long); i++) frame[6 + i] ^= frame[2 + (i & 3)];
        return WriteAsync(frame, cancellationToken);
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        if (read > 0)
        {
            heard();
            _tap.Feed(buffer.Span[..read]);
        }

        return read;
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await _writing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_corked && buffer.Length <= HeldBytes - _length)
            {
                _held ??= ArrayPool<byte>.Shared.Rent(HeldBytes);
                buffer.Span.CopyTo(_held.AsSpan(_length));
                _length += buffer.Length;
                return;
            }

            await WriteHeldAsync(cancellationToken).ConfigureAwait(false);
            await inner.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _writing.Release();
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken) => _corked ? Task.CompletedTask : inner.FlushAsync(cancellationToken);

    public override void Flush() => inner.Flush();

    public override int Read(byte[] buffer, int offset, int count)
    {
        var read = inner.Read(buffer, offset, count);
        if (read > 0)
        {
            heard();
            _tap.Feed(buffer.AsSpan(offset, read));
        }

        return read;
    }

    public override void Write(byte[] buffer, int offset, int count)
    {
        _writing.Wait();
        try
        {
            inner.Write(buffer, offset, count);
        }
        finally
        {
            _writing.Release();
        }
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    // Under the lock of the writers.
    private async ValueTask WriteHeldAsync(CancellationToken cancellationToken)
    {
        if (_held is not { } held) return;
        var length = _length;
        (_held, _length) = (null, 0);
        try
        {
            await inner.WriteAsync(held.AsMemory(0, length), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(held);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) inner.Dispose();
        base.Dispose(disposing);
    }
}
