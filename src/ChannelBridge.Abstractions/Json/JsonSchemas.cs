using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;

namespace ChannelBridge.Abstractions.Json;

/// <summary>JSON schemas of records, each made once. Written out only: a node that is given away must not be changed.</summary>
public static class JsonSchemas
{
    private static readonly JsonSchemaExporterOptions Options = new() { TreatNullObliviousAsNonNullable = true };
    private static readonly ConcurrentDictionary<JsonTypeInfo, JsonNode> Known = new();

    /// <summary>The schema of a record as the serializer writes and reads it.</summary>
    public static JsonNode Of(JsonTypeInfo type)
    {
        ArgumentNullException.ThrowIfNull(type);
        return Known.GetOrAdd(type, static info => info.GetJsonSchemaAsNode(Options));
    }
}
