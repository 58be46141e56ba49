using System.Text.Json.Nodes;

namespace ChannelBridge.Abstractions.Errors;

/// <summary>
/// An error that is part of the interface: a stable code, a message that says what to do, and whether and when to try again.
/// Thrown by methods, channels and the store; every door renders it in its own dialect.
/// </summary>
public class BridgeException : Exception
{
    /// <summary>Creates an error.</summary>
    /// <param name="code">One of <see cref="ErrorCodes"/>, or a channel's own documented code.</param>
    /// <param name="message">What is wrong and what to do, fit for the caller's eyes: no secrets, no payload.</param>
    /// <param name="innerException">The cause, for the log only.</param>
    public BridgeException(string code, string message, Exception? innerException = null)
        : base(message, innerException) => Code = code;

    /// <summary>The stable code.</summary>
    public string Code { get; }

    /// <summary>True when the same request may succeed later without a change.</summary>
    public bool Retryable { get; init; }

    /// <summary>How long to wait before the next try, when known.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Structured details for programs (never secrets), or null.</summary>
    public JsonObject? Details { get; init; }

    /// <summary>
    /// The text that old clients of a channel read in <c>payload.error</c> (bncr), where it differs from the message; null means none.
    /// </summary>
    public string? LegacyText { get; init; }

    /// <summary>A malformed request.</summary>
    public static BridgeException Invalid(string message, string? legacyText = null) =>
        new(ErrorCodes.InvalidRequest, message) { LegacyText = legacyText };

    /// <summary>A bound was reached before anything was written.</summary>
    public static BridgeException Busy(string message, TimeSpan retryAfter) =>
        new(ErrorCodes.Busy, message) { Retryable = true, RetryAfter = retryAfter };

    /// <summary>The serving part is away.</summary>
    public static BridgeException Unavailable(string message, TimeSpan? retryAfter = null) =>
        new(ErrorCodes.Unavailable, message) { Retryable = true, RetryAfter = retryAfter };
}
