using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChannelBridge.A2A;

/// <summary>How a send is to be answered.</summary>
public sealed record SendConfiguration
{
    /// <summary>The media types that the client understands.</summary>
    public IReadOnlyList<string>? AcceptedOutputModes { get; init; }

    /// <summary>Where to tell the client of the task's changes.</summary>
    public PushConfig? TaskPushNotificationConfig { get; init; }

    /// <summary>How many messages of the history the answer holds at most; null means all of them.</summary>
    public int? HistoryLength { get; init; }

    /// <summary>True to be answered at once; else when the task has ended or waits for the client.</summary>
    public bool ReturnImmediately { get; init; }
}

/// <summary>Sends a message, to be answered or streamed.</summary>
public sealed record SendRequest
{
    /// <summary>Which of the server's agents; null for its usual one.</summary>
    public string? Tenant { get; init; }

    /// <summary>The message.</summary>
    public A2AMessage Message { get; init => field = value ?? new(); } = new();

    /// <summary>How it is to be answered.</summary>
    public SendConfiguration? Configuration { get; init; }

    /// <summary>Whatever else the client says: a JSON object.</summary>
    public JsonElement? Metadata { get; init; }
}

/// <summary>Asks for a task.</summary>
public sealed record GetTaskRequest
{
    /// <summary>Which of the server's agents; null for its usual one.</summary>
    public string? Tenant { get; init; }

    /// <summary>The task.</summary>
    public string Id { get; init => field = value ?? ""; } = "";

    /// <summary>How many messages of the history the answer holds at most; null means all of them.</summary>
    public int? HistoryLength { get; init; }
}

/// <summary>Asks for the client's tasks, the one that changed last first.</summary>
public sealed record ListTasksRequest
{
    /// <summary>Which of the server's agents; null for its usual one.</summary>
    public string? Tenant { get; init; }

    /// <summary>Only of this conversation.</summary>
    public string? ContextId { get; init; }

    /// <summary>Only in this state.</summary>
    public TaskState Status { get; init; }

    /// <summary>How many, 1 to 100.</summary>
    public int? PageSize { get; init; }

    /// <summary>Where to go on: the last answer's <see cref="ListTasksResult.NextPageToken"/>.</summary>
    public string? PageToken { get; init; }

    /// <summary>How many messages of the history each task holds at most.</summary>
    public int? HistoryLength { get; init; }

    /// <summary>Only those that have changed at this time or later.</summary>
    public DateTimeOffset? StatusTimestampAfter { get; init; }

    /// <summary>True to have the artifacts, too.</summary>
    public bool? IncludeArtifacts { get; init; }
}

/// <summary>A page of tasks.</summary>
public sealed record ListTasksResult
{
    /// <summary>The tasks.</summary>
    public IReadOnlyList<A2ATask> Tasks { get; init => field = value ?? []; } = [];

    /// <summary>Where to go on, or empty at the end.</summary>
    public string NextPageToken { get; init => field = value ?? ""; } = "";

    /// <summary>The size of the page that was asked for.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public int PageSize { get; init; }

    /// <summary>How many tasks there are in all.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public int TotalSize { get; init; }
}

/// <summary>Asks for a task to be cancelled.</summary>
public sealed record CancelTaskRequest
{
    /// <summary>Which of the server's agents; null for its usual one.</summary>
    public string? Tenant { get; init; }

    /// <summary>The task.</summary>
    public string Id { get; init => field = value ?? ""; } = "";

    /// <summary>Whatever else the client says: a JSON object.</summary>
    public JsonElement? Metadata { get; init; }
}

/// <summary>Asks to be told of a task's further events.</summary>
public sealed record SubscribeRequest
{
    /// <summary>Which of the server's agents; null for its usual one.</summary>
    public string? Tenant { get; init; }

    /// <summary>The task.</summary>
    public string Id { get; init => field = value ?? ""; } = "";
}

/// <summary>Asks for the card that only those who are known see.</summary>
public sealed record ExtendedCardRequest
{
    /// <summary>Which of the server's agents; null for its usual one.</summary>
    public string? Tenant { get; init; }
}
