using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Abstractions.Connections;

/// <summary>
/// The other direction of a JSON-RPC connection: calls from the host to its peer. A <see cref="IClientConnection"/> that came in over JSON-RPC
/// (Unix socket, named pipe, stdio, <c>/rpc</c>) implements it too; test with <c>is IRpcPeer</c>. The OpenClaw dialect has no such calls.
/// </summary>
public interface IRpcPeer
{
    /// <summary>
    /// Sends a request and waits for its answer. Calls run concurrently; they are written in the order of the calls. Cancelling tells the peer
    /// with <c>$/cancelRequest</c> and stops waiting.
    /// </summary>
    /// <param name="method">The method's name on the wire.</param>
    /// <param name="parameters">One JSON object, UTF-8; empty means <c>{}</c>. Read before the call returns its task.</param>
    /// <param name="cancellationToken">Gives up; the peer may still act on the request.</param>
    /// <returns>The result, one JSON value in UTF-8, owned by the caller.</returns>
    /// <exception cref="BridgeException">
    /// The peer's own error: its <c>data.code</c> where it has one, with <c>retryable</c>, <c>retryAfterMs</c> and <c>details</c>;
    /// <see cref="ErrorCodes.NotFound"/> for -32601, <see cref="ErrorCodes.InvalidRequest"/> for the other standard codes.
    /// <see cref="ErrorCodes.Unavailable"/> (retryable) when the connection is closed or closes before the answer came,
    /// <see cref="ErrorCodes.Busy"/> when its outgoing buffer or its table of open calls is full.
    /// </exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was signalled.</exception>
    ValueTask<ReadOnlyMemory<byte>> InvokeAsync(
        string method, ReadOnlyMemory<byte> parameters, CancellationToken cancellationToken = default);

    /// <summary>
    /// Like the other one, with bytes beside the parameters: one binary message, whose header is the request. Only for peers that have said that they take
    /// it. Both are copied before the call returns its task.
    /// </summary>
    /// <param name="method">The method's name on the wire.</param>
    /// <param name="parameters">One JSON object, UTF-8; empty means <c>{}</c>.</param>
    /// <param name="content">What the call is about.</param>
    /// <param name="cancellationToken">Gives up; the peer may still act on the request.</param>
    ValueTask<ReadOnlyMemory<byte>> InvokeAsync(
        string method, ReadOnlyMemory<byte> parameters, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default);

    /// <summary>Sends a notification; like <see cref="IClientConnection.PushAsync"/> it completes after the flush and never throws for a closed peer.</summary>
    /// <param name="method">The method's name on the wire.</param>
    /// <param name="parameters">One JSON object, UTF-8; empty means <c>{}</c>.</param>
    /// <param name="cancellationToken">Stops waiting for the flush; the notification may still be sent.</param>
    ValueTask<PushOutcome> NotifyAsync(string method, ReadOnlyMemory<byte> parameters, CancellationToken cancellationToken = default);
}
