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
    private readonly FrameTap _tap = new(ponged);
    private readonly SemaphoreSlim _writing = new(1);

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
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

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

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

    protected override void Dispose(bool disposing)
    {
        if (disposing) inner.Dispose();
        base.Dispose(disposing);
    }
}
