using System.Text.Json;

namespace ChannelBridge.A2A;

/// <summary>A task's state, since when, and what the agent says about it.</summary>
public sealed record A2ATaskStatus
{
    /// <summary>The state.</summary>
    public TaskState State { get; init; }

    /// <summary>What the agent says about it.</summary>
    public A2AMessage? Message { get; init; }

    /// <summary>Since when.</summary>
    public DateTimeOffset? Timestamp { get; init; }
}

/// <summary>A task: what a message has become, with what was said and made.</summary>
public sealed record A2ATask
{
    /// <summary>Its id, given by the server.</summary>
    public string Id { get; init => field = value ?? ""; } = "";

    /// <summary>The conversation.</summary>
    public string ContextId { get; init => field = value ?? ""; } = "";

    /// <summary>How it stands.</summary>
    public A2ATaskStatus Status { get; init => field = value ?? new(); } = new();

    /// <summary>What it has made; null where it wasn't asked for.</summary>
    public IReadOnlyList<A2AArtifact>? Artifacts { get; init; }

    /// <summary>What was said, oldest first.</summary>
    public IReadOnlyList<A2AMessage>? History { get; init; }

    /// <summary>Whatever else the agent says of it: a JSON object.</summary>
    public JsonElement? Metadata { get; init; }
}
