using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;

namespace ChannelBridge.Abstractions.Endpoints;

/// <summary>One message of a WebSocket.</summary>
/// <param name="Content">Its bytes; UTF-8 where it is text. They are good until the next message is asked for.</param>
/// <param name="IsBinary">True for a binary message.</param>
public readonly record struct SocketMessage(ReadOnlyMemory<byte> Content, bool IsBinary);

/// <summary>How a WebSocket ended.</summary>
/// <param name="Code">The close code; 1006 when the connection broke.</param>
/// <param name="Reason">The reason, or empty.</param>
/// <param name="ByPeer">True when the other side closed it.</param>
public sealed record SocketEnd(int Code, string Reason, bool ByPeer);

/// <summary>The other side of a WebSocket. One reader; anybody may send and close.</summary>
public interface ISocketPeer
{
    /// <summary>Unique in this host's life.</summary>
    string Id { get; }

    /// <summary>The request that opened it.</summary>
    EndpointRequest Request { get; }

    /// <summary>The subprotocol that both speak, or null.</summary>
    string? Subprotocol { get; }

    /// <summary>Who it is; null until that is known.</summary>
    Caller? Caller { get; }

    /// <summary>When it was last heard (UTC): a message or an answer to a ping.</summary>
    DateTimeOffset LastHeardAt { get; }

    /// <summary>Bytes that wait to be read by the other side.</summary>
    long QueuedBytes { get; }

    /// <summary>Signalled once, when the connection has ended or is being closed.</summary>
    CancellationToken Closed { get; }

    /// <summary>How it ended; null while it is open.</summary>
    SocketEnd? End { get; }

    /// <summary>The channel knows who it is: from now on the bounds after authentication hold, and the end of <see cref="Caller.Revoked"/> closes the connection.</summary>
    void Authenticate(Caller caller);

    /// <summary>
    /// Counts a failed attempt to authenticate inside the connection, for its address and for the identity that it named.
    /// </summary>
    /// <param name="identity">Who the attempt claimed to be, or null; never a secret.</param>
    void AuthenticationFailed(string? identity);

    /// <summary>Waits for the next message; null when the connection has ended.</summary>
    ValueTask<SocketMessage?> ReceiveAsync(CancellationToken cancellationToken = default);

    /// <summary>Sends a message and completes when it was flushed or couldn't be. Messages keep the order of the calls. The content is copied at once.</summary>
    ValueTask<PushOutcome> SendAsync(ReadOnlyMemory<byte> content, bool binary = false, CancellationToken cancellationToken = default);

    /// <summary>Closes the connection in order: what waits is sent, then the goodbye. Returns at once.</summary>
    /// <param name="code">1000 to 1014 or 3000 to 4999.</param>
    /// <param name="reason">At most 123 bytes; longer ones are cut.</param>
    void Close(int code = 1000, string reason = "");
}
