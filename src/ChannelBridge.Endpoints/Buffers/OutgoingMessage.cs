using System.Buffers;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Protocol.Framing;
using Microsoft.Extensions.ObjectPool;

namespace ChannelBridge.Endpoints.Buffers;

/// <summary>
/// One message on its way out, in a pooled buffer with room in front for a header, so that framing copies nothing. Methods write their results
/// straight into it.
/// </summary>
internal sealed class OutgoingMessage : IBufferWriter<byte>
{
    private const int Headroom = ContentLengthHeader.MaxWrittenBytes;
    private const int InitialBytes = 1024;

    private static readonly ObjectPool<OutgoingMessage> Pool = new DefaultObjectPool<OutgoingMessage>(new DefaultPooledObjectPolicy<OutgoingMessage>(), 1024);

    private byte[] _buffer = [];
    private int _end;

    /// <summary>Completed when the message was flushed or couldn't be; null when nobody waits.</summary>
    public TaskCompletionSource<PushOutcome>? Flushed { get; set; }

    /// <summary>True for a binary message.</summary>
    public bool IsBinary { get; set; }

    /// <summary>The size without a header.</summary>
    public int Length => _end - Headroom;

    /// <summary>The message.</summary>
    public ReadOnlyMemory<byte> Body => _buffer.AsMemory(Headroom, Length);

    /// <summary>Takes an empty message from the pool.</summary>
    public static OutgoingMessage Rent()
    {
        var message = Pool.Get();
        message._buffer = PooledBytes.Rent(InitialBytes);
        message._end = Headroom;
        return message;
    }

    /// <summary>Empties it, to write something else instead.</summary>
    public void Clear() => _end = Headroom;

    /// <summary>Cuts it back to an earlier length.</summary>
    public void Truncate(int length) => _end = Headroom + length;

    /// <summary>Gives it back; whoever waits for the flush must have been told before.</summary>
    public void Return()
    {
        PooledBytes.Return(_buffer);
        _buffer = [];
        Flushed = null;
        IsBinary = false;
        Pool.Return(this);
    }

    /// <summary>The message behind its <c>Content-Length</c> header.</summary>
    public ReadOnlyMemory<byte> Framed()
    {
        Span<byte> header = stackalloc byte[ContentLengthHeader.MaxWrittenBytes];
        var length = new ContentLengthHeader(Length, IsBinary).Write(header);
        header[..length].CopyTo(_buffer.AsSpan(Headroom - length));
        return _buffer.AsMemory(Headroom - length, length + Length);
    }

    /// <inheritdoc/>
    public void Advance(int count) => _end += count;

    /// <inheritdoc/>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Ensure(sizeHint);
        return _buffer.AsMemory(_end);
    }

    /// <inheritdoc/>
    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Ensure(sizeHint);
        return _buffer.AsSpan(_end);
    }

    private void Ensure(int sizeHint)
    {
        var needed = Math.Max(sizeHint, 1);
        if (_buffer.Length - _end >= needed) return;
        var larger = PooledBytes.Rent(Math.Max(_end + needed, _buffer.Length * 2));
        _buffer.AsSpan(0, _end).CopyTo(larger);
        PooledBytes.Return(_buffer);
        _buffer = larger;
    }
}
