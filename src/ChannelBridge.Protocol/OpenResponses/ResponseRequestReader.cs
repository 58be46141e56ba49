using System.Text.Json;

namespace ChannelBridge.Protocol.OpenResponses;

/// <summary>
/// Reads requests (<c>CreateResponseBody</c>, <c>CompactResponseMethodPublicBody</c>) and says precisely what is wrong with one. Members that the spec
/// doesn't know are passed over.
/// </summary>
public static class ResponseRequestReader
{
    /// <summary>The deepest nesting.</summary>
    public const int MaxDepth = 64;

    /// <summary>The longest text, in characters.</summary>
    public const int MaxText = 10_485_760;

    /// <summary>Items of one input.</summary>
    public const int MaxItems = 10_000;

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = MaxDepth };

    /// <summary>Reads a request.</summary>
    /// <param name="body">One JSON object in UTF-8; nothing of it is kept.</param>
    /// <param name="bareParts">
    /// True to take <c>input_text</c>, <c>input_image</c> and <c>input_file</c> at the top level of <c>input</c>, too, as one user message: no client of the
    /// spec sends them, the InstaClaw platform does.
    /// </param>
    /// <exception cref="ResponseRequestException">It isn't valid.</exception>
    public static ResponseRequest Read(ReadOnlyMemory<byte> body, bool bareParts = false)
    {
        using var document = Parse(body);
        return Read(document.RootElement, bareParts);
    }

    /// <inheritdoc cref="Read(ReadOnlyMemory{byte}, bool)"/>
    public static ResponseRequest Read(JsonElement body, bool bareParts = false) => Read(body, bareParts, mayBeEmpty: false);

    /// <summary>Reads a request that prepares others: it may have no input yet.</summary>
    /// <exception cref="ResponseRequestException">It isn't valid.</exception>
    public static ResponseRequest ReadWarmUp(JsonElement body) => Read(body, bareParts: false, mayBeEmpty: true);

    private static ResponseRequest Read(JsonElement body, bool bareParts, bool mayBeEmpty)
    {
        var request = ReadSettings(body) with { Input = InputReader.Read(body, bareParts) };
        if (request.Input.Count == 0 && request.PreviousResponseId is null && !mayBeEmpty)
            throw new ResponseRequestException("input is required: a text, or a list of items", "input", "missing_required_parameter");
        return request;
    }

    /// <summary>Reads the items of a list as <c>input</c> has them.</summary>
    /// <exception cref="ResponseRequestException">They aren't valid.</exception>
    public static IReadOnlyList<ResponseItem> ReadItems(JsonElement items) => InputReader.ReadItems(items, bareParts: false);

    /// <summary>Parses a body.</summary>
    /// <exception cref="ResponseRequestException">It isn't one JSON object.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> body)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(body, Options);
        }
        catch (JsonException fault)
        {
            throw new ResponseRequestException($"the body is not valid JSON (line {fault.LineNumber + 1}, byte {fault.BytePositionInLine})", null, "invalid_json");
        }

        if (document.RootElement.ValueKind == JsonValueKind.Object) return document;
        document.Dispose();
        throw new ResponseRequestException("the body must be a JSON object", null, "invalid_json");
    }

    /// <summary>Reads everything but <c>input</c>; a response's snapshot has the same members.</summary>
    internal static ResponseRequest ReadSettings(JsonElement body)
    {
        var tools = ToolsReader.ReadTools(body);
        var reasoning = body.Object("reasoning");
        return new ResponseRequest
        {
            Model = body.Text("model", 512),
            PreviousResponseId = body.Text("previous_response_id", 256),
            Instructions = body.Text("instructions", MaxText),
            Tools = tools,
            ToolChoice = ToolsReader.ReadChoice(body, tools),
            ParallelToolCalls = body.Flag("parallel_tool_calls"),
            Temperature = body.Number("temperature", 0, 2),
            TopP = body.Number("top_p", 0, 1),
            PresencePenalty = body.Number("presence_penalty", -2, 2),
            FrequencyPenalty = body.Number("frequency_penalty", -2, 2),
            TopLogprobs = body.Integer("top_logprobs", 0, 20),
            MaxOutputTokens = body.Integer("max_output_tokens", 16, int.MaxValue),
            MaxToolCalls = body.Integer("max_tool_calls", 1, int.MaxValue),
            ReasoningEffort = reasoning?.Word("effort", "reasoning.", "none", "minimal", "low", "medium", "high", "xhigh") is var effort && effort == "minimal" ? "low" : effort,
            ReasoningSummary = reasoning?.Word("summary", "reasoning.", "concise", "detailed", "auto"),
            Text = ReadText(body),
            Truncation = body.Word("truncation", "", "auto", "disabled"),
            Store = body.Flag("store"),
            Background = body.Flag("background"),
            Stream = body.Flag("stream") ?? false,
            ServiceTier = body.Word("service_tier", "", "auto", "default", "flex", "priority"),
            Metadata = ReadMetadata(body),
            SafetyIdentifier = body.Text("safety_identifier", 64),
            PromptCacheKey = body.Text("prompt_cache_key", 64),
            User = body.Text("user", 512),
        };
    }

    private static JsonElement? ReadText(JsonElement body)
    {
        if (body.Object("text") is not { } text) return null;
        text.Word("verbosity", "text.", "low", "medium", "high");
        if (text.Object("format", "text.") is not { } format) return text.Clone();
        var type = format.Word("type", "text.format.", "text", "json_object", "json_schema")
            ?? throw new ResponseRequestException("text.format.type is required", "text.format.type", "missing_required_parameter");
        if (type == "json_schema")
        {
            _ = format.Text("name", 64, "text.format.");
            _ = format.Text("description", MaxText, "text.format.");
            _ = format.Object("schema", "text.format.");
            _ = format.Flag("strict", "text.format.");
        }

        return text.Clone();
    }

    private static JsonElement? ReadMetadata(JsonElement body)
    {
        const int Pairs = 16;
        const int Longest = 512;
        if (body.Object("metadata") is not { } metadata) return null;
        var count = 0;
        foreach (var pair in metadata.EnumerateObject())
        {
            if (++count > Pairs) throw new ResponseRequestException($"metadata may have at most {Pairs} pairs", "metadata");
            if (pair.Value.ValueKind != JsonValueKind.String) throw new ResponseRequestException("the values of metadata must be strings", "metadata." + pair.Name, "invalid_type");
            if (pair.Value.GetString()!.Length > Longest) throw new ResponseRequestException($"a value of metadata may have at most {Longest} characters", "metadata." + pair.Name);
        }

        return metadata.Clone();
    }
}
