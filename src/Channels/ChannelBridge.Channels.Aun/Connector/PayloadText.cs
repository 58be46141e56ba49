using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>What an agent reads of a payload, and what is written of its answers.</summary>
internal static class PayloadText
{
    /// <summary>A text payload's text; of all others the whole as JSON.</summary>
    /// <param name="payload">One JSON object.</param>
    /// <returns>The text and its kind: <c>text</c>, or the payload's own word.</returns>
    public static (string Text, string Kind) Of(JsonElement payload)
    {
        var kind = Wire.Text(payload, "type", 100) is { Length: > 0 } word ? word : "text";
        return kind == "text" && Wire.Text(payload, "text", int.MaxValue) is { } text ? (text, kind) : (payload.GetRawText(), kind);
    }

    /// <summary>The payload of a text.</summary>
    public static ReadOnlyMemory<byte> Write(string text)
    {
        var buffer = new ArrayBufferWriter<byte>(text.Length + 32);
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            writer.WriteString("type"u8, "text");
            writer.WriteString("text"u8, text);
            writer.WriteEndObject();
        }

        return buffer.WrittenMemory;
    }

    /// <summary>A payload that somebody gave as JSON: one object.</summary>
    public static ReadOnlyMemory<byte>? Parse(string json)
    {
        try
        {
            var bytes = Encoding.UTF8.GetBytes(json);
            return JsonElement.Parse(bytes).ValueKind == JsonValueKind.Object ? bytes : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
