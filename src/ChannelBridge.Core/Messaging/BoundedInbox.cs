using ChannelBridge.Core.Errors;

namespace ChannelBridge.Core.Messaging;

/// <summary>Refuses messages for a conversation whose inbox is at its bound, before anything is written; other conversations don't notice.</summary>
internal sealed class BoundedInbox(IInbox inbox, LaneBound bound) : IInbox
{
    private static readonly TimeSpan BusyDelay = TimeSpan.FromSeconds(1);

    public ValueTask<InboxReceipt> AcceptAsync(
        InboundMessage message, UInt128 dedupeKey, TimeSpan dedupeWindow, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (bound.FullCount > 0 && bound.IsFull(new LaneKey(message.Channel, message.AccountId.ToLowerInvariant(), message.SessionKey)))
        {
            throw BridgeException.Busy($"This conversation holds {bound.Capacity} unanswered messages, which is its limit; try again later.", BusyDelay);
        }

        return inbox.AcceptAsync(message, dedupeKey, dedupeWindow, cancellationToken);
    }
}
