using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Abstractions.Messaging;

/// <summary>Reads receipts: what became of messages to an account, for a channel's own methods.</summary>
public interface IDeliveries
{
    /// <summary>How long the receipt of a message is kept at least, from its acceptance, unless an operator discards it.</summary>
    TimeSpan Retention { get; }

    /// <summary>One message to an account, with its text while that is kept; null when unknown.</summary>
    /// <exception cref="BridgeException">A store error.</exception>
    ValueTask<Delivery?> FindAsync(Guid id, CancellationToken cancellationToken = default);

    /// <summary>A page of messages by filter, newest or oldest first; without their text where <see cref="OutboxQuery.HeadersOnly"/> asks so.</summary>
    /// <exception cref="BridgeException">A store error.</exception>
    ValueTask<IReadOnlyList<Delivery>> ListAsync(OutboxQuery query, CancellationToken cancellationToken = default);
}

/// <summary>A message to an account, and how far it got.</summary>
public sealed record Delivery
{
    /// <summary>The outbox id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The lane.</summary>
    public required LaneKey Lane { get; init; }

    /// <summary>Its number in the lane.</summary>
    public required long Seq { get; init; }

    /// <summary>How far it got.</summary>
    public required DeliveryState State { get; init; }

    /// <summary>Pushes tried and failed.</summary>
    public int Attempts { get; init; }

    /// <summary>When it was accepted (Unix ms).</summary>
    public required long AcceptedAt { get; init; }

    /// <summary>When it expired or died (Unix ms), or 0.</summary>
    public long EndedAt { get; init; }

    /// <summary>The last failure's reason, or null.</summary>
    public string? Error { get; init; }

    /// <summary>The message; null once it is settled, or where only headers were asked for.</summary>
    public OutboundMessage? Message { get; init; }
}
