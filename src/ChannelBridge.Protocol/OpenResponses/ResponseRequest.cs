using System.Text.Json;

namespace ChannelBridge.Protocol.OpenResponses;

/// <summary>What a client asks of a model (<c>CreateResponseBody</c>). Null means: not said, the default of the spec or of the agent applies.</summary>
public sealed record ResponseRequest
{
    /// <summary>The model or agent by name.</summary>
    public string? Model { get; init; }

    /// <summary>The items of the input, oldest first. A bare string on the wire is one user message.</summary>
    public IReadOnlyList<ResponseItem> Input { get; init; } = [];

    /// <summary>The response that this one continues.</summary>
    public string? PreviousResponseId { get; init; }

    /// <summary>What the model is told before the conversation.</summary>
    public string? Instructions { get; init; }

    /// <summary>The functions that the model may call.</summary>
    public IReadOnlyList<FunctionTool> Tools { get; init; } = [];

    /// <summary>Which of them it may or must call.</summary>
    public ToolChoice ToolChoice { get; init; } = ToolChoice.Auto;

    /// <summary>Whether several calls may be made at once.</summary>
    public bool? ParallelToolCalls { get; init; }

    /// <summary>Sampling temperature, 0 to 2.</summary>
    public double? Temperature { get; init; }

    /// <summary>Nucleus sampling, 0 to 1.</summary>
    public double? TopP { get; init; }

    /// <summary>−2 to 2.</summary>
    public double? PresencePenalty { get; init; }

    /// <summary>−2 to 2.</summary>
    public double? FrequencyPenalty { get; init; }

    /// <summary>How many alternatives per token are told, 0 to 20.</summary>
    public int? TopLogprobs { get; init; }

    /// <summary>Most tokens of the output, at least 16.</summary>
    public int? MaxOutputTokens { get; init; }

    /// <summary>Most calls of tools.</summary>
    public int? MaxToolCalls { get; init; }

    /// <summary><c>none</c>, <c>low</c>, <c>medium</c>, <c>high</c>, <c>xhigh</c>.</summary>
    public string? ReasoningEffort { get; init; }

    /// <summary><c>concise</c>, <c>detailed</c>, <c>auto</c>.</summary>
    public string? ReasoningSummary { get; init; }

    /// <summary>The <c>text</c> object as it is on the wire (<c>format</c>, <c>verbosity</c>).</summary>
    public JsonElement? Text { get; init; }

    /// <summary><c>auto</c> or <c>disabled</c>.</summary>
    public string? Truncation { get; init; }

    /// <summary>Whether the response is kept for <c>previous_response_id</c>.</summary>
    public bool? Store { get; init; }

    /// <summary>Whether the client doesn't wait for it.</summary>
    public bool? Background { get; init; }

    /// <summary>Whether the events are streamed.</summary>
    public bool Stream { get; init; }

    /// <summary>Asked-for service tier.</summary>
    public string? ServiceTier { get; init; }

    /// <summary>Up to 16 pairs, as they are on the wire.</summary>
    public JsonElement? Metadata { get; init; }

    /// <summary>A stable name of the end user for the provider.</summary>
    public string? SafetyIdentifier { get; init; }

    /// <summary>A key for the provider's prompt cache.</summary>
    public string? PromptCacheKey { get; init; }

    /// <summary>True when sealed reasoning is to be given (<c>include: ["reasoning.encrypted_content"]</c>), so that the client can keep
    /// the conversation itself.</summary>
    public bool IncludeSealedReasoning { get; init; }

    /// <summary>What the request has that this server passes over, by place (<c>tools[1] (web_search)</c>): the client is told. Empty when
    /// everything counts.</summary>
    public IReadOnlyList<string> Ignored { get; init; } = [];

    /// <summary>OpenAI's older name for the end user; OpenClaw derives its session from it. Not a field of the spec.</summary>
    public string? User { get; init; }
}

/// <summary>A function that the model may call.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it does, or null.</param>
/// <param name="Parameters">JSON Schema, or null.</param>
/// <param name="Strict">Whether arguments must follow the schema, or null.</param>
public sealed record FunctionTool(string Name, string? Description, JsonElement? Parameters, bool? Strict)
{
    /// <summary>The name that the client knows, when the agent is offered another one because two would be the same.</summary>
    public string? OwnName { get; init; }

    /// <summary>The namespace that the client put it into, or null.</summary>
    public string? Namespace { get; init; }

    /// <summary>What the namespace is for, or null.</summary>
    public string? NamespaceDescription { get; init; }

    /// <summary>True for a custom tool, which takes plain text: the agent is offered a function with one text, <c>input</c>.</summary>
    public bool IsCustom => Source is not null;

    /// <summary>A custom tool as the client gave it; null for a function.</summary>
    public JsonElement? Source { get; init; }
}

/// <summary>Which tools a model may or must call.</summary>
/// <param name="Mode"><c>auto</c>, <c>required</c> or <c>none</c>; for a specific function <c>required</c>.</param>
/// <param name="Function">The one function that must be called, or null.</param>
/// <param name="AllowedTools">The functions that may be called, a hard constraint; null for all.</param>
public sealed record ToolChoice(string Mode, string? Function = null, IReadOnlyList<string>? AllowedTools = null)
{
    /// <summary>The model decides.</summary>
    public static ToolChoice Auto { get; } = new("auto");
}
