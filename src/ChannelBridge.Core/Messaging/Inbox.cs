using ChannelBridge.Core.Buffers;
using ChannelBridge.Core.Errors;
using ChannelBridge.Core.Messaging.Receipts;
using ChannelBridge.Core.Storage;

namespace ChannelBridge.Core.Messaging;

/// <inheritdoc cref="IInbox"/>
internal sealed class Inbox(
    IStore store, TurnScheduler turns, Backlogs backlogs, MessagingEvents events, MessagingOptions options, TimeProvider time, Random random) : IInbox
{
    private static readonly TimeSpan BusyDelay = TimeSpan.FromMilliseconds(500);

    private volatile bool _stopping;

    /// <summary>From now on nothing more is accepted.</summary>
    public void Stop() => _stopping = true;

    public async ValueTask<InboxReceipt> AcceptAsync(
        InboundMessage message, UInt128 dedupeKey, TimeSpan dedupeWindow, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (_stopping) throw BridgeException.Unavailable("The host is stopping; send the message again after it has restarted.", TimeSpan.FromSeconds(2));
        var lane = new LaneKey(message.Channel, message.AccountId.ToLowerInvariant(), message.SessionKey);
        var account = backlogs.Of(lane.Channel, lane.Account);
        if (backlogs.InboxPending >= options.InboxCapacity)
        {
            throw BridgeException.Busy($"The inbox holds {options.InboxCapacity} unanswered messages, which is its limit; try again later.", BusyDelay);
        }

        var clock = time.GetUtcNow();
        var now = clock.ToUnixTimeMilliseconds();
        message = message with { AcceptedAt = now };
        using var payload = new PooledBuffer();
        MessageCodec.Write(message, payload);
        var append = new InboxAppend
        {
            Lane = lane,
            Id = MessageIds.ForInbox(clock, random),
            DedupeKey = dedupeKey,
            DedupeUntil = now + (long)dedupeWindow.TotalMilliseconds,
            At = now,
            Payload = payload.Written,
        };

        // The caller may stop waiting, the commit may not: it still reads the pooled payload.
        await store.CommitAsync(append, CancellationToken.None).ConfigureAwait(false);
        if (append.Duplicate)
        {
            Telemetry.InboxDuplicates.Add(1);
            return new InboxReceipt(append.KnownId, Duplicate: true);
        }

        Telemetry.InboxAccepted.Add(1);
        backlogs.InboxAdd(account, 1);
        events.Accepted(append.Id, lane);
        turns.Offer(append.LaneId, lane, new TurnItem(append.Id, append.Ordinal, message, 0, 0, payload.Written.Length));
        return new InboxReceipt(append.Id, Duplicate: false);
    }
}
