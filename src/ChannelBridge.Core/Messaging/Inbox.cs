using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Events;
using ChannelBridge.Protocol.Buffers;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Messaging;

/// <inheritdoc cref="IInbox"/>
/// <remarks>
/// The way of a message reads downwards: is there room (of its account's answers, of its conversation, of the inbox), the commit, its place in its lane,
/// and the messages that were held until its user writes.
/// </remarks>
internal sealed partial class Inbox(
    IStore store,
    TurnScheduler turns,
    Outbox outbox,
    Backlogs backlogs,
    MessagingEvents events,
    MessagingOptions options,
    TimeProvider time,
    Random random,
    ILogger<Inbox>? logger = null) : IInbox
{
    private static readonly TimeSpan BusyDelay = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LaneBusyDelay = TimeSpan.FromSeconds(1);

    private volatile bool _stopping;

    /// <summary>From now on nothing more is accepted.</summary>
    public void Stop() => _stopping = true;

    public ValueTask<InboxReceipt> AcceptAsync(
        InboundMessage message,
        UInt128 dedupeKey,
        TimeSpan dedupeWindow,
        IReadOnlyList<RecordWrite>? records = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (_stopping) throw BridgeException.Unavailable("The host is stopping; send the message again after it has restarted.", TimeSpan.FromSeconds(2));
        var lane = new LaneKey(message.Channel, message.AccountId.ToLowerInvariant(), message.SessionKey);
        var account = backlogs.Of(lane.Channel, lane.Account);
        TakePlace(message, lane, account);
        return WriteAsync(message, lane, account, dedupeKey, dedupeWindow, records);
    }

    /// <summary>Takes a place for a message that is about to be written, before anything is; given back by <see cref="GivePlace"/>.</summary>
    private void TakePlace(InboundMessage message, LaneKey lane, Backlogs.Counter account)
    {
        var bound = turns.Bound;
        if (bound.FullCount > 0 && bound.IsFull(lane)) throw LaneBusy(bound);
        // Its answer would have to go where nothing is taken from; but a message may be what lets held ones go.
        if (Volatile.Read(ref account.OutboxPending) >= options.OutboxCapacity && options.DeliveryOf(lane.Channel, lane.Account).HoldUntilInbound.Count == 0)
        {
            throw BridgeException.Busy(
                $"Account {message.AccountId} has {options.OutboxCapacity} undelivered messages, which is its limit; take and ack them, then send this again.",
                BusyDelay);
        }

        if (bound.CountsArriving && !bound.Arrive(lane)) throw LaneBusy(bound);
        if (backlogs.InboxTake(options.InboxCapacity)) return;
        if (bound.CountsArriving) bound.Arrived(lane);
        throw BridgeException.Busy($"The inbox holds {options.InboxCapacity} unanswered messages, which is its limit; try again later.", BusyDelay);
    }

    private void GivePlace(LaneKey lane)
    {
        backlogs.InboxArrived();
        if (turns.Bound.CountsArriving) turns.Bound.Arrived(lane);
    }

    private async ValueTask<InboxReceipt> WriteAsync(
        InboundMessage message, LaneKey lane, Backlogs.Counter account, UInt128 dedupeKey, TimeSpan dedupeWindow, IReadOnlyList<RecordWrite>? records)
    {
        InboxReceipt receipt;
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
            if (records is null) await store.CommitAsync(append, CancellationToken.None).ConfigureAwait(false);
            else await store.CommitAsync(records.Along(append), CancellationToken.None).ConfigureAwait(false);
            receipt = new InboxReceipt(append.KnownId, append.Duplicate);
            if (logger is not null) LogAccepted(logger, message.MessageId, receipt.Id, lane.Channel, lane.Account, append.Duplicate, AccountOutbox.TraceOf(message.TraceParent));
            if (append.Duplicate)
            {
                Telemetry.InboxDuplicates.Add(1);
            }
            else
            {
                Telemetry.InboxAccepted.Add(1);
                backlogs.InboxAdd(account, 1);
                events.Accepted(append.Id, lane);
                var item = new TurnItem(append.Id, append.Ordinal, message, 0, 0, payload.Written.Length);
                turns.Offer(append.LaneId, lane, item);
                if (turns.IsUrgent(message)) turns.Hasten(append.LaneId, lane, item, tell: true);
            }
        }
        finally
        {
            GivePlace(lane);
        }

        if (outbox.MayHold) await ReleaseAsync(receipt.Id, lane, message.Route).ConfigureAwait(false);
        return receipt;
    }

    /// <summary>
    /// The user has written: what was held for that goes on its way, before the sender is answered, and for a repeated message, too; after a crash in
    /// between, the sender's repetition makes up for it.
    /// </summary>
    private async ValueTask ReleaseAsync(Guid id, LaneKey lane, string route)
    {
        if (outbox.HoldsFor(lane) && await store.GetInboxAsync(id, CancellationToken.None).ConfigureAwait(false) is { } entry)
        {
            await outbox.ReleaseAsync(entry.LaneId, lane, route).ConfigureAwait(false);
        }
    }

    [LoggerMessage(LogEvents.InboxAccepted, LogLevel.Debug, "Accept: msgId {MsgId} is turn {Turn}, of {Channel}/{Account}, duplicate {Duplicate}, trace {TraceId}.")]
    private static partial void LogAccepted(ILogger logger, string? msgId, Guid turn, string channel, string account, bool duplicate, string? traceId);

    private static BridgeException LaneBusy(LaneBound bound) =>
        BridgeException.Busy($"This conversation holds {bound.Capacity} unanswered messages, which is its limit; try again later.", LaneBusyDelay);
}
