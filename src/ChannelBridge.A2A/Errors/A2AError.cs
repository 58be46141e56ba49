namespace ChannelBridge.A2A;

/// <summary>An error of the protocol: its number over JSON-RPC, and how it looks over plain HTTP.</summary>
/// <param name="Code">The number over JSON-RPC.</param>
/// <param name="Reason">The word by which 1.0 names it.</param>
/// <param name="HttpStatus">The status over plain HTTP.</param>
/// <param name="Status">The word beside that status.</param>
/// <param name="DefaultMessage">What to say when there is nothing better.</param>
public sealed record A2AError(int Code, string Reason, int HttpStatus, string Status, string DefaultMessage)
{
    /// <summary>The body is no JSON.</summary>
    public static A2AError Parse { get; } = new(-32700, "PARSE_ERROR", 400, "INVALID_ARGUMENT", "The body is not JSON.");

    /// <summary>The body is JSON and no request.</summary>
    public static A2AError InvalidRequest { get; } = new(
        -32600, "INVALID_REQUEST", 400, "INVALID_ARGUMENT", "The body is not a JSON-RPC 2.0 request.");

    /// <summary>There is no such method.</summary>
    public static A2AError MethodNotFound { get; } = new(-32601, "METHOD_NOT_FOUND", 404, "NOT_FOUND", "There is no such method.");

    /// <summary>A parameter is missing, of the wrong type or out of range.</summary>
    public static A2AError InvalidParams { get; } = new(
        -32602, "INVALID_PARAMS", 400, "INVALID_ARGUMENT", "A parameter is missing or wrong.");

    /// <summary>A fault of the server.</summary>
    public static A2AError Internal { get; } = new(-32603, "INTERNAL_ERROR", 500, "INTERNAL", "The server has failed.");

    /// <summary>There is no such task, or it isn't the caller's.</summary>
    public static A2AError TaskNotFound { get; } = new(-32001, "TASK_NOT_FOUND", 404, "NOT_FOUND", "There is no such task.");

    /// <summary>The task has ended.</summary>
    public static A2AError TaskNotCancelable { get; } =
        new(-32002, "TASK_NOT_CANCELABLE", 400, "FAILED_PRECONDITION", "The task has ended and can't be cancelled.");

    /// <summary>The agent sends no push notifications.</summary>
    public static A2AError PushNotSupported { get; } =
        new(-32003, "PUSH_NOTIFICATION_NOT_SUPPORTED", 400, "FAILED_PRECONDITION", "The agent sends no push notifications.");

    /// <summary>The agent doesn't do that, or not with this task.</summary>
    public static A2AError UnsupportedOperation { get; } =
        new(-32004, "UNSUPPORTED_OPERATION", 400, "FAILED_PRECONDITION", "The agent doesn't do that.");

    /// <summary>The content isn't of a type that the agent takes.</summary>
    public static A2AError ContentTypeNotSupported { get; } =
        new(-32005, "CONTENT_TYPE_NOT_SUPPORTED", 400, "INVALID_ARGUMENT", "The content is of a type that isn't taken.");

    /// <summary>The agent has answered with something that is no answer.</summary>
    public static A2AError InvalidAgentResponse { get; } = new(
        -32006, "INVALID_AGENT_RESPONSE", 500, "INTERNAL", "The agent's answer makes no sense.");

    /// <summary>There is no extended card.</summary>
    public static A2AError ExtendedCardNotConfigured { get; } =
        new(-32007, "EXTENDED_AGENT_CARD_NOT_CONFIGURED", 400, "FAILED_PRECONDITION", "The agent has no extended card.");

    /// <summary>The client doesn't know an extension that it has to.</summary>
    public static A2AError ExtensionSupportRequired { get; } =
        new(-32008, "EXTENSION_SUPPORT_REQUIRED", 400, "FAILED_PRECONDITION", "The agent needs an extension that the client didn't name.");

    /// <summary>The server doesn't speak the version.</summary>
    public static A2AError VersionNotSupported { get; } =
        new(-32009, "VERSION_NOT_SUPPORTED", 400, "FAILED_PRECONDITION", "The version is not spoken here.");

    /// <summary>Every error of the protocol.</summary>
    public static IReadOnlyList<A2AError> All { get; } =
    [
        Parse, InvalidRequest, MethodNotFound, InvalidParams, Internal, TaskNotFound, TaskNotCancelable, PushNotSupported,
        UnsupportedOperation, ContentTypeNotSupported, InvalidAgentResponse, ExtendedCardNotConfigured, ExtensionSupportRequired,
        VersionNotSupported,
    ];

    /// <summary>True for those that the protocol adds to JSON-RPC's own.</summary>
    public bool IsOfProtocol => Code is <= -32001 and >= -32009;

    /// <summary>The error with a number, or null.</summary>
    public static A2AError? Of(int code)
    {
        foreach (var error in All)
        {
            if (error.Code == code) return error;
        }

        return null;
    }

    /// <summary>The error with a reason, or null.</summary>
    public static A2AError? Of(string reason)
    {
        foreach (var error in All)
        {
            if (error.Reason == reason) return error;
        }

        return null;
    }
}
