namespace ChannelBridge.Abstractions.Messaging;

/// <summary>How far a message to a bridge got. A receipt never says more than is known.</summary>
public enum DeliveryState
{
    /// <summary>On disk, not yet pushed (or to be pushed again).</summary>
    Accepted = 0,

    /// <summary>Written to a live connection. Final only for clients that never ack.</summary>
    Pushed = 1,

    /// <summary>The client confirmed that it has it.</summary>
    Acked = 2,

    /// <summary>The client reported that the platform took it.</summary>
    Delivered = 3,

    /// <summary>Its time to live passed before it could be delivered.</summary>
    Expired = 4,

    /// <summary>Given up; kept as a dead letter with its reason.</summary>
    Dead = 5,
}

/// <summary>The answer to an accepted inbound message: it is on disk.</summary>
/// <param name="Id">The inbox id; the agent's turn and its replies derive from it.</param>
/// <param name="Duplicate">True when the same message had been accepted before; nothing was written.</param>
public readonly record struct InboxReceipt(Guid Id, bool Duplicate);

/// <summary>The answer to an accepted outbound message: it is on disk.</summary>
/// <param name="Id">The outbox id, on the wire <c>messageId</c> and <c>idempotencyKey</c>.</param>
/// <param name="Duplicate">True when a message with the same idempotency key had been accepted before.</param>
/// <param name="Seq">The number in its lane, 1, 2, 3 … without holes.</param>
public readonly record struct OutboxReceipt(Guid Id, bool Duplicate, long Seq);
