using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Core.Messaging;

/// <summary>Refuses messages for a conversation whose inbox is at its bound, before anything is written; other conversations don't notice.</summary>
internal sealed class BoundedInbox(IInbox inbox, LaneBound bound) : IInbox
{
    private static readonly TimeSpan BusyDelay = TimeSpan.FromSeconds(1);

    public ValueTask<InboxReceipt> AcceptAsync(
        InboundMessage message, UInt128 dedupeKey, TimeSpan dedupeWindow, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (bound.CountsArriving) return AcceptCountedAsync(message, dedupeKey, dedupeWindow, cancellationToken);
        if (bound.FullCount > 0 && bound.IsFull(KeyOf(message))) throw Busy();
        return inbox.AcceptAsync(message, dedupeKey, dedupeWindow, cancellationToken);
    }

    private async ValueTask<InboxReceipt> AcceptCountedAsync(InboundMessage message, UInt128 dedupeKey, TimeSpan dedupeWindow, CancellationToken cancellationToken)
    {
        var lane = KeyOf(message);
        if (bound.IsFull(lane) || !bound.Arrive(lane)) throw Busy();
        try
        {
            return await inbox.AcceptAsync(message, dedupeKey, dedupeWindow, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            bound.Arrived(lane);
        }
    }

    private static LaneKey KeyOf(InboundMessage message) => new(message.Channel, message.AccountId.ToLowerInvariant(), message.SessionKey);

    private BridgeException Busy() =>
        BridgeException.Busy($"This conversation holds {bound.Capacity} unanswered messages, which is its limit; try again later.", BusyDelay);
}
