using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Messaging.Receipts;
using ChannelBridge.Protocol.Buffers;

namespace ChannelBridge.Core.Messaging;

/// <inheritdoc cref="IInbox"/>
internal sealed class Inbox(
    IStore store, TurnScheduler turns, Backlogs backlogs, MessagingEvents events, MessagingOptions options, TimeProvider time, Random random) : IInbox
{
    private static readonly TimeSpan BusyDelay = TimeSpan.FromMilliseconds(500);

    private volatile bool _stopping;

    /// <summary>From now on nothing more is accepted.</summary>
    public void Stop() => _stopping = true;

    public ValueTask<InboxReceipt> AcceptAsync(
        InboundMessage message, UInt128 dedupeKey, TimeSpan dedupeWindow, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (_stopping) throw BridgeException.Unavailable("The host is stopping; send the message again after it has restarted.", TimeSpan.FromSeconds(2));
        var lane = new LaneKey(message.Channel, message.AccountId.ToLowerInvariant(), message.SessionKey);
        var account = backlogs.Of(lane.Channel, lane.Account);
        // Its answer would have to go where nothing is taken from; but a message may be what lets held ones go.
        if (Volatile.Read(ref account.OutboxPending) >= options.OutboxCapacity && options.DeliveryOf(lane.Channel, lane.Account).HoldUntilInbound.Count == 0)
        {
            throw BridgeException.Busy(
                $"Account {message.AccountId} has {options.OutboxCapacity} undelivered messages, which is its limit; take and ack them, then send this again.", BusyDelay);
        }

        if (!backlogs.InboxTake(options.InboxCapacity))
        {
            throw BridgeException.Busy($"The inbox holds {options.InboxCapacity} unanswered messages, which is its limit; try again later.", BusyDelay);
        }

        return WriteAsync(message, lane, account, dedupeKey, dedupeWindow);
    }

    private async ValueTask<InboxReceipt> WriteAsync(InboundMessage message, LaneKey lane, Backlogs.Counter account, UInt128 dedupeKey, TimeSpan dedupeWindow)
    {
        try
        {
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
        finally
        {
            backlogs.InboxArrived();
        }
    }
}
