using System.Buffers;
using Microsoft.Extensions.ObjectPool;

namespace ChannelBridge.Endpoints.Buffers;

/// <summary>What a transport received.</summary>
internal enum IncomingKind
{
    /// <summary>One text message.</summary>
    Text,

    /// <summary>One binary message; its bytes were kept only where binary messages are taken.</summary>
    Binary,

    /// <summary>A message larger than the limit; its bytes were not kept, its id was looked for.</summary>
    TooLarge,

    /// <summary>A message within the limit for which there was no memory now; its bytes were not kept, its id was looked for.</summary>
    NoRoom,

    /// <summary>The stream broke its framing and can't be read any further.</summary>
    Unreadable,
}

/// <summary>
/// One received message in a pooled buffer. Requests that were read from it hold a reference each, because their parameters are slices of it; the
/// last one gives it back.
/// </summary>
internal sealed class IncomingMessage
{
    /// <summary>The size that a message starts with.</summary>
    public const int InitialBytes = 4096;

    private static readonly ObjectPool<IncomingMessage> Pool = new DefaultObjectPool<IncomingMessage>(new DefaultPooledObjectPolicy<IncomingMessage>(), 1024);

    private byte[] _buffer = [];
    private MemoryBudget? _budget;
    private long _taken;
    private int _references;

    /// <summary>What it is.</summary>
    public IncomingKind Kind { get; private set; }

    /// <summary>How many bytes have been received.</summary>
    public int Length { get; private set; }

    /// <summary>The size on the wire, also of what wasn't kept.</summary>
    public long WireLength { get; private set; }

    /// <summary>The id of a message that wasn't kept, raw JSON text, or empty.</summary>
    public ReadOnlyMemory<byte> RecoveredId { get; private set; }

    /// <summary>Why the stream can't be read any further.</summary>
    public string? Fault { get; private set; }

    /// <summary>The bytes.</summary>
    public ReadOnlyMemory<byte> Memory => _buffer.AsMemory(0, Length);

    /// <summary>Where the next bytes go; empty when <see cref="TryMakeRoom"/> must be asked first.</summary>
    public Memory<byte> Free => _buffer.AsMemory(Length);

    /// <summary>Takes a message from the pool, with one reference.</summary>
    public static IncomingMessage Rent(int bytes = InitialBytes)
    {
        var message = Pool.Get();
        message._buffer = PooledBytes.Rent(bytes);
        message._references = 1;
        return message;
    }

    /// <summary>A message without content.</summary>
    public static IncomingMessage Unreadable(string fault)
    {
        var message = Rent(1);
        message.Kind = IncomingKind.Unreadable;
        message.Fault = fault;
        return message;
    }

    /// <summary>Bytes have been put into <see cref="Free"/>.</summary>
    public void Advance(int bytes)
    {
        Length += bytes;
        WireLength += bytes;
    }

    /// <summary>Makes room for more bytes; false when the budget of all connections has none, and then nothing has changed.</summary>
    /// <param name="bytes">How many more bytes, at least.</param>
    /// <param name="budget">What a buffer that outgrows an ordinary message is taken from.</param>
    /// <param name="limit">The largest message that is kept: the buffer needn't be larger.</param>
    public bool TryMakeRoom(int bytes, MemoryBudget budget, int limit)
    {
        var minimum = Length + bytes;
        if (minimum <= _buffer.Length) return true;
        var size = Math.Max(minimum, (int)Math.Min(_buffer.Length * 2L, limit + 1L));
        var more = size - Math.Max(_buffer.Length, InitialBytes);
        if (more > 0 && !budget.TryTake(more)) return false;
        if (more > 0) _taken += more;
        _budget = budget;
        var larger = PooledBytes.Rent(size);
        _buffer.AsSpan(0, Length).CopyTo(larger);
        PooledBytes.Return(_buffer);
        _buffer = larger;
        return true;
    }

    /// <summary>Appends bytes, for which there is room.</summary>
    public void Append(in ReadOnlySequence<byte> bytes)
    {
        var count = (int)bytes.Length;
        bytes.CopyTo(_buffer.AsSpan(Length));
        Advance(count);
    }

    /// <summary>What was kept is a binary message.</summary>
    public void MarkBinary() => Kind = IncomingKind.Binary;

    /// <summary>The content isn't kept: the buffer is free for the bytes that are read past.</summary>
    public void Forget() => Length = 0;

    /// <summary>Marks a message whose content wasn't kept.</summary>
    public void Reject(IncomingKind kind, long wireLength, ReadOnlyMemory<byte> recoveredId)
    {
        Kind = kind;
        Length = 0;
        WireLength = wireLength;
        RecoveredId = recoveredId;
    }

    /// <summary>One more request needs the bytes.</summary>
    public void AddReference() => Interlocked.Increment(ref _references);

    /// <summary>One request less needs the bytes.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _references) != 0) return;
        PooledBytes.Return(_buffer);
        _buffer = [];
        if (_taken > 0) _budget!.Give(_taken);
        _taken = 0;
        _budget = null;
        Kind = IncomingKind.Text;
        Length = 0;
        WireLength = 0;
        RecoveredId = default;
        Fault = null;
        Pool.Return(this);
    }
}
