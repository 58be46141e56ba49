using System.Text.Json;

namespace ChannelBridge.Protocol.OpenResponses;

/// <summary>Writes the settings of a request as a response repeats them: each with its value, or the spec's default where nothing was said.</summary>
public static class RequestWriter
{
    /// <summary>Writes the members from <c>tools</c> to <c>prompt_cache_key</c>.</summary>
    public static void WriteSettings(Utf8JsonWriter writer, ResponseRequest request)
    {
        WriteTools(writer, request.Tools);
        WriteToolChoice(writer, request.ToolChoice, request.Tools);
        writer.WriteString("truncation"u8, request.Truncation ?? "disabled");
        writer.WriteBoolean("parallel_tool_calls"u8, request.ParallelToolCalls ?? true);
        WriteText(writer, request.Text);
        writer.WriteNumber("top_p"u8, request.TopP ?? 1);
        writer.WriteNumber("presence_penalty"u8, request.PresencePenalty ?? 0);
        writer.WriteNumber("frequency_penalty"u8, request.FrequencyPenalty ?? 0);
        writer.WriteNumber("top_logprobs"u8, request.TopLogprobs ?? 0);
        writer.WriteNumber("temperature"u8, request.Temperature ?? 1);
        WriteReasoning(writer, request);
        WriteNumberOrNull(writer, "max_output_tokens"u8, request.MaxOutputTokens);
        WriteNumberOrNull(writer, "max_tool_calls"u8, request.MaxToolCalls);
        writer.WriteBoolean("store"u8, request.Store ?? true);
        writer.WriteBoolean("background"u8, request.Background ?? false);
        // "auto" is what one asks for; what one is told is the tier that served.
        writer.WriteString("service_tier"u8, request.ServiceTier is null or "auto" ? "default" : request.ServiceTier);
        writer.WritePropertyName("metadata"u8);
        if (request.Metadata is { ValueKind: JsonValueKind.Object } metadata)
        {
            metadata.WriteTo(writer);
        }
        else
        {
            writer.WriteStartObject();
            writer.WriteEndObject();
        }

        writer.WriteString("safety_identifier"u8, request.SafetyIdentifier);
        writer.WriteString("prompt_cache_key"u8, request.PromptCacheKey);
    }

    private static void WriteTools(Utf8JsonWriter writer, IReadOnlyList<FunctionTool> tools)
    {
        writer.WriteStartArray("tools"u8);
        string? space = null;
        foreach (var tool in tools)
        {
            if (tool.Namespace != space)
            {
                EndNamespace(writer, space);
                space = tool.Namespace;
                if (space is not null)
                {
                    writer.WriteStartObject();
                    writer.WriteString("type"u8, "namespace"u8);
                    writer.WriteString("name"u8, space);
                    writer.WriteString("description"u8, tool.NamespaceDescription);
                    writer.WriteStartArray("tools"u8);
                }
            }

            WriteTool(writer, tool);
        }

        EndNamespace(writer, space);
        writer.WriteEndArray();
    }

    private static void EndNamespace(Utf8JsonWriter writer, string? space)
    {
        if (space is null) return;
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteTool(Utf8JsonWriter writer, FunctionTool tool)
    {
        if (tool.Source is { } source)
        {
            source.WriteTo(writer);
            return;
        }

        writer.WriteStartObject();
        writer.WriteString("type"u8, "function"u8);
        writer.WriteString("name"u8, tool.OwnName ?? tool.Name);
        writer.WriteString("description"u8, tool.Description);
        writer.WritePropertyName("parameters"u8);
        if (tool.Parameters is { } parameters) parameters.WriteTo(writer);
        else writer.WriteNullValue();
        if (tool.Strict is { } strict) writer.WriteBoolean("strict"u8, strict);
        else writer.WriteNull("strict"u8);
        writer.WriteEndObject();
    }

    private static void WriteToolChoice(Utf8JsonWriter writer, ToolChoice choice, IReadOnlyList<FunctionTool> tools)
    {
        if (choice.AllowedTools is { } allowed)
        {
            writer.WriteStartObject("tool_choice"u8);
            writer.WriteString("type"u8, "allowed_tools"u8);
            writer.WriteStartArray("tools"u8);
            foreach (var name in allowed) WriteFunction(writer, name, tools);
            writer.WriteEndArray();
            writer.WriteString("mode"u8, choice.Mode);
            writer.WriteEndObject();
        }
        else if (choice.Function is { } function)
        {
            writer.WritePropertyName("tool_choice"u8);
            WriteFunction(writer, function, tools);
        }
        else
        {
            writer.WriteString("tool_choice"u8, choice.Mode);
        }
    }

    private static void WriteFunction(Utf8JsonWriter writer, string name, IReadOnlyList<FunctionTool> tools)
    {
        var tool = tools.FirstOrDefault(tool => tool.Name == name);
        writer.WriteStartObject();
        writer.WriteString("type"u8, tool is { IsCustom: true } ? "custom"u8 : "function"u8);
        writer.WriteString("name"u8, tool?.OwnName ?? name);
        if (tool?.Namespace is { } space) writer.WriteString("namespace"u8, space);
        writer.WriteEndObject();
    }

    private static void WriteText(Utf8JsonWriter writer, JsonElement? text)
    {
        writer.WriteStartObject("text"u8);
        writer.WriteStartObject("format"u8);
        var known = text is { ValueKind: JsonValueKind.Object } value ? value : default;
        var format = Member(known, "format");
        var type = Member(format, "type") is { ValueKind: JsonValueKind.String } name ? name.GetString()! : "text";
        writer.WriteString("type"u8, type);
        if (type == "json_schema") WriteJsonSchema(writer, format);
        writer.WriteEndObject();
        if (Member(known, "verbosity") is { ValueKind: JsonValueKind.String } verbosity) writer.WriteString("verbosity"u8, verbosity.GetString());
        writer.WriteEndObject();
    }

    private static void WriteJsonSchema(Utf8JsonWriter writer, JsonElement format)
    {
        writer.WriteString("name"u8, Member(format, "name") is { ValueKind: JsonValueKind.String } name ? name.GetString() : "");
        writer.WriteString("description"u8, Member(format, "description") is { ValueKind: JsonValueKind.String } text ? text.GetString() : null);
        // The contract of the spec knows null only here; the client has the schema.
        writer.WriteNull("schema"u8);
        writer.WriteBoolean("strict"u8, Member(format, "strict").ValueKind == JsonValueKind.True);
    }

    private static void WriteReasoning(Utf8JsonWriter writer, ResponseRequest request)
    {
        if (request.ReasoningEffort is null && request.ReasoningSummary is null)
        {
            writer.WriteNull("reasoning"u8);
            return;
        }

        writer.WriteStartObject("reasoning"u8);
        writer.WriteString("effort"u8, request.ReasoningEffort);
        writer.WriteString("summary"u8, request.ReasoningSummary);
        writer.WriteEndObject();
    }

    private static void WriteNumberOrNull(Utf8JsonWriter writer, ReadOnlySpan<byte> name, int? value)
    {
        if (value is { } number) writer.WriteNumber(name, number);
        else writer.WriteNull(name);
    }

    private static JsonElement Member(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var member) ? member : default;
}
