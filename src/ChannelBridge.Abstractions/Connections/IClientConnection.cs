using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Abstractions.Connections;

/// <summary>What became of a pushed event.</summary>
public enum PushOutcome
{
    /// <summary>Written and flushed to a connection that is open.</summary>
    Flushed,

    /// <summary>The connection is closed; nothing was sent.</summary>
    Gone,

    /// <summary>The connection's outgoing buffer is at its bound; nothing was sent.</summary>
    Full,
}

/// <summary>
/// One client as the rest of the house sees it, whatever its door: a WebSocket, a socket or pipe, or a connection of the
/// OpenClaw gateway that the link speaks for.
/// </summary>
public interface IClientConnection
{
    /// <summary>Unique in this host's life, e.g. <c>c_1f…</c>; for gateway clients the gateway's own connection id.</summary>
    string Id { get; }

    /// <summary>The authenticated caller.</summary>
    Caller Caller { get; }

    /// <summary>Signalled once, when the connection has ended.</summary>
    CancellationToken Closed { get; }

    /// <summary>
    /// True once the client itself has closed the connection in an orderly way: then it has read what was pushed before. Meaningful after
    /// <see cref="Closed"/>; false where the door can't tell.
    /// </summary>
    bool ClosedByClient { get; }

    /// <summary>When the last complete message came from the client (UTC). Proof of life for pushes that nobody acks.</summary>
    DateTimeOffset LastReceivedAt { get; }

    /// <summary>
    /// Sends an event and completes when it was flushed or couldn't be. Events of one connection keep the order of the calls.
    /// Never throws for a closed connection.
    /// </summary>
    /// <param name="eventName">The event's name on this door.</param>
    /// <param name="payload">The payload, UTF-8 JSON. It may be reused when the task has completed.</param>
    /// <param name="cancellationToken">Stops waiting for the flush; the event may still be sent.</param>
    ValueTask<PushOutcome> PushAsync(string eventName, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default);

    /// <summary>True where binary messages can be sent and taken: the host's own doors.</summary>
    bool TakesBinary => false;

    /// <summary>True where the door itself writes bytes into an event in base64, so that they needn't be before (<see cref="PushContentAsync"/>).</summary>
    bool TakesContent => false;

    /// <summary>Like <see cref="PushAsync"/>, with bytes that become a member of the payload, in base64, only where the event leaves for its client.</summary>
    /// <param name="eventName">The event's name on this door.</param>
    /// <param name="payload">The rest of the payload, one JSON object in UTF-8. It may be reused when the task has completed.</param>
    /// <param name="member">The member's name.</param>
    /// <param name="content">The bytes. They may be reused when the task has completed.</param>
    /// <param name="cancellationToken">Stops waiting for the flush; the event may still be sent.</param>
    ValueTask<PushOutcome> PushContentAsync(
        string eventName, ReadOnlyMemory<byte> payload, string member, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default) =>
        new(PushOutcome.Gone);

    /// <summary>Sends a binary message, <c>u32 header length (big endian) | header | bytes</c>; else like <see cref="PushAsync"/>. Both are copied at once.</summary>
    /// <param name="header">UTF-8 JSON object.</param>
    /// <param name="bytes">What it is about.</param>
    /// <param name="cancellationToken">Stops waiting for the flush.</param>
    ValueTask<PushOutcome> PushBinaryAsync(ReadOnlySpan<byte> header, ReadOnlySpan<byte> bytes, CancellationToken cancellationToken = default) =>
        new(PushOutcome.Gone);
}
