using System.Buffers;
using System.Text;
using System.Text.Json;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Core.Agents;

/// <summary>How the echo agent calls tools: without understanding anything, and always the same.</summary>
internal static class EchoTools
{
    private const int ShortestWord = 4;
    private const int MaxDepth = 8;

    /// <summary>The tool to call, or null: none is offered or allowed, its result is there already, or nobody asked for one.</summary>
    public static FunctionTool? Choose(ResponseRequest request, string text)
    {
        var choice = request.ToolChoice;
        if (request.Tools.Count == 0 || choice.Mode == "none") return null;
        if (request.Input is [.., FunctionCallOutputItem]) return null;
        var tools = choice.AllowedTools is { } allowed ? request.Tools.Where(tool => allowed.Contains(tool.Name)).ToList() : request.Tools;
        if (choice.Function is { } function) return tools.FirstOrDefault(tool => tool.Name == function);
        var asked = tools.FirstOrDefault(tool => Words(tool.Name).Any(word => text.Contains(word, StringComparison.OrdinalIgnoreCase)));
        return asked ?? (choice.Mode == "required" && tools.Count > 0 ? tools[0] : null);
    }

    /// <summary>Arguments that fit the tool's schema, as far as it is an ordinary one.</summary>
    public static string MakeArguments(FunctionTool tool, string text)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            if (tool.Parameters is { ValueKind: JsonValueKind.Object } schema && TypeOf(schema) is "object" or "") WriteObject(writer, schema, text, 0);
            else
            {
                writer.WriteStartObject();
                writer.WriteEndObject();
            }
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    // The whole name, or one of its words that is long enough to mean something: get_weather is asked for by "weather".
    private static IEnumerable<string> Words(string name)
    {
        yield return name;
        foreach (var word in name.Split('_', '-'))
        {
            if (word.Length >= ShortestWord && word != name) yield return word;
        }
    }

    private static void WriteObject(Utf8JsonWriter writer, JsonElement schema, string text, int depth)
    {
        writer.WriteStartObject();
        if (depth < MaxDepth && schema.TryGetProperty("properties", out var properties) && properties.ValueKind == JsonValueKind.Object)
        {
            var required = schema.TryGetProperty("required", out var list) && list.ValueKind == JsonValueKind.Array
                ? list.EnumerateArray().Where(name => name.ValueKind == JsonValueKind.String).Select(name => name.GetString()!).ToHashSet(StringComparer.Ordinal)
                : null;
            foreach (var property in properties.EnumerateObject())
            {
                if (required is not null && !required.Contains(property.Name)) continue;
                writer.WritePropertyName(property.Name);
                WriteValue(writer, property.Value, text, depth + 1);
            }
        }

        writer.WriteEndObject();
    }

    private static void WriteValue(Utf8JsonWriter writer, JsonElement schema, string text, int depth)
    {
        if (schema.ValueKind != JsonValueKind.Object)
        {
            writer.WriteStringValue(text);
            return;
        }

        if (schema.TryGetProperty("const", out var constant))
        {
            constant.WriteTo(writer);
            return;
        }

        if (schema.TryGetProperty("enum", out var values) && values.ValueKind == JsonValueKind.Array && values.GetArrayLength() > 0)
        {
            values[0].WriteTo(writer);
            return;
        }

        switch (TypeOf(schema))
        {
            case "object":
                WriteObject(writer, schema, text, depth);
                break;
            case "array":
                writer.WriteStartArray();
                writer.WriteEndArray();
                break;
            case "integer" or "number":
                if (schema.TryGetProperty("minimum", out var least) && least.ValueKind == JsonValueKind.Number) least.WriteTo(writer);
                else writer.WriteNumberValue(0);
                break;
            case "boolean":
                writer.WriteBooleanValue(false);
                break;
            case "null":
                writer.WriteNullValue();
                break;
            default:
                writer.WriteStringValue(text);
                break;
        }
    }

    private static string TypeOf(JsonElement schema)
    {
        if (!schema.TryGetProperty("type", out var type)) return "";
        if (type.ValueKind == JsonValueKind.Array) type = type.EnumerateArray().FirstOrDefault(one => one.ValueKind == JsonValueKind.String && one.GetString() != "null");
        return type.ValueKind == JsonValueKind.String ? type.GetString()! : "";
    }
}
