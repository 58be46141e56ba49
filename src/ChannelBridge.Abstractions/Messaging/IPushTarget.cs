using ChannelBridge.Abstractions.Connections;

namespace ChannelBridge.Abstractions.Messaging;

/// <summary>
/// The one connection that gets an account's messages now: a channel's primary. The channel renders, the outbox decides on order,
/// retries and receipts.
/// </summary>
public interface IPushTarget
{
    /// <summary>The connection's id, for logs and receipts.</summary>
    string ConnectionId { get; }

    /// <summary>
    /// True when this client must ack: then an entry is settled by its ack only. False: a flushed write on a connection that is proven alive
    /// afterwards settles it as <see cref="DeliveryState.Pushed"/>. Read for each push, as a first ack turns it to true.
    /// </summary>
    bool RequiresAck { get; }

    /// <summary>When the client was last heard (UTC), see <see cref="IClientConnection.LastReceivedAt"/>.</summary>
    DateTimeOffset LastReceivedAt { get; }

    /// <summary>Signalled when the connection has ended.</summary>
    CancellationToken Closed { get; }

    /// <summary>See <see cref="IClientConnection.ClosedByClient"/>: pushes before an orderly close count as received.</summary>
    bool ClosedByClient { get; }

    /// <summary>
    /// Among the clients of an account on several hosts the highest rank is primary: grows with each lease, on whatever host. 0: only while there is no other.
    /// </summary>
    long Rank => 0;

    /// <summary>Whose client it is: where several hosts share a store, a client of another holder doesn't displace it. Null: unknown.</summary>
    string? Holder => null;

    /// <summary>
    /// Several hosts: another one has a newer client of the account (true), so that this one gets nothing until it has left (false). Must not block.
    /// </summary>
    void OnDisplaced(bool displaced)
    {
    }

    /// <summary>Renders and sends one message.</summary>
    ValueTask<PushOutcome> PushAsync(PushItem item, CancellationToken cancellationToken);
}

/// <summary>A message with what its push must carry.</summary>
/// <param name="Id">The outbox id: <c>messageId</c> and <c>idempotencyKey</c> on the wire.</param>
/// <param name="Seq">Its number in its lane.</param>
/// <param name="Message">The message.</param>
/// <param name="CreatedAt">When it was accepted (Unix milliseconds).</param>
/// <param name="Attempt">1 for the first push.</param>
public readonly record struct PushItem(Guid Id, long Seq, OutboundMessage Message, long CreatedAt, int Attempt)
{
    /// <summary>
    /// Numbers before <see cref="Seq"/> whose messages don't come, in order; empty: none. They are told until a push that tells of them is settled, so a client
    /// may hear of the same ones again.
    /// </summary>
    public IReadOnlyList<SkippedMessages> Skipped { get => field ?? []; init; }
}

/// <summary>Messages of a lane, one after the other, that don't come.</summary>
/// <param name="From">The number of the first.</param>
/// <param name="To">The number of the last.</param>
/// <param name="State"><see cref="DeliveryState.Expired"/>: their time was over. <see cref="DeliveryState.Dead"/>: the host has given them up after its attempts.</param>
public readonly record struct SkippedMessages(long From, long To, DeliveryState State);
