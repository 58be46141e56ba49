using System.Buffers.Binary;
using System.Text;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Sqlite.Native;

namespace ChannelBridge.Storage.Sqlite.Young;

/// <summary>Kinds of records on a page.</summary>
internal enum YoungKind : byte
{
    /// <summary>A new inbox entry.</summary>
    InboxAppend = 1,

    /// <summary>A new outbox entry.</summary>
    OutboxAppend = 2,

    /// <summary>An inbox entry's new state.</summary>
    InboxState = 3,

    /// <summary>An outbox entry's new state.</summary>
    OutboxState = 4,
}

/// <summary>Writes records to a page; <see cref="YoungReader"/> reads them in the same order.</summary>
internal static class YoungWriter
{
    public static YoungPage Kind(this YoungPage page, YoungKind kind) => page.Byte((byte)kind);

    public static YoungPage Byte(this YoungPage page, byte value)
    {
        page.Reserve(1)[0] = value;
        return page;
    }

    public static YoungPage Number(this YoungPage page, long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(page.Reserve(sizeof(long)), value);
        return page;
    }

    public static YoungPage Id(this YoungPage page, Guid value)
    {
        value.TryWriteBytes(page.Reserve(16));
        return page;
    }

    public static YoungPage Key(this YoungPage page, UInt128 value)
    {
        BinaryPrimitives.WriteUInt128LittleEndian(page.Reserve(16), value);
        return page;
    }

    /// <summary>Bytes with their length before them.</summary>
    public static YoungPage Bytes(this YoungPage page, ReadOnlySpan<byte> value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(page.Reserve(sizeof(int)), value.Length);
        value.CopyTo(page.Reserve(value.Length));
        return page;
    }

    public static YoungPage Text(this YoungPage page, string? value)
    {
        if (value is null) return page.Byte(0);
        page.Byte(1);
        return page.Bytes(Encoding.UTF8.GetBytes(value));
    }

    public static void State(this YoungPage page, long number, in InboxState state) => page
        .Kind(YoungKind.InboxState).Number(number).Number(state.Ordinal).Byte((byte)state.State).Byte(state.PayloadDropped ? (byte)1 : (byte)0)
        .Number(state.Attempts).Number(state.NextAttemptAt).Number(state.EndedAt).Text(state.Error);

    public static void State(this YoungPage page, long number, in OutboxState state) => page
        .Kind(YoungKind.OutboxState).Number(number).Number(state.Seq).Byte((byte)state.State)
        .Byte((byte)((state.Settled ? 1 : 0) | (state.PayloadDropped ? 2 : 0) | (state.Discarded ? 4 : 0)))
        .Number(state.Attempts).Number(state.NextAttemptAt).Number(state.ExpiresAt).Number(state.PushedAt).Number(state.AckedAt)
        .Number(state.DeliveredAt).Number(state.EndedAt).Text(state.Error).Bytes(state.History);
}

/// <summary>Reads a page's records.</summary>
internal ref struct YoungReader(YoungPage page)
{
    private readonly ReadOnlySpan<byte> _bytes = page.Buffer.AsSpan(0, page.Length);
    private int _at = YoungPage.HeaderSize;

    /// <summary>True behind the last record.</summary>
    public readonly bool AtEnd => _at == _bytes.Length;

    public YoungKind Kind() => (YoungKind)Byte();

    public byte Byte() => Take(1)[0];

    public long Number() => BinaryPrimitives.ReadInt64LittleEndian(Take(sizeof(long)));

    public Guid Id() => new(Take(16));

    public UInt128 Key() => BinaryPrimitives.ReadUInt128LittleEndian(Take(16));

    /// <summary>Steps over bytes; gives where they are.</summary>
    public (int Offset, int Length) Place()
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(Take(sizeof(int)));
        Take(length);
        return (_at - length, length);
    }

    public InboxState InboxState() => new()
    {
        Ordinal = Number(),
        State = (TurnState)Byte(),
        PayloadDropped = Byte() != 0,
        Attempts = (int)Number(),
        NextAttemptAt = Number(),
        EndedAt = Number(),
        Error = Text(),
    };

    public OutboxState OutboxState()
    {
        var state = new OutboxState { Seq = Number(), State = (DeliveryState)Byte() };
        var flags = Byte();
        (state.Settled, state.PayloadDropped, state.Discarded) = ((flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0);
        state.Attempts = (int)Number();
        state.NextAttemptAt = Number();
        state.ExpiresAt = Number();
        state.PushedAt = Number();
        state.AckedAt = Number();
        state.DeliveredAt = Number();
        state.EndedAt = Number();
        state.Error = Text();
        var (offset, length) = Place();
        state.History = length == 0 ? null : _bytes.Slice(offset, length).ToArray();
        return state;
    }

    private string? Text()
    {
        if (Byte() == 0) return null;
        var (offset, length) = Place();
        return Encoding.UTF8.GetString(_bytes.Slice(offset, length));
    }

    private ReadOnlySpan<byte> Take(int size)
    {
        if (size < 0 || size > _bytes.Length - _at) throw new SqliteException(Sqlite3.Corrupt, "a page of the newest messages ends too soon");
        _at += size;
        return _bytes.Slice(_at - size, size);
    }
}
