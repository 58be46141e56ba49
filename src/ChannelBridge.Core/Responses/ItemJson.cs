using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Core.Responses;

/// <summary>Items and snapshots as JSON text and back.</summary>
internal static class ItemJson
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>A list of items.</summary>
    public static byte[] Write(IReadOnlyList<ResponseItem> items) => Write(items, ResponseWriter.WriteItem);

    /// <summary>A list of items with what clients aren't shown.</summary>
    public static byte[] WriteKept(IReadOnlyList<ResponseItem> items) => Write(items, ResponseWriter.WriteKept);

    private static byte[] Write(IReadOnlyList<ResponseItem> items, Action<Utf8JsonWriter, ResponseItem> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, Options))
        {
            writer.WriteStartArray();
            foreach (var item in items) write(writer, item);
            writer.WriteEndArray();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The same as an element.</summary>
    public static JsonElement ToElement(IReadOnlyList<ResponseItem> items)
    {
        using var document = JsonDocument.Parse(WriteKept(items), ResponseRequestReader.Deep);
        return document.RootElement.Clone();
    }

    /// <summary>Items from a list.</summary>
    public static IReadOnlyList<ResponseItem> Read(JsonElement items) => ResponseRequestReader.ReadItems(items);

    /// <summary>The items of a response's output.</summary>
    public static IReadOnlyList<ResponseItem> ReadOutput(ReadOnlyMemory<byte> response)
    {
        using var document = JsonDocument.Parse(response, ResponseRequestReader.Deep);
        return Read(document.RootElement.GetProperty("output"));
    }

    /// <summary>The response inside an event that carries one.</summary>
    public static ReadOnlyMemory<byte> Snapshot(ReadOnlyMemory<byte> json)
    {
        var begin = json.Span.IndexOf("\"response\":{"u8) + "\"response\":"u8.Length;
        return json[begin..^1];
    }
}
