using System.Text.Json;

namespace ChannelBridge.A2A;

/// <summary>One message between a client and an agent.</summary>
public sealed record A2AMessage
{
    // Members with a usual value put it back themselves: the generated reader sets what isn't there to null.

    /// <summary>The sender's id of it. A repeated send has the same one.</summary>
    public string MessageId { get; init => field = value ?? ""; } = "";

    /// <summary>The conversation.</summary>
    public string? ContextId { get; init; }

    /// <summary>The task that it belongs to or continues.</summary>
    public string? TaskId { get; init; }

    /// <summary>Who wrote it.</summary>
    public MessageRole Role { get; init; }

    /// <summary>What it says.</summary>
    public IReadOnlyList<A2APart> Parts { get; init => field = value ?? []; } = [];

    /// <summary>Whatever else the sender says: a JSON object.</summary>
    public JsonElement? Metadata { get; init; }

    /// <summary>The extensions that took part in it.</summary>
    public IReadOnlyList<string>? Extensions { get; init; }

    /// <summary>Other tasks that it speaks of.</summary>
    public IReadOnlyList<string>? ReferenceTaskIds { get; init; }
}
