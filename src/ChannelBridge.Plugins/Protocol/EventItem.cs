using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using ChannelBridge.Abstractions.Endpoints;

namespace ChannelBridge.Plugins.Protocol;

/// <summary>An item of an event stream: JSON with <c>data</c>, and <c>event</c> and <c>id</c> where there are such. Written and read without a text in between.</summary>
internal static class EventItem
{
    /// <summary>How its writer is made.</summary>
    public static JsonWriterOptions Options => new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes an event.</summary>
    public static void Write(Utf8JsonWriter writer, ServerEvent item)
    {
        writer.WriteStartObject();
        // What isn't text can't be told as such.
        if (Utf8.IsValid(item.Data.Span)) writer.WriteString("data"u8, item.Data.Span);
        else writer.WriteString("data"u8, Encoding.UTF8.GetString(item.Data.Span));
        if (item.Event is { } name) writer.WriteString("event"u8, name);
        if (item.Id is { } id) writer.WriteString("id"u8, id);
        writer.WriteEndObject();
        writer.Flush();
    }

    /// <summary>Reads an event.</summary>
    /// <exception cref="BridgeException">It isn't one.</exception>
    public static ServerEvent Read(ReadOnlySpan<byte> item)
    {
        try
        {
            var reader = new Utf8JsonReader(item);
            ReadOnlyMemory<byte> data = default;
            string? name = null, id = null;
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw new JsonException();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("data"u8)) data = Bytes(ref reader);
                else if (reader.ValueTextEquals("event"u8)) name = Text(ref reader);
                else if (reader.ValueTextEquals("id"u8)) id = Text(ref reader);
                else reader.Skip();
            }

            return new ServerEvent(data, name, id);
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            throw new BridgeException(ErrorCodes.InvalidRequest, "an event is a JSON object with data, event and id, which are texts", fault);
        }
    }

    private static string? Text(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.GetString();
    }

    private static ReadOnlyMemory<byte> Bytes(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null) return default;
        var bytes = new byte[reader.ValueSpan.Length];
        return bytes.AsMemory(0, reader.CopyString(bytes));
    }
}
