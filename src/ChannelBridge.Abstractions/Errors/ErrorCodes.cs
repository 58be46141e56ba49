namespace ChannelBridge.Abstractions.Errors;

/// <summary>
/// The stable error codes of the product. The same code stands in an OpenClaw frame's <c>error.code</c> and in a JSON-RPC error's
/// <c>data.code</c>. A code never changes its meaning.
/// </summary>
public static class ErrorCodes
{
    /// <summary>The request is malformed or a parameter is missing, of the wrong type, or out of range. Not retryable as it is.</summary>
    public const string InvalidRequest = "INVALID_REQUEST";

    /// <summary>The caller is not authenticated on this connection.</summary>
    public const string Unauthorized = "UNAUTHORIZED";

    /// <summary>The caller's token lacks the scope, account or ownership that the request needs.</summary>
    public const string Forbidden = "FORBIDDEN";

    /// <summary>The thing that was named doesn't exist.</summary>
    public const string NotFound = "NOT_FOUND";

    /// <summary>The request disagrees with the current state, for example a stale lease or a repeated id with other content.</summary>
    public const string Conflict = "CONFLICT";

    /// <summary>Another host owns the lane or the account's pushes now; nothing was written. It does what is to be done.</summary>
    public const string ClaimLost = "CLAIM_LOST";

    /// <summary>A message, field or batch is larger than the announced limit. Nothing was changed.</summary>
    public const string PayloadTooLarge = "PAYLOAD_TOO_LARGE";

    /// <summary>A quota of files (bytes or count, of the account or in total) is used up. Nothing was changed; retryable once room is made.</summary>
    public const string QuotaExceeded = "QUOTA_EXCEEDED";

    /// <summary>A queue is at its bound. Nothing was written; try again after <c>retryAfterMs</c>.</summary>
    public const string Busy = "BUSY";

    /// <summary>The caller sends faster than its limit allows; try again after <c>retryAfterMs</c>.</summary>
    public const string RateLimited = "RATE_LIMITED";

    /// <summary>The part that would serve the request is away (gateway link, agent, stopping host). Retryable.</summary>
    public const string Unavailable = "UNAVAILABLE";

    /// <summary>The request was cancelled by its sender.</summary>
    public const string Cancelled = "CANCELLED";

    /// <summary>A time-out passed before an answer came.</summary>
    public const string Timeout = "TIMEOUT";

    /// <summary>The store can't be opened or written. Nothing was acknowledged. Retryable.</summary>
    public const string StoreUnavailable = "STORE_UNAVAILABLE";

    /// <summary>The disk or the store's quota is full. Nothing was acknowledged. Retryable once space is made.</summary>
    public const string StoreFull = "STORE_FULL";

    /// <summary>The store is read-only. Nothing was acknowledged.</summary>
    public const string StoreReadOnly = "STORE_READ_ONLY";

    /// <summary>The store's file is damaged. Nothing was acknowledged.</summary>
    public const string StoreCorrupt = "STORE_CORRUPT";

    /// <summary>An agent ended its turn without an answer, and without saying that it has none; the reason of a dead letter.</summary>
    public const string EmptyAnswer = "EMPTY_ANSWER";

    /// <summary>An internal error that the request did not cause; the log has it under the given reference.</summary>
    public const string Internal = "INTERNAL";
}
