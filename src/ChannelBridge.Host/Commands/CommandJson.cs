using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace ChannelBridge.Host.Commands;

/// <summary>Source-generated serialisation of what commands write.</summary>
[JsonSerializable(typeof(JsonObject))]
[JsonSerializable(typeof(JsonNode))]
[JsonSerializable(typeof(System.Text.Json.JsonElement))]
[JsonSerializable(typeof(string))]
internal sealed partial class CommandJson : JsonSerializerContext
{
    /// <summary>The same for people to read.</summary>
    public static JsonSerializerOptions Indented { get; } = new() { WriteIndented = true, TypeInfoResolver = Default };
}
