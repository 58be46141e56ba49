using System.Buffers.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>A file that came inline.</summary>
/// <param name="Bytes">The decoded bytes.</param>
/// <param name="EncodedLength">How long the base64 was; more than <see cref="InlineMediaConverter.MaxDecoded"/> allows means that it wasn't decoded.</param>
/// <param name="IsValid">False: it is no base64.</param>
internal sealed record InlineMedia(byte[] Bytes, long EncodedLength, bool IsValid);

/// <summary>
/// Decodes base64 straight from the frame's bytes, after looking at its size. What is wrong with it is kept, not thrown, so that the method can say it
/// in its own words.
/// </summary>
internal sealed class InlineMediaConverter : JsonConverter<InlineMedia?>
{
    /// <summary>The hard bound, in decoded bytes; the setting may be lower.</summary>
    public const int MaxDecoded = 64 << 20;

    public override InlineMedia? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType is JsonTokenType.Null) return null;
        if (reader.TokenType is not JsonTokenType.String) throw new JsonException();
        var length = reader.HasValueSequence ? reader.ValueSequence.Length : reader.ValueSpan.Length;
        if (length == 0) return null;
        if (length > Base64.GetMaxEncodedToUtf8Length(MaxDecoded)) return new InlineMedia([], length, IsValid: true);
        try
        {
            return reader.TryGetBytesFromBase64(out var bytes) ? new InlineMedia(bytes, length, true) : new InlineMedia([], length, false);
        }
        catch (InvalidOperationException)
        {
            // An escape that is no text.
            return new InlineMedia([], length, false);
        }
    }

    public override void Write(Utf8JsonWriter writer, InlineMedia? value, JsonSerializerOptions options) => writer.WriteBase64StringValue(value?.Bytes);
}
