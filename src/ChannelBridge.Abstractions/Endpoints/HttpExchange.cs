using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Abstractions.Endpoints;

/// <summary>
/// One request and its answer. The handler's token is signalled when the client has left, the caller's token was revoked, or the host stops: nothing that is
/// written then arrives.
/// </summary>
public abstract class HttpExchange
{
    /// <summary>The request.</summary>
    public abstract EndpointRequest Request { get; }

    /// <summary>Who asks; null at an anonymous endpoint.</summary>
    public abstract Caller? Caller { get; }

    /// <summary>True when an answer has begun.</summary>
    public abstract bool HasAnswered { get; }

    /// <summary>
    /// Reads the whole body, once; later calls give the same. It is the exchange's, and gone when the handler has ended. It is bounded by
    /// <see cref="HttpEndpoint.MaxBodyBytes"/>, by the host's memory for messages and in time.
    /// </summary>
    /// <exception cref="Errors.BridgeException"><c>PAYLOAD_TOO_LARGE</c>, <c>BUSY</c>, or <c>INVALID_REQUEST</c>: too slow, or no JSON where JSON is wanted.</exception>
    public abstract ValueTask<ReadOnlyMemory<byte>> ReadBodyAsync(CancellationToken cancellationToken = default);

    /// <summary>Answers, once.</summary>
    public abstract ValueTask AnswerAsync(HttpAnswer answer, CancellationToken cancellationToken = default);

    /// <summary>Begins an event stream as the answer. It ends with the handler.</summary>
    public abstract ValueTask<IEventWriter> BeginEventsAsync(EventStreamStart? start = null, CancellationToken cancellationToken = default);
}
