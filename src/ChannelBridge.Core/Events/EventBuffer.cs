using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;

namespace ChannelBridge.Core.Events;

/// <summary>An event with its place in the host's row of events.</summary>
/// <param name="Number">1, 2, 3 …</param>
/// <param name="Name">The event's name.</param>
/// <param name="Payload">UTF-8 JSON object, its cursor included.</param>
internal readonly record struct NumberedEvent(long Number, string Name, ReadOnlyMemory<byte> Payload);

/// <summary>What an event cursor is good for.</summary>
internal enum CursorFit
{
    /// <summary>Everything after it is in the buffer.</summary>
    Good,

    /// <summary>It is no cursor, or of an event that hasn't happened.</summary>
    Malformed,

    /// <summary>It is of an earlier run of the host, or of another host.</summary>
    OtherRun,

    /// <summary>Events after it have left the buffer already.</summary>
    TooOld,
}

/// <summary>The last events, by their number: bounded in count and in bytes, the oldest go first. Not thread-safe.</summary>
internal sealed class EventBuffer(int capacity, long maxBytes)
{
    private const byte Version = 1;
    private const int RunBytes = 8;
    private const int CursorBytes = 1 + RunBytes + sizeof(long);
    private readonly byte[] _run = RandomNumberGenerator.GetBytes(RunBytes);
    private readonly Queue<NumberedEvent> _events = new();
    private long _bytes;

    /// <summary>The number of the newest event, or 0.</summary>
    public long Last { get; private set; }

    /// <summary>The cursor behind the newest event.</summary>
    public string Cursor => CursorOf(Last);

    /// <summary>Adds an event; gives it back with its number, and with its cursor in the payload.</summary>
    public NumberedEvent Add(string name, ReadOnlySpan<byte> payload)
    {
        var numbered = new NumberedEvent(++Last, name, WithCursor(payload, CursorOf(Last)));
        _events.Enqueue(numbered);
        _bytes += numbered.Payload.Length;
        while (_events.Count > capacity || (_bytes > maxBytes && _events.Count > 0)) _bytes -= _events.Dequeue().Payload.Length;
        return numbered;
    }

    /// <summary>Forgets every event; their numbers stay taken, so that a cursor of before is too old, not good.</summary>
    public void Clear()
    {
        _events.Clear();
        _bytes = 0;
        Last++;
    }

    /// <summary>Reads a cursor.</summary>
    /// <param name="cursor">The text.</param>
    /// <param name="number">The event that it stands behind.</param>
    public CursorFit Read(string cursor, out long number)
    {
        number = 0;
        Span<byte> raw = stackalloc byte[CursorBytes];
        if (!Base64Url.IsValid(cursor, out var length) || length != CursorBytes || !Base64Url.TryDecodeFromChars(cursor, raw, out _) || raw[0] != Version)
            return CursorFit.Malformed;
        if (!raw[1..(1 + RunBytes)].SequenceEqual(_run)) return CursorFit.OtherRun;
        number = BinaryPrimitives.ReadInt64BigEndian(raw[(1 + RunBytes)..]);
        if (number < 0 || number > Last) return CursorFit.Malformed;
        return number == Last || (_events.TryPeek(out var oldest) && number >= oldest.Number - 1) ? CursorFit.Good : CursorFit.TooOld;
    }

    /// <summary>The events behind a number.</summary>
    public IEnumerable<NumberedEvent> After(long number) => _events.SkipWhile(candidate => candidate.Number <= number);

    public string CursorOf(long number)
    {
        Span<byte> raw = stackalloc byte[CursorBytes];
        raw[0] = Version;
        _run.CopyTo(raw[1..]);
        BinaryPrimitives.WriteInt64BigEndian(raw[(1 + RunBytes)..], number);
        return Base64Url.EncodeToString(raw);
    }

    /// <summary>The object with one member more, made of its bytes: it is sent as often as there are subscribers, and read by none of us.</summary>
    private static byte[] WithCursor(ReadOnlySpan<byte> payload, string cursor)
    {
        var end = payload.LastIndexOf((byte)'}');
        ReadOnlySpan<byte> before = payload[..end].TrimEnd("{ \r\n\t"u8).Length == 0 ? "\"cursor\":\""u8 : ",\"cursor\":\""u8;
        var result = new byte[end + before.Length + cursor.Length + 2];
        payload[..end].CopyTo(result);
        before.CopyTo(result.AsSpan(end));
        System.Text.Encoding.ASCII.GetBytes(cursor, result.AsSpan(end + before.Length));
        "\"}"u8.CopyTo(result.AsSpan(result.Length - 2));
        return result;
    }
}
