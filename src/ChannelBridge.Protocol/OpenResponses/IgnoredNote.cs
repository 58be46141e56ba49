using System.Buffers;
using System.Text.Json;

namespace ChannelBridge.Protocol.OpenResponses;

/// <summary>Tells a client what of its request was passed over: in a header where there is one, else in the response's metadata.</summary>
public static class IgnoredNote
{
    /// <summary>The header of HTTP answers.</summary>
    public const string Header = "ChannelBridge-Ignored";

    /// <summary>The key in <c>metadata</c>.</summary>
    public const string Key = "channelbridge_ignored";

    private const int Longest = 512;
    private const int MostPairs = 16;

    /// <summary>The note, or null when everything counts.</summary>
    public static string? Of(ResponseRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return request.Ignored.Count == 0 ? null : SoundText.Cut(string.Join(", ", request.Ignored), Longest - 1, "~");
    }

    /// <summary>The request with the note in its metadata, if there is something to note and room for it.</summary>
    public static ResponseRequest InMetadata(ResponseRequest request)
    {
        if (Of(request) is not { } note) return request;
        var metadata = request.Metadata is { ValueKind: JsonValueKind.Object } known ? known : default;
        if (metadata.ValueKind == JsonValueKind.Object && (metadata.GetPropertyCount() >= MostPairs || metadata.TryGetProperty(Key, out _)))
            return request;
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            if (metadata.ValueKind == JsonValueKind.Object)
            {
                foreach (var pair in metadata.EnumerateObject()) pair.WriteTo(writer);
            }

            writer.WriteString(Key, note);
            writer.WriteEndObject();
        }

        using var document = JsonDocument.Parse(buffer.WrittenMemory);
        return request with { Metadata = document.RootElement.Clone() };
    }
}
