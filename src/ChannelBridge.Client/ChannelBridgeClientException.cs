using System.Text.Json.Nodes;

namespace ChannelBridge.Client;

/// <summary>
/// A call or a connection that failed: what the host answered, or what the client itself found. The only exception that the client throws beside
/// <see cref="OperationCanceledException"/>, <see cref="ObjectDisposedException"/> and those for wrong arguments.
/// </summary>
public sealed class ChannelBridgeClientException : Exception
{
    /// <summary>Creates it.</summary>
    /// <param name="code">The host's code, or one of <see cref="ClientErrorCodes"/>.</param>
    /// <param name="message">What is wrong and what to do.</param>
    /// <param name="innerException">The cause, or null.</param>
    public ChannelBridgeClientException(string code, string message, Exception? innerException = null)
        : base(message, innerException) => Code = code;

    /// <summary>The stable code, e.g. <c>BUSY</c>.</summary>
    public string Code { get; }

    /// <summary>
    /// True when the same call may succeed later without a change. After <see cref="ClientErrorCodes.ConnectionLost"/> and
    /// <see cref="ClientErrorCodes.Timeout"/> the host may have done what was asked: repeat only what carries an id that makes repeating safe.
    /// </summary>
    public bool Retryable { get; init; }

    /// <summary>How long to wait before the next try, when the host said so.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>The host's details for programs, or null.</summary>
    public JsonObject? Details { get; init; }
}

/// <summary>The codes of failures that the client finds itself; all others come from the host.</summary>
public static class ClientErrorCodes
{
    /// <summary>The host can't be reached. Retryable.</summary>
    public const string Unreachable = "UNREACHABLE";

    /// <summary>The connection ended before the answer came. Retryable; the host may have done what was asked.</summary>
    public const string ConnectionLost = "CONNECTION_LOST";

    /// <summary>No answer came in time. Retryable; the host may still do what was asked.</summary>
    public const string Timeout = "TIMEOUT";

    /// <summary>Too many calls wait already. Retryable.</summary>
    public const string Busy = "BUSY";

    /// <summary>The message is larger than the host takes. It was not sent.</summary>
    public const string PayloadTooLarge = "PAYLOAD_TOO_LARGE";

    /// <summary>The host refused the token, or there is none.</summary>
    public const string Unauthorized = "UNAUTHORIZED";

    /// <summary>The peer sent an invalid message.</summary>
    public const string ProtocolError = "PROTOCOL_ERROR";

    /// <summary>The token file can't be read.</summary>
    public const string TokenUnreadable = "TOKEN_UNREADABLE";

    /// <summary>The device identity can't be read, or can't sign.</summary>
    public const string IdentityUnusable = "IDENTITY_UNUSABLE";

    /// <summary>The device must be approved first; <c>Details.requestId</c> names its request.</summary>
    public const string PairingRequired = "PAIRING_REQUIRED";
}
