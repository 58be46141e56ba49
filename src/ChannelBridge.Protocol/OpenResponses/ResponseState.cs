namespace ChannelBridge.Protocol.OpenResponses;

/// <summary>What a response cost.</summary>
/// <param name="InputTokens">Tokens of the input.</param>
/// <param name="OutputTokens">Tokens of the output, reasoning included.</param>
/// <param name="CachedTokens">Those of the input that a cache served.</param>
/// <param name="ReasoningTokens">Those of the output that were reasoning.</param>
public sealed record ResponseUsage(long InputTokens, long OutputTokens, long CachedTokens = 0, long ReasoningTokens = 0);

/// <summary>Why a response failed.</summary>
/// <param name="Code">A stable code, e.g. <c>timeout</c>, <c>cancelled</c>, <c>server_error</c>.</param>
/// <param name="Message">For people.</param>
public sealed record ResponseError(string Code, string Message)
{
    /// <summary>The HTTP status that says the same, or null. Not on the wire.</summary>
    public int? Status { get; init; }

    /// <summary>When it is worth trying again, or null. Not on the wire.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether trying again may help at all; null: nobody knows. Not on the wire.</summary>
    public bool? Retryable { get; init; }
}

/// <summary>What a response is at one moment: the source of its snapshot (<c>ResponseResource</c>).</summary>
/// <param name="Id">The id, <c>resp_…</c>.</param>
/// <param name="Model">The model as the client is told it.</param>
/// <param name="CreatedAt">When it was made (Unix seconds).</param>
/// <param name="Request">What was asked; its settings are repeated in the snapshot.</param>
public sealed record ResponseState(string Id, string Model, long CreatedAt, ResponseRequest Request)
{
    /// <summary><c>queued</c>, <c>in_progress</c>, <c>completed</c>, <c>incomplete</c> or <c>failed</c>.</summary>
    public string Status { get; init; } = ResponseStatus.InProgress;

    /// <summary>When it was completed (Unix seconds), or null.</summary>
    public long? CompletedAt { get; init; }

    /// <summary>Why it is incomplete, e.g. <c>max_output_tokens</c>, or null.</summary>
    public string? IncompleteReason { get; init; }

    /// <summary>Why it failed, or null.</summary>
    public ResponseError? Error { get; init; }

    /// <summary>The items so far that are done.</summary>
    public IReadOnlyList<ResponseItem> Output { get; init; } = [];

    /// <summary>What it cost, or null while or where nobody knows.</summary>
    public ResponseUsage? Usage { get; init; }
}

/// <summary>The words of <c>status</c>.</summary>
public static class ResponseStatus
{
    /// <summary>Waits for its turn.</summary>
    public const string Queued = "queued";

    /// <summary>Runs; of an item: it grows.</summary>
    public const string InProgress = "in_progress";

    /// <summary>Has come to its end.</summary>
    public const string Completed = "completed";

    /// <summary>Was cut off.</summary>
    public const string Incomplete = "incomplete";

    /// <summary>Has failed.</summary>
    public const string Failed = "failed";
}
