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

    /// <summary>For what this side wrote around what a client gave: a snapshot in an event in a record is deeper than the
    /// request.</summary>
    public static readonly JsonDocumentOptions Deep = new() { MaxDepth = MaxDepth * 4 };

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = MaxDepth };

    // Members that change nothing here when they are passed over.
    private static readonly HashSet<string> Known =
    [
        "background", "client_metadata", "frequency_penalty", "generate", "include", "input", "instructions", "max_output_tokens",
        "max_tool_calls", "metadata", "model", "parallel_tool_calls", "presence_penalty", "previous_response_id", "prompt_cache_key",
        "reasoning", "safety_identifier", "service_tier", "store", "stream", "stream_options", "temperature", "text", "tool_choice", "tools",
        "top_logprobs", "top_p", "truncation", "type", "user",
    ];

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
        var ignored = new List<string>();
        Refuse(body);
        foreach (var member in body.EnumerateObject())
        {
            if (!Known.Contains(member.Name) && member.Value.ValueKind != JsonValueKind.Null) ignored.Add(ToolsReader.Show(member.Name));
        }

        var request = ReadSettings(body, ignored) with
        {
            Input = new InputReader(bareParts, kept: false, ignored).Read(body),
            IncludeSealedReasoning = ReadInclude(body, ignored),
            Ignored = ignored,
        };
        if (request.Input.Count == 0 && request.PreviousResponseId is null && !mayBeEmpty)
            throw new ResponseRequestException("input is required: a text, or a list of items", "input", "missing_required_parameter");
        return request;
    }

    /// <summary>
    /// Reads items that this side wrote, of whatever length: by <see cref="ResponseWriter.WriteItem"/> or <see
    /// cref="ResponseWriter.WriteKept"/>.
    /// </summary>
    /// <exception cref="ResponseRequestException">They are none.</exception>
    public static IReadOnlyList<ResponseItem> ReadItems(JsonElement items) =>
        new InputReader(bareParts: false, kept: true, null).ReadItems(items);

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
    internal static ResponseRequest ReadSettings(JsonElement body, List<string>? ignored = null)
    {
        var tools = ToolsReader.ReadTools(body, ignored);
        var reasoning = body.Object("reasoning");
        return new ResponseRequest
        {
            Model = body.Text("model", 512),
            PreviousResponseId = body.Text("previous_response_id", 256),
            Instructions = body.Text("instructions", MaxText),
            Tools = tools,
            ToolChoice = ToolsReader.ReadChoice(body, tools, ignored),
            ParallelToolCalls = body.Flag("parallel_tool_calls"),
            Temperature = body.Number("temperature", 0, 2),
            TopP = body.Number("top_p", 0, 1),
            PresencePenalty = body.Number("presence_penalty", -2, 2),
            FrequencyPenalty = body.Number("frequency_penalty", -2, 2),
            TopLogprobs = body.Integer("top_logprobs", 0, 20),
            MaxOutputTokens = body.Integer("max_output_tokens", 16, int.MaxValue),
            MaxToolCalls = body.Integer("max_tool_calls", 1, int.MaxValue),
            ReasoningEffort = ReadEffort(reasoning),
            ReasoningSummary = reasoning?.Word("summary", "reasoning.", "concise", "detailed", "auto", "none") is { } summary and not "none"
                ? summary
                : null,
            Text = ReadText(body),
            Truncation = body.Word("truncation", "", "auto", "disabled"),
            Store = body.Flag("store"),
            Background = body.Flag("background"),
            Stream = body.Flag("stream") ?? false,
            ServiceTier = ReadTier(body, ignored),
            Metadata = ReadMetadata(body),
            SafetyIdentifier = body.Text("safety_identifier", 64),
            PromptCacheKey = body.Text("prompt_cache_key", 64),
            User = body.Text("user", 512),
        };
    }

    /// <summary>What changes the meaning of a request so much that passing it over would be an answer to another one.</summary>
    private static void Refuse(JsonElement body)
    {
        if (body.Member("conversation") is not null)
        {
            throw new ResponseRequestException(
                "conversation is not supported: this server keeps no conversations by id; continue with previous_response_id, or give the items",
                "conversation",
                "unsupported_parameter");
        }

        if (body.Member("prompt") is not null)
            throw new ResponseRequestException(
                "prompt is not supported: this server keeps no prompts; give instructions and input", "prompt", "unsupported_parameter");
    }

    private static bool ReadInclude(JsonElement body, List<string> ignored)
    {
        const string Sealed = "reasoning.encrypted_content";
        if (body.Member("include") is not { } include) return false;
        if (include.ValueKind != JsonValueKind.Array)
            throw new ResponseRequestException("include must be a list of strings", "include", "invalid_type");
        var found = false;
        var index = 0;
        foreach (var entry in include.EnumerateArray())
        {
            var place = $"include[{index++}]";
            var what = entry.String(place);
            if (what == Sealed) found = true;
            else ignored.Add($"{place} ({ToolsReader.Show(what)})");
        }

        return found;
    }

    // The spec has no word below low nor above xhigh.
    private static string? ReadEffort(JsonElement? reasoning) =>
        reasoning?.Word("effort", "reasoning.", "none", "minimal", "low", "medium", "high", "xhigh", "max") switch
        {
            "minimal" => "low",
            "max" => "xhigh",
            var effort => effort,
        };

    private static string? ReadTier(JsonElement body, List<string>? ignored)
    {
        if (body.Text("service_tier", 64) is not { } tier) return null;
        if (tier is "auto" or "default" or "flex" or "priority") return tier;
        ignored?.Add($"service_tier ({ToolsReader.Show(tier)})");
        return null;
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
        const int LongestKey = 64;
        if (body.Object("metadata") is not { } metadata) return null;
        var count = 0;
        foreach (var pair in metadata.EnumerateObject())
        {
            if (++count > Pairs) throw new ResponseRequestException($"metadata may have at most {Pairs} pairs", "metadata");
            if (pair.Name.Length > LongestKey)
                throw new ResponseRequestException(
                    $"a key of metadata may have at most {LongestKey} characters",
                    "metadata." + SoundText.Cut(pair.Name, LongestKey, "…"),
                    "string_too_long");
            if (pair.Value.ValueKind != JsonValueKind.String) throw new ResponseRequestException("the values of metadata must be strings", "metadata." + pair.Name, "invalid_type");
            if (pair.Value.String("metadata." + pair.Name).Length > Longest)
                throw new ResponseRequestException(
                    $"a value of metadata may have at most {Longest} characters", "metadata." + pair.Name, "string_too_long");
        }

        return metadata.Clone();
    }
}
