using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using ChannelBridge.Channels.Aun.Connector.Methods;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>Serialization of the connector's files, records and methods.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(JsonNode))]
[JsonSerializable(typeof(AunTokens))]
[JsonSerializable(typeof(SortedDictionary<string, FileRecord>))]
[JsonSerializable(typeof(Refusal))]
[JsonSerializable(typeof(SendParams))]
[JsonSerializable(typeof(SendResult))]
[JsonSerializable(typeof(StatusParams))]
[JsonSerializable(typeof(StatusResult))]
[JsonSerializable(typeof(AunAccountStatus))]
internal sealed partial class AunConnectorJson : JsonSerializerContext
{
    /// <summary>Without escapes that only a web page needs.</summary>
    public static AunConnectorJson Relaxed { get; } = new(Make(indented: false));

    /// <summary>For files that people look at.</summary>
    public static AunConnectorJson Indented { get; } = new(Make(indented: true));

    private static JsonSerializerOptions Make(bool indented) => new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = indented,
    };
}
