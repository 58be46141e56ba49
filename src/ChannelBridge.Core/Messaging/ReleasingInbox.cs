using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Messaging;

/// <summary>
/// The inbox of a host in which messages may be held until their user writes again: it tells the outbox of each message that came in. Other hosts go
/// without it.
/// </summary>
internal sealed class ReleasingInbox(IInbox inbox, Outbox outbox, IStore store) : IInbox
{
    /// <summary>The inbox to use: this one only where a policy needs it.</summary>
    public static IInbox Wrap(IInbox inbox, Outbox outbox, IStore store) => outbox.MayHold ? new ReleasingInbox(inbox, outbox, store) : inbox;

    public async ValueTask<InboxReceipt> AcceptAsync(
        InboundMessage message, UInt128 dedupeKey, TimeSpan dedupeWindow, CancellationToken cancellationToken = default)
    {
        var receipt = await inbox.AcceptAsync(message, dedupeKey, dedupeWindow, cancellationToken).ConfigureAwait(false);
        var lane = new LaneKey(message.Channel, message.AccountId.ToLowerInvariant(), message.SessionKey);
        // Before the sender is answered, and for a repeated message, too: after a crash in between, the sender's repetition makes up for it.
        if (outbox.HoldsFor(lane) && await store.GetInboxAsync(receipt.Id, CancellationToken.None).ConfigureAwait(false) is { } entry)
        {
            await outbox.ReleaseAsync(entry.LaneId, lane, message.Route).ConfigureAwait(false);
        }

        return receipt;
    }
}
