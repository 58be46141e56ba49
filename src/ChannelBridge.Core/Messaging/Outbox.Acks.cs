using System.Diagnostics;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Events;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Messaging;

/// <content>Acks of messages that are in no lane's hands.</content>
internal sealed partial class Outbox
{
    /// <summary>An ack for something that isn't in memory: pushed before a restart, settled before, or never there.</summary>
    private async ValueTask<AckResult> AckStoredAsync(Ack ack, IReadOnlyList<RecordWrite>? records, CancellationToken cancellationToken)
    {
        var entry = await _store.GetOutboxAsync(ack.Id, cancellationToken).ConfigureAwait(false);
        if (entry is null || entry.Lane.Channel != ack.Channel) return AckResult.AlreadyAckedOrMissing;
        if (!string.Equals(entry.Lane.Account, ack.AccountId, StringComparison.OrdinalIgnoreCase)) return AckResult.AccountMismatch;
        var now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        var upgrade = entry.State is DeliveryState.Pushed || (entry.State is DeliveryState.Acked && ack.Delivered);
        if (ack.Ok && IsGivenUp(entry)) return await AckLateAsync(entry, ack, records).ConfigureAwait(false);
        if (entry.Settled && !(ack.Ok && upgrade)) return AckResult.AlreadyAckedOrMissing;
        var policy = _options.DeliveryOf(entry.Lane.Channel, entry.Lane.Account);
        var permanent = ack.Fatal || (!ack.Ok && DeliveryPolicy.Names(policy.Permanent, ack.Error));
        if (!ack.Ok && !permanent)
        {
            // Nothing is in flight for it: it is pushed again when its lane comes to it.
            return AckResult.WillRetry;
        }

        var reason = ack.Ok ? null : ack.Fatal ? AccountOutbox.FatalAck : AccountOutbox.PermanentRefusal;
        var update = new OutboxUpdate
        {
            LaneId = entry.LaneId,
            Seq = entry.Seq,
            Id = entry.Id,
            State = !ack.Ok ? DeliveryState.Dead : ack.Delivered ? DeliveryState.Delivered : DeliveryState.Acked,
            Settled = true,
            Attempts = entry.Attempts,
            Error = reason,
            HistoryLine = reason is null ? default : MessageCodec.Write(new AttemptRecord(now, entry.Attempts + 1, reason, AccountOutbox.Cut(ack.Error), null)),
            At = now,
            Claim = StoreWrite.Unfenced,
        };
        await _store.CommitAsync(records.Along(update), CancellationToken.None).ConfigureAwait(false);
        // Another host was told the same in the same moment, and counts it.
        if (!update.Changed) return AckResult.AlreadyAckedOrMissing;
        _events.Changed(entry.Id, entry.Lane, entry.Seq, update.State, update.Error);
        Settled(entry, update.State, update.Error);
        if (!entry.Settled)
        {
            var counter = _backlogs.Of(entry.Lane.Channel, entry.Lane.Account);
            Interlocked.Decrement(ref counter.OutboxPending);
            if (!ack.Ok)
            {
                Interlocked.Increment(ref counter.Ended);
                Interlocked.Increment(ref counter.OutboxDead);
            }

            if (_accounts.TryGetValue((entry.Lane.Channel, entry.Lane.Account), out var account)) account.Forget(entry.LaneId, entry.Lane, entry.Seq);
        }

        return ack.Ok ? AckResult.Acked : AckResult.MovedToDeadLetter;
    }

    /// <summary>Given up by the host, not refused by the client.</summary>
    private static bool IsGivenUp(OutboxEntry entry) =>
        entry.Settled && entry.State is DeliveryState.Dead or DeliveryState.Expired
        && entry.Error is not (AccountOutbox.FatalAck or AccountOutbox.PermanentRefusal);

    /// <summary>
    /// The client has what was given up: its ack was on the way for longer than anybody waited. A replay would send it to somebody who has it, so it is no
    /// dead letter any more.
    /// </summary>
    private async ValueTask<AckResult> AckLateAsync(OutboxEntry entry, Ack ack, IReadOnlyList<RecordWrite>? records)
    {
        var update = new OutboxUpdate
        {
            LaneId = entry.LaneId,
            Seq = entry.Seq,
            Id = entry.Id,
            State = ack.Delivered ? DeliveryState.Delivered : DeliveryState.Acked,
            Settled = true,
            Attempts = entry.Attempts,
            At = _time.GetUtcNow().ToUnixTimeMilliseconds(),
            Claim = StoreWrite.Unfenced,
        };
        // It has come after all.
        records = [.. records ?? [], SkipRecords.Delete(entry.Lane, entry.Seq)];
        await _store.CommitAsync(records.Along(update), CancellationToken.None).ConfigureAwait(false);
        // Replayed or discarded in the same moment: then that has happened, and nothing else.
        if (!update.Changed) return AckResult.AlreadyAckedOrMissing;
        _events.Changed(entry.Id, entry.Lane, entry.Seq, update.State);
        Settled(entry, update.State, null);
        Discarded(entry);
        return AckResult.Acked;
    }

    /// <summary>The same line and the same link as for an ack of what is in memory: a message can be followed across a restart of the host.</summary>
    private void Settled(OutboxEntry entry, DeliveryState state, string? reason)
    {
        if (!entry.Settled) Telemetry.Settled.Add(1, new KeyValuePair<string, object?>("channelbridge.state", DeliveryStates.NameOf(state)));
        var span = Activity.Current;
        if (span is null && !_logger.IsEnabled(LogLevel.Debug)) return;
        // What was acked before has left no more than its receipt: then only better news comes here, and its first ack has the line with the trace.
        var message = entry.Payload.IsEmpty ? null : MessageCodec.ReadOutbound(entry.Payload.Span);
        // The ack's own trace is the client's; what it is about is the message's.
        if (span is not null && Telemetry.Parent(message?.TraceParent) is var trace && trace != default && span.Links.All(link => link.Context.TraceId != trace.TraceId))
            span.AddLink(new ActivityLink(trace));
        LogAcked(_logger, entry.Id, message?.ReplyToId, entry.Lane.Account, DeliveryStates.NameOf(state), reason, AccountOutbox.TraceOf(message?.TraceParent));
    }

    [LoggerMessage(
        LogEvents.OutboxAckedLate, LogLevel.Debug,
        "Ack: messageId {MessageId}, answers msgId {MsgId}, of account {Account}, pushed before or given up, is {State} ({Reason}), trace {TraceId}.")]
    private static partial void LogAcked(ILogger logger, Guid messageId, string? msgId, string account, string state, string? reason, string? traceId);
}
