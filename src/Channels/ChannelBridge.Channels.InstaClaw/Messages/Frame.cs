using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ChannelBridge.Channels.InstaClaw.Messages;

/// <summary>A message of the broker, taken apart: what it is, its headers, and its data as JSON.</summary>
/// <param name="Type">Upper case: <c>MESSAGE</c>, <c>PING</c>, <c>PONG</c>, <c>CONTROL</c> …; empty for a bare payload.</param>
/// <param name="Topic">The topic, or null when none is named.</param>
/// <param name="MessageId">The header <c>message-id</c>, or null.</param>
/// <param name="SessionId">The header <c>session-id</c>, or null.</param>
/// <param name="Data">The payload; undefined when there is none, or it isn't JSON.</param>
internal readonly record struct Frame(string Type, string? Topic, string? MessageId, string? SessionId, JsonElement Data)
{
    /// <summary>Reads a message: an envelope with <c>data</c> as text or as an object, or the bare payload of the chart.</summary>
    /// <exception cref="JsonException">It is no JSON object.</exception>
    public static Frame Read(ReadOnlyMemory<byte> message)
    {
        using var document = JsonDocument.Parse(message, new JsonDocumentOptions { MaxDepth = 64 });
        var root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object) throw new JsonException("no object");
        var headers = root.TryGetProperty("headers", out var found) && found.ValueKind == JsonValueKind.Object ? found : default;
        var topic = Text(headers, "topic") ?? Text(root, "topic");
        var messageId = Text(headers, "message-id") ?? Text(headers, "messageId");
        var sessionId = Text(headers, "session-id") ?? Text(headers, "sessionId");
        var type = (Text(root, "type") ?? "").ToUpperInvariant();
        if (root.TryGetProperty("data", out var data)) return new Frame(type, topic, messageId, sessionId, Open(data));

        // Without an envelope the object itself is the payload.
        return new Frame(headers.ValueKind == JsonValueKind.Object ? type : Bare(root, type), topic, messageId, sessionId, root.Clone());
    }

    /// <summary>Writes the envelope of an event, byte-compatible with the chart; headers beyond its two are ours.</summary>
    public static byte[] Write(string type, string topic, string? messageId, string? sessionId, string? responseId, long? sequence, ReadOnlySpan<byte> data)
    {
        var output = new ArrayBufferWriter<byte>(data.Length + (data.Length >> 2) + 256);
        using (var writer = new Utf8JsonWriter(output, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true }))
        {
            writer.WriteStartObject();
            writer.WriteString("type"u8, type);
            writer.WriteStartObject("headers"u8);
            if (messageId is not null) writer.WriteString("message-id"u8, messageId);
            if (sessionId is not null) writer.WriteString("session-id"u8, sessionId);
            writer.WriteString("topic"u8, topic);
            if (responseId is not null) writer.WriteString("response-id"u8, responseId);
            // Header values are strings, as the chart has them.
            if (sequence is { } number) writer.WriteString("sequence"u8, number.ToString(System.Globalization.CultureInfo.InvariantCulture));
            writer.WriteEndObject();
            writer.WriteString("data"u8, data);
            writer.WriteEndObject();
        }

        return output.WrittenSpan.ToArray();
    }

    /// <summary>A member that is a text, or null.</summary>
    public static string? Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static string Bare(JsonElement root, string type) => root.TryGetProperty("input", out _) ? "" : type;

    private static JsonElement Open(JsonElement data)
    {
        if (data.ValueKind != JsonValueKind.String) return data.Clone();
        if (data.GetString() is not { Length: > 0 } text) return default;
        try
        {
            return JsonSerializer.Deserialize(text, Wire.InstaClawJson.Default.JsonElement);
        }
        catch (JsonException)
        {
            return default;
        }
    }
}
