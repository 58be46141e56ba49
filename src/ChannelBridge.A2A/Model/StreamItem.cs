using System.Text.Json;

namespace ChannelBridge.A2A;

/// <summary>A task has changed its state.</summary>
public sealed record TaskStatusUpdate
{
    /// <summary>The task.</summary>
    public string TaskId { get; init => field = value ?? ""; } = "";

    /// <summary>Its conversation.</summary>
    public string ContextId { get; init => field = value ?? ""; } = "";

    /// <summary>Its new state.</summary>
    public A2ATaskStatus Status { get; init => field = value ?? new(); } = new();

    /// <summary>Whatever else the agent says: a JSON object.</summary>
    public JsonElement? Metadata { get; init; }
}

/// <summary>A task has made something, or more of it.</summary>
public sealed record TaskArtifactUpdate
{
    /// <summary>The task.</summary>
    public string TaskId { get; init => field = value ?? ""; } = "";

    /// <summary>Its conversation.</summary>
    public string ContextId { get; init => field = value ?? ""; } = "";

    /// <summary>The artifact, or what is added to the one with its id.</summary>
    public A2AArtifact Artifact { get; init => field = value ?? new(); } = new();

    /// <summary>True when the parts are added to those that are there.</summary>
    public bool Append { get; init; }

    /// <summary>True when nothing more of this artifact comes.</summary>
    public bool LastChunk { get; init; }

    /// <summary>Whatever else the agent says: a JSON object.</summary>
    public JsonElement? Metadata { get; init; }
}

/// <summary>One event of a stream, or the body of a push notification: exactly one of its members is there.</summary>
public sealed record StreamItem
{
    /// <summary>A task as it is: the first event of a stream, unless the agent answers with a message.</summary>
    public A2ATask? Task { get; init; }

    /// <summary>A direct answer; nothing comes after it.</summary>
    public A2AMessage? Message { get; init; }

    /// <summary>A change of state.</summary>
    public TaskStatusUpdate? StatusUpdate { get; init; }

    /// <summary>An artifact, or more of one.</summary>
    public TaskArtifactUpdate? ArtifactUpdate { get; init; }
}

/// <summary>The answer to a send: a task or a message.</summary>
public sealed record SendResult
{
    /// <summary>The task that the message has become or has continued.</summary>
    public A2ATask? Task { get; init; }

    /// <summary>A direct answer, without a task.</summary>
    public A2AMessage? Message { get; init; }
}
