using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Abstractions.Responses;

/// <summary>Errors of responses: their <see cref="BridgeException.Details"/> carry <c>param</c> and <c>code</c> as Open Responses clients read them.</summary>
public static class ResponseErrors
{
    /// <summary>The code of a continuation whose response isn't known.</summary>
    public const string PreviousNotFound = "previous_response_not_found";

    /// <summary>The code of a response that its owner has cancelled.</summary>
    public const string Cancelled = "cancelled";

    /// <summary>The code of a response that took too long.</summary>
    public const string Timeout = "timeout";

    /// <summary>The code of a response that the host's end has cut off.</summary>
    public const string Interrupted = "interrupted";

    /// <summary>The code of a response that nobody has read for too long.</summary>
    public const string Abandoned = "abandoned";

    // What OpenAI's clients know: they wait, shorten or give up by it.
    private static readonly HashSet<string> KnownCodes =
    [
        "context_length_exceeded", "insufficient_quota", "rate_limit_exceeded", "invalid_prompt", "content_policy_violation",
        "server_is_overloaded", "slow_down", "model_not_found", "invalid_image", "image_too_large", "unsupported_parameter", "unsupported_value",
    ];

    /// <summary>A request that isn't valid.</summary>
    /// <param name="message">What is wrong and what to do.</param>
    /// <param name="param">The member, or null.</param>
    /// <param name="code">A stable code, or null.</param>
    public static BridgeException Invalid(string message, string? param, string? code = null) =>
        new(ErrorCodes.InvalidRequest, message) { Details = Details(param, code) };

    /// <summary>The same of what the reader found.</summary>
    public static BridgeException Invalid(ResponseRequestException fault)
    {
        ArgumentNullException.ThrowIfNull(fault);
        return Invalid(fault.Message, fault.Param, fault.Code);
    }

    /// <summary>Something that was named isn't there, or is another owner's.</summary>
    public static BridgeException NotFound(string message, string? param, string? code = null) =>
        new(ErrorCodes.NotFound, message) { Details = Details(param, code) };

    /// <summary>The error of a failed response for an exception.</summary>
    public static ResponseError Of(Exception fault) => fault switch
    {
        BridgeException { Code: ErrorCodes.Internal } => new ResponseError("server_error", "The host has a fault; its log says more."),
        BridgeException { Code: ErrorCodes.Busy or ErrorCodes.RateLimited } known =>
            new ResponseError("too_many_requests", known.Message) { Status = 429, RetryAfter = known.RetryAfter, Retryable = true },
        BridgeException { Code: ErrorCodes.Unavailable } known =>
            new ResponseError("unavailable", known.Message) { Status = 503, RetryAfter = known.RetryAfter, Retryable = known.Retryable },
        BridgeException known => OfAgent(known),
        _ => new ResponseError("server_error", "The host has a fault; its log says more."),
    };

    /// <summary>An agent's failure. What its provider said by a status and a code keeps its meaning; a key that the provider refused isn't
    /// the client's.</summary>
    private static ResponseError OfAgent(BridgeException known)
    {
        var status = known.Details?["status"] is JsonValue value && value.TryGetValue<int>(out var number) ? number : (int?)null;
        var told = (string?)known.Details?["providerCode"];
        var code = (string?)known.Details?["code"]
            ?? (told is not null && KnownCodes.Contains(told) ? told
                : status == 429 ? "rate_limit_exceeded"
                : known.Code.ToLowerInvariant());
        return new ResponseError(code, known.Message)
        {
            Status = status switch
            {
                401 or 403 or 407 => 403,
                >= 400 and < 500 or 503 => status,
                _ => null,
            },
            RetryAfter = known.RetryAfter,
            Retryable = known.Retryable,
        };
    }

    private static JsonObject Details(string? param, string? code)
    {
        var details = new JsonObject();
        if (param is not null) details["param"] = param;
        if (code is not null) details["code"] = code;
        return details;
    }
}
