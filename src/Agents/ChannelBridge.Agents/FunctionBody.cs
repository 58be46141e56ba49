using System.Text.Json;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Agents;

/// <summary>A function as both kinds of providers describe it; they differ only in what stands around it.</summary>
internal static class FunctionBody
{
    public static void Write(Utf8JsonWriter json, FunctionTool tool)
    {
        json.WriteString("name", tool.Name);
        if (tool.Description is { } description) json.WriteString("description", description);
        if (tool.Parameters is { ValueKind: JsonValueKind.Object } parameters)
        {
            json.WritePropertyName("parameters");
            parameters.WriteTo(json);
        }

        if (tool.Strict is { } strict) json.WriteBoolean("strict", strict);
    }
}
