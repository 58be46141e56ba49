namespace ChannelBridge.A2A;

/// <summary>What went wrong, so that a program can tell.</summary>
public enum A2AFault
{
    /// <summary>The other side has answered with an error of the protocol: see <see cref="A2AException.Error"/>.</summary>
    Protocol,

    /// <summary>No connection came about, or it broke before an answer had begun.</summary>
    Unreachable,

    /// <summary>No connection came about in time.</summary>
    ConnectTimeout,

    /// <summary>No answer had begun in time.</summary>
    FirstAnswerTimeout,

    /// <summary>An answer had begun, and nothing more came for too long.</summary>
    SilenceTimeout,

    /// <summary>The whole took too long.</summary>
    TotalTimeout,

    /// <summary>The answer, an event or a stream is larger than is taken.</summary>
    TooLarge,

    /// <summary>The answer makes no sense.</summary>
    BadAnswer,

    /// <summary>A stream ended before its task had.</summary>
    StreamBroken,

    /// <summary>The card can't be had or makes no sense.</summary>
    NoCard,

    /// <summary>The card names no interface that is spoken here or may be called.</summary>
    NoInterface,

    /// <summary>The address may not be called.</summary>
    AddressRefused,

    /// <summary>The peer has failed often and is left alone for a while.</summary>
    Resting,

    /// <summary>The peer says that it is asked too often.</summary>
    RateLimited,

    /// <summary>The peer doesn't know the caller, or doesn't let it.</summary>
    Refused,

    /// <summary>The peer's own fault: an HTTP status of 500 or more.</summary>
    PeerFailed,
}

/// <summary>An error of A2A, on either side.</summary>
public sealed class A2AException : Exception
{
    /// <summary>Creates an error of the protocol.</summary>
    /// <param name="error">Which.</param>
    /// <param name="message">What is wrong and what to do, or null for the usual words.</param>
    public A2AException(A2AError error, string? message = null)
        : base(message ?? error.DefaultMessage) => Error = error;

    /// <summary>Creates another error.</summary>
    /// <param name="fault">What went wrong.</param>
    /// <param name="message">What is wrong and what to do; no secrets.</param>
    /// <param name="innerException">The cause.</param>
    public A2AException(A2AFault fault, string message, Exception? innerException = null)
        : base(message, innerException) => Fault = fault;

    /// <summary>What went wrong.</summary>
    public A2AFault Fault { get; }

    /// <summary>The error of the protocol, where there is one.</summary>
    public A2AError? Error { get; }

    /// <summary>The number that the peer gave, where it is none of the protocol's.</summary>
    public int? ForeignCode { get; init; }

    /// <summary>The HTTP status, where there is one.</summary>
    public int? HttpStatus { get; init; }

    /// <summary>A stable code of the server's own, beside the protocol's: <c>BUSY</c>, <c>STORE_FULL</c>.</summary>
    public string? Code { get; init; }

    /// <summary>True when the same request may succeed later without a change.</summary>
    public bool Retryable { get; init; }

    /// <summary>How long to wait before the next try, when known.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
