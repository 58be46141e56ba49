using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using StreamJsonRpc;

namespace ChannelBridge.Plugins.Rpc;

/// <summary>
/// Lets the serializer read the id in <c>$/cancelRequest</c>. The library's own type isn't in a generated context, and a resolver without
/// it makes the library drop every cancel in silence.
/// </summary>
internal sealed class RequestIdResolver : IJsonTypeInfoResolver
{
    public JsonTypeInfo? GetTypeInfo(Type type, JsonSerializerOptions options) =>
        type == typeof(RequestId) ? JsonMetadataServices.CreateValueInfo<RequestId>(options, new Converter()) : null;

    private sealed class Converter : JsonConverter<RequestId>
    {
        public override RequestId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.TokenType switch
        {
            JsonTokenType.Number when reader.TryGetInt64(out var number) => new RequestId(number),
            JsonTokenType.String => new RequestId(reader.GetString()),
            _ => throw new JsonException("an id is a whole number or a text"),
        };

        public override void Write(Utf8JsonWriter writer, RequestId value, JsonSerializerOptions options)
        {
            if (value.Number is { } number) writer.WriteNumberValue(number);
            else writer.WriteStringValue(value.String);
        }
    }
}
