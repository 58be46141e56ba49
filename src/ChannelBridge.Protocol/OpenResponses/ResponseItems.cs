using System.Text.Json;

namespace ChannelBridge.Protocol.OpenResponses;

/// <summary>An item of a conversation: what goes in (<c>ItemParam</c>) and what comes out (<c>ItemField</c>) share these types.</summary>
public abstract record ResponseItem
{
    /// <summary>The item's id; null for input that carries none.</summary>
    public string? Id { get; init; }

    /// <summary><c>in_progress</c>, <c>completed</c>, <c>incomplete</c>; null for input that carries none.</summary>
    public string? Status { get; init; }
}

/// <summary><c>message</c>.</summary>
/// <param name="Role"><c>user</c>, <c>assistant</c>, <c>system</c> or <c>developer</c>.</param>
/// <param name="Content">Its parts; content given as a bare string is one text part.</param>
public sealed record MessageItem(string Role, IReadOnlyList<ContentPart> Content) : ResponseItem
{
    /// <summary><c>commentary</c> or <c>final_answer</c> for a message of the assistant; null when not said, and then absent on the wire.</summary>
    public string? Phase { get; init; }
}

/// <summary><c>function_call</c>: the model wants a function run.</summary>
/// <param name="CallId">By which the output refers to it.</param>
/// <param name="Name">The function.</param>
/// <param name="Arguments">JSON text.</param>
public sealed record FunctionCallItem(string CallId, string Name, string Arguments) : ResponseItem
{
    /// <summary>The namespace of the function, as the client named it; null for a function of its own.</summary>
    public string? Namespace { get; init; }

    /// <summary>True for a call of a custom tool (<c>custom_tool_call</c>): <see cref="Arguments"/> is plain text then, its
    /// <c>input</c>.</summary>
    public bool IsCustom { get; init; }

    /// <summary>
    /// What a provider wants back with the call beside its own members (<c>extra_content</c>, thought signatures): one object whose members
    /// stand at the call; null: nothing.
    /// </summary>
    public JsonElement? Extra { get; init; }
}

/// <summary><c>function_call_output</c>: what the function gave, as text or as parts; exactly one of the two isn't null.</summary>
public sealed record FunctionCallOutputItem(string CallId, string? Text, IReadOnlyList<ContentPart>? Parts = null) : ResponseItem
{
    /// <summary>True for the output of a custom tool (<c>custom_tool_call_output</c>).</summary>
    public bool IsCustom { get; init; }
}

/// <summary><c>reasoning</c>.</summary>
/// <param name="Summary">Parts of type <see cref="SummaryTextPart"/>.</param>
/// <param name="Content">Raw reasoning, or null.</param>
/// <param name="EncryptedContent">Opaque reasoning of the provider, or null.</param>
public sealed record ReasoningItem(
    IReadOnlyList<ContentPart> Summary, IReadOnlyList<ContentPart>? Content = null, string? EncryptedContent = null) : ResponseItem
{
    /// <summary>What a provider wants back with its reasoning (<c>reasoning_details</c>, the field's own name): one object; null: nothing.
    /// Never on the wire.</summary>
    public JsonElement? Extra { get; init; }
}

/// <summary><c>compaction</c>: an opaque stand-in for earlier items.</summary>
public sealed record CompactionItem(string EncryptedContent) : ResponseItem;

/// <summary><c>item_reference</c>: an item that the server has kept, by <see cref="ResponseItem.Id"/>. Input only.</summary>
public sealed record ItemReference : ResponseItem;
