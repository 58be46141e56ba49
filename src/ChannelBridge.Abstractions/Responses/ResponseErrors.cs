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
        BridgeException { Code: ErrorCodes.Busy or ErrorCodes.RateLimited } known => new ResponseError("too_many_requests", known.Message),
        BridgeException known => new ResponseError((string?)known.Details?["code"] ?? known.Code.ToLowerInvariant(), known.Message),
        _ => new ResponseError("server_error", "The host has a fault; its log says more."),
    };

    private static JsonObject Details(string? param, string? code)
    {
        var details = new JsonObject();
        if (param is not null) details["param"] = param;
        if (code is not null) details["code"] = code;
        return details;
    }
}
