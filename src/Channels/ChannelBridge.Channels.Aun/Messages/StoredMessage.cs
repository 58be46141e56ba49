using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace ChannelBridge.Channels.Aun.Messages;

/// <summary>What an entry of a log is.</summary>
[Flags]
internal enum MessageKinds
{
    /// <summary>A message that is the same for all.</summary>
    Plain = 0,

    /// <summary>One with a copy for each device.</summary>
    Copies = 1,

    /// <summary>One for exactly one connection.</summary>
    Queue = 2,

    /// <summary>With a queue: there was a connection that took it when it came.</summary>
    Taken = 4,
}

/// <summary>
/// An entry of a receiver's log: one byte that says what it is, then members of a JSON object as they are told, without its braces. Of a message with copies, the members
/// that all have, a zero byte, and the list of copies.
/// </summary>
internal static class StoredMessage
{
    private static readonly JsonWriterOptions Writing = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>Writes an entry.</summary>
    /// <param name="kinds">What it is.</param>
    /// <param name="head">What it says of itself.</param>
    /// <param name="payload">The payload, or the list of copies.</param>
    public static byte[] Write(MessageKinds kinds, in MessageHead head, ReadOnlySpan<byte> payload)
    {
        var buffer = new ArrayBufferWriter<byte>(256 + payload.Length);
        using (var writer = new Utf8JsonWriter(buffer, Writing))
        {
            writer.WriteStartObject();
            writer.WriteString("message_id"u8, head.MessageId);
            writer.WriteString("from"u8, head.From);
            writer.WriteString("to"u8, head.To);
            writer.WriteNumber("timestamp"u8, head.Timestamp);
            writer.WriteString("delivery_mode"u8, kinds.HasFlag(MessageKinds.Queue) ? "queue"u8 : "fanout"u8);
            if (head.Type is { Length: > 0 } type) writer.WriteString("type"u8, type);
            if (head.Encrypted) writer.WriteBoolean("encrypted"u8, true);
            if (!kinds.HasFlag(MessageKinds.Copies))
            {
                writer.WritePropertyName("payload"u8);
                writer.WriteRawValue(payload, skipInputValidation: true);
            }

            writer.WriteEndObject();
        }

        var members = buffer.WrittenSpan[1..^1];
        var copies = kinds.HasFlag(MessageKinds.Copies) ? payload : default;
        var entry = new byte[1 + members.Length + (copies.IsEmpty ? 0 : 1 + copies.Length)];
        entry[0] = (byte)kinds;
        members.CopyTo(entry.AsSpan(1));
        if (!copies.IsEmpty) copies.CopyTo(entry.AsSpan(2 + members.Length));
        return entry;
    }

    /// <summary>What an entry is.</summary>
    public static MessageKinds KindsOf(ReadOnlySpan<byte> entry) => (MessageKinds)entry[0];

    /// <summary>Its id and its sender, for the few that look.</summary>
    public static (string MessageId, string From) IdOf(ReadOnlySpan<byte> entry)
    {
        // Both stand at the beginning; an id has 128 characters at most.
        var members = MembersOf(entry, out _);
        members = members[..Math.Min(members.Length, 2048)];
        Span<byte> whole = stackalloc byte[2049];
        whole[0] = (byte)'{';
        members.CopyTo(whole[1..]);
        var reader = new Utf8JsonReader(whole[..(members.Length + 1)], isFinalBlock: false, new JsonReaderState());
        string? id = null;
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName) continue;
            var isId = reader.ValueTextEquals("message_id"u8);
            var isFrom = reader.ValueTextEquals("from"u8);
            reader.Read();
            if (isId) id = reader.GetString();
            if (isFrom) return (id ?? "", reader.GetString()!);
        }

        return (id ?? "", "");
    }

    /// <summary>
    /// Writes an entry as a device is told it, as an object with its number.
    /// </summary>
    /// <returns>False: there is no copy for that device; nothing was written.</returns>
    public static bool TryRender(ReadOnlyMemory<byte> entry, long number, string device, IBufferWriter<byte> output)
    {
        var members = MembersOf(entry.Span, out var copies);
        if (copies == 0)
        {
            Open(output, number);
            output.Write(members);
            output.Write("}"u8);
            return true;
        }

        using var document = JsonDocument.Parse(entry[copies..]);
        foreach (var copy in document.RootElement.EnumerateArray())
        {
            if (copy.GetProperty("device_id"u8).GetString() != device) continue;
            Open(output, number);
            output.Write(members);
            output.Write(",\"device_id\":"u8);
            output.Write(JsonMarshal.GetRawUtf8Value(copy.GetProperty("device_id"u8)));
            output.Write(",\"payload\":"u8);
            output.Write(JsonMarshal.GetRawUtf8Value(copy.GetProperty("envelope"u8)));
            output.Write("}"u8);
            return true;
        }

        return false;
    }

    private static void Open(IBufferWriter<byte> output, long number)
    {
        output.Write("{\"seq\":"u8);
        Span<byte> digits = stackalloc byte[20];
        System.Buffers.Text.Utf8Formatter.TryFormat(number, digits, out var written);
        output.Write(digits[..written]);
        output.Write(","u8);
    }

    private static ReadOnlySpan<byte> MembersOf(ReadOnlySpan<byte> entry, out int copies)
    {
        copies = 0;
        if (!KindsOf(entry).HasFlag(MessageKinds.Copies)) return entry[1..];
        var end = entry[1..].IndexOf((byte)0);
        copies = end + 2;
        return entry.Slice(1, end);
    }
}

/// <summary>What a message says of itself.</summary>
/// <param name="MessageId">Its id.</param>
/// <param name="From">Its sender, by the connection.</param>
/// <param name="To">Its receiver.</param>
/// <param name="Timestamp">When it was taken (Unix ms).</param>
/// <param name="Type">Its type, or null.</param>
/// <param name="Encrypted">True: what it carries is sealed.</param>
internal readonly record struct MessageHead(string MessageId, string From, string To, long Timestamp, string? Type, bool Encrypted);
