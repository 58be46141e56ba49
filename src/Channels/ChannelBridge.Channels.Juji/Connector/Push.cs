using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace ChannelBridge.Channels.Juji.Connector;

/// <summary>A push of the community as it is read here. All of it is text that strangers may have written.</summary>
internal sealed record Push
{
    private const int MaxText = 100_000;
    private const int MaxName = 128;

    /// <summary>The topic, e.g. <c>content.published</c>; where a push names none, its event, else its type, else <c>other</c>.</summary>
    public required string Topic { get; init; }

    /// <summary>The event, or empty.</summary>
    public required string Event { get; init; }

    /// <summary>The variant in lower case (<c>public</c>, <c>direct</c>), or empty.</summary>
    public required string Variant { get; init; }

    /// <summary>A heading, or empty.</summary>
    public required string Title { get; init; }

    /// <summary>What happened in words, or empty.</summary>
    public required string Message { get; init; }

    /// <summary>The details, or undefined.</summary>
    public required JsonElement Data { get; init; }

    /// <summary>What makes it the same push: the sender's own id of it, else its content.</summary>
    public required UInt128 Key { get; init; }

    /// <summary>True when the community gave it an id: then it is the same push for good, not for a moment.</summary>
    public required bool HasId { get; init; }

    /// <summary>True for what only its receiver may read.</summary>
    public bool IsDirect => Variant.Length > 0 && Variant != "public";

    /// <summary>Reads a frame.</summary>
    public static Push Read(JsonElement frame)
    {
        var named = Text(frame, "topic"u8, MaxName);
        var happened = Text(frame, "event"u8, MaxName);
        var type = Text(frame, "type"u8, MaxName);
        var id = Text(frame, "push_id"u8, MaxName);
        var key = id.Length > 0 ? "id\n" + id : "content\n" + frame.GetRawText();
        return new Push
        {
            Topic = named.Length > 0 ? named : happened.Length > 0 ? happened : type.Length > 0 ? type : "other",
            Event = happened,
            Variant = Text(frame, "variant"u8, MaxName).Trim().ToLowerInvariant(),
            Title = Text(frame, "title"u8, MaxText),
            Message = Text(frame, "message"u8, MaxText),
            Data = frame.TryGetProperty("data"u8, out var data) ? data : default,
            Key = Hash(key),
            HasId = id.Length > 0,
        };
    }

    /// <summary>What an agent is told: all of it.</summary>
    public string ForAgent()
    {
        var text = new StringBuilder("[juji ").Append(Topic);
        if (Event.Length > 0 && Event != Topic) text.Append(' ').Append(Event);
        if (Variant.Length > 0) text.Append(' ').Append(Variant);
        text.Append(']');
        if (Title.Length > 0) text.Append(' ').Append(Title);
        if (Message.Length > 0) text.Append('\n').Append(Message);
        if (Data.ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Null)) text.Append('\n').Append(Cut(Data.GetRawText()));
        return text.ToString();
    }

    /// <summary>What people are told: title, message, and of the details those that are named.</summary>
    public string ForPeople(IReadOnlyList<string> members)
    {
        var text = new StringBuilder(Title.Length > 0 ? Title : Message.Length > 0 ? "" : Event.Length > 0 ? Event : Topic);
        if (Message.Length > 0) text.Append(text.Length > 0 ? "\n" : "").Append(Message);
        if (Data.ValueKind != JsonValueKind.Object) return text.ToString();
        foreach (var name in members)
        {
            if (!Data.TryGetProperty(name, out var value)) continue;
            text.Append('\n').Append(name).Append(": ").Append(Cut(value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText()));
        }

        return text.ToString();
    }

    private static UInt128 Hash(string text) => System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    /// <summary>A text of a frame; empty when it isn't there, or is none that can be read.</summary>
    internal static string Text(JsonElement frame, ReadOnlySpan<byte> name, int most)
    {
        if (!frame.TryGetProperty(name, out var value) || value.ValueKind != JsonValueKind.String) return "";
        try
        {
            var text = value.GetString()!;
            return text.Length <= most ? text : text[..most];
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair.
            return "";
        }
    }

    private static string Cut(string text) => text.Length <= MaxText ? text : text[..MaxText] + "…";
}
