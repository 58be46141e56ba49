using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using ChannelBridge.Storage.Sqlite.Native;

namespace ChannelBridge.Storage.Sqlite.Young;

/// <summary>
/// What one transaction did to the nursery, as one row of its table: appends with their payloads, and new states of entries. A header says how far
/// entries have moved to their tables by then; a checksum tells a damaged page, which would otherwise give wrong messages.
/// </summary>
internal sealed class YoungPage
{
    /// <summary>Where the first record begins.</summary>
    public const int HeaderSize = 32;

    private const byte Version = 1;
    private const int Least = 16 * 1024;

    /// <summary>The row's key.</summary>
    public long Id { get; set; }

    /// <summary>The last append up to this page's end; the page is needed until that entry has moved.</summary>
    public long LastNumber { get; set; }

    /// <summary>The bytes; rented, and longer than what is used of them.</summary>
    public byte[] Buffer { get; private set; } = [];

    /// <summary>How many bytes are used.</summary>
    public int Length { get; private set; } = HeaderSize;

    /// <summary>Nothing has been written.</summary>
    public bool IsEmpty => Length == HeaderSize;

    /// <summary>The number of the first append of the page.</summary>
    public long FirstNumber => BinaryPrimitives.ReadInt64LittleEndian(Buffer.AsSpan(8));

    /// <summary>All entries up to this number were in their tables after the page's transaction.</summary>
    public long Moved => BinaryPrimitives.ReadInt64LittleEndian(Buffer.AsSpan(16));

    /// <summary>Reads a row.</summary>
    /// <exception cref="SqliteException">It is damaged.</exception>
    public static YoungPage Read(long id, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeaderSize || bytes[0] != Version || BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]) != Checksum(bytes[8..]))
        {
            throw new SqliteException(Sqlite3.Corrupt, "a page of the newest messages is damaged");
        }

        var page = new YoungPage { Id = id };
        page.Length = 0;
        bytes.CopyTo(page.Reserve(bytes.Length));
        return page;
    }

    /// <summary>Room for more bytes, which count as used; valid until the next call.</summary>
    public Span<byte> Reserve(int size)
    {
        if (Buffer.Length < Length + size) Resize(Math.Max(Math.Max(Length + size, Least), Buffer.Length * 2));
        Length += size;
        return Buffer.AsSpan(Length - size, size);
    }

    /// <summary>Forgets what was written.</summary>
    public void Clear() => Length = HeaderSize;

    /// <summary>Completes the header.</summary>
    /// <returns>What is stored.</returns>
    public ReadOnlySpan<byte> Seal(long firstNumber, long moved)
    {
        Reserve(0);
        var bytes = Buffer.AsSpan(0, Length);
        bytes[..HeaderSize].Clear();
        bytes[0] = Version;
        BinaryPrimitives.WriteInt64LittleEndian(bytes[8..], firstNumber);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[16..], moved);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], Checksum(bytes[8..]));
        return bytes;
    }

    /// <summary>Gives back room that won't be used.</summary>
    public void Trim()
    {
        if (Buffer.Length >= 2 * Length) Resize(Length);
    }

    /// <summary>Gives the bytes back, so that nobody may look at them any more; the page can be used again.</summary>
    public void Return()
    {
        if (Buffer.Length > 0) ArrayPool<byte>.Shared.Return(Buffer);
        Buffer = [];
        Length = HeaderSize;
    }

    private void Resize(int size)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(size);
        Buffer.AsSpan(0, Math.Min(Length, Buffer.Length)).CopyTo(buffer);
        if (Buffer.Length > 0) ArrayPool<byte>.Shared.Return(Buffer);
        Buffer = buffer;
    }

    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var sum = uint.MaxValue;
        foreach (var word in MemoryMarshal.Cast<byte, ulong>(bytes)) sum = BitOperations.Crc32C(sum, word);
        foreach (var value in bytes[(bytes.Length & ~7)..]) sum = BitOperations.Crc32C(sum, value);
        return sum;
    }
}
