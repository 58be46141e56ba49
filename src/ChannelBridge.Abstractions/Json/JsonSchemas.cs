using System.Collections.Concurrent;
using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;

namespace ChannelBridge.Abstractions.Json;

/// <summary>
/// JSON schemas of records, each made once; what <see cref="DescriptionAttribute"/> says of a property stands in it. Written out only: a node that is given away must not be
/// changed.
/// </summary>
public static class JsonSchemas
{
    private static readonly JsonSchemaExporterOptions Options = new() { TreatNullObliviousAsNonNullable = true, TransformSchemaNode = Describe };
    private static readonly ConcurrentDictionary<JsonTypeInfo, JsonNode> Known = new();

    /// <summary>The schema of a record as the serializer writes and reads it.</summary>
    public static JsonNode Of(JsonTypeInfo type)
    {
        ArgumentNullException.ThrowIfNull(type);
        return Known.GetOrAdd(type, static info => info.GetJsonSchemaAsNode(Options));
    }

    private static JsonNode Describe(JsonSchemaExporterContext context, JsonNode schema)
    {
        if (context.PropertyInfo?.AttributeProvider?.GetCustomAttributes(typeof(DescriptionAttribute), inherit: true) is not [DescriptionAttribute said, ..]) return schema;
        // A property that takes anything has the schema true, which has no room for words.
        if (schema is not JsonObject described) described = schema.GetValueKind() == JsonValueKind.True ? [] : new JsonObject { ["not"] = true };
        described["description"] = said.Description;
        return described;
    }
}
