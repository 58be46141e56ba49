using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Messaging;

/// <summary>Receipts: what acks, refusals and time do to an entry.</summary>
internal sealed partial class AccountOutbox
{
    /// <summary>Takes an ack for a message that is outside in this lane. Null when it isn't there any more.</summary>
    public async ValueTask<AckResult?> AckAsync(PushLane lane, Ack ack, IReadOnlyList<RecordWrite>? records)
    {
        PushEntry? entry;
        bool confirmed;
        Task? before = null;
        lock (lane.Gate)
        {
            entry = lane.Awaiting?.Id == ack.Id ? lane.Awaiting : null;
            var index = entry is null ? lane.Unconfirmed.FindIndex(candidate => candidate.Id == ack.Id) : -1;
            confirmed = index >= 0;
            if (confirmed) entry = lane.Unconfirmed[index];
            if (entry is null && lane.Settling.Find(candidate => candidate.Id == ack.Id) is { } settling)
            {
                settling.Recorded ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                before = settling.Recorded.Task;
            }

            if (entry is { Ending: true }) return AckResult.AlreadyAckedOrMissing;
            if (entry is not null && ack.Ok)
            {
                lane.Settling.Add(entry);
                SkippedWereTold(lane, entry);
                if (confirmed) lane.Unconfirmed.RemoveAt(index);
                else
                {
                    lane.Awaiting = null;
                    lane.Window.Advance(entry.Seq);
                }
            }
        }

        if (entry is null)
        {
            // A second ack beside the first: what the store says then is the answer, so that no receipt counts twice.
            if (before is not null) await before.ConfigureAwait(false);
            return null;
        }

        if (!confirmed) TellPushed(lane, entry);
        if (!ack.Ok)
        {
            // A client that doesn't ack can't refuse either: what was flushed and passed is history.
            if (confirmed) return AckResult.AlreadyAckedOrMissing;
            if (!ack.Fatal && DeliveryPolicy.Names(_policy.HoldUntilInbound, ack.Error))
            {
                var held = await HoldAsync(lane, entry, ack.Error, records).ConfigureAwait(false);
                Wake(lane);
                return held ? AckResult.Held : AckResult.WillRetry;
            }

            var permanent = ack.Fatal || DeliveryPolicy.Names(_policy.Permanent, ack.Error);
            var reason = ack.Fatal ? FatalAck : permanent ? PermanentRefusal : Refused;
            var dead = await FailAsync(lane, entry, reason, ack.Error, permanent, ack.RetryAfter, records).ConfigureAwait(false);
            Wake(lane);
            return dead ? AckResult.MovedToDeadLetter : AckResult.WillRetry;
        }

        var state = ack.Delivered ? DeliveryState.Delivered : DeliveryState.Acked;
        // Pinned until the receipt is on disk: a new object for the lane would read the entry as unsettled and push it again.
        var pinned = _lanes.TryPin(lane.Id, lane.Key) is not null;
        var commit = CommitAsync(records.Along(Receipt(lane, entry, state)));
        // The next push needn't wait for the disk: if the receipt were lost in a crash, both would come again, in order and under their keys.
        Wake(lane);
        try
        {
            await commit.ConfigureAwait(false);
        }
        catch (Exception fault)
        {
            LogReceiptLost(_logger, entry.Id, fault);
            lock (lane.Gate)
            {
                lane.RepairFrom = lane.RepairFrom == 0 ? entry.Seq : Math.Min(lane.RepairFrom, entry.Seq);
                lane.RepairAt = Ticks() + (long)StoreRetryDelay.TotalMilliseconds;
                lane.Skipped = null;
                WakeAfter(lane, StoreRetryDelay);
            }

            throw;
        }
        finally
        {
            lock (lane.Gate)
            {
                lane.Settling.Remove(entry);
                // Unless it is outside again already, because its receipt was lost and its lane gone through anew.
                if (lane.Awaiting?.Id != entry.Id) _outside.TryRemove(entry.Id, out _);
            }

            entry.Recorded?.TrySetResult();
            if (pinned) _lanes.Unpin(lane.Id);
        }

        if (!confirmed) Interlocked.Decrement(ref _counter.OutboxPending);
        Settled(lane, entry, state);
        return AckResult.Acked;
    }

    /// <summary>Notes a failed attempt: the entry waits for the next one, or is given up. True when it is a dead letter now.</summary>
    private async Task<bool> FailAsync(
        PushLane lane, PushEntry entry, string reason, string? detail, bool fatal, TimeSpan? retryAfter, IReadOnlyList<RecordWrite>? records = null)
    {
        int attempts;
        var nextAttemptAt = 0L;
        lock (lane.Gate)
        {
            if (!ReferenceEquals(lane.Awaiting, entry) || entry.Ending) return false;
            attempts = ++entry.Attempts;
            if (fatal || attempts >= _policy.MaxAttempts)
            {
                // It holds its place until the dead letter is on disk.
                entry.Ending = true;
                lane.AckDeadline = Ticks() + (long)LongestEnding.TotalMilliseconds;
            }
            else
            {
                lane.Awaiting = null;
                _outside.TryRemove(entry.Id, out _);
                var delay = _policy.DelayAfter(attempts, _random.NextDouble());
                if (retryAfter > delay) delay = retryAfter.Value;
                entry.DueAt = Ticks() + (long)delay.TotalMilliseconds;
                nextAttemptAt = Now() + (long)delay.TotalMilliseconds;
                LogRetry(_logger, entry.Id, attempts, reason, delay.TotalSeconds);
                _events.Changed(entry.Id, lane.Key, entry.Seq, DeliveryState.Accepted, reason);
            }
        }

        if (fatal || attempts >= _policy.MaxAttempts)
        {
            await EndAsync(lane, entry, DeliveryState.Dead, fatal ? reason : RetryLimit, detail ?? reason, records).ConfigureAwait(false);
            return true;
        }

        await CommitAsync(
            records.Along(
                new OutboxUpdate
                {
                    LaneId = lane.Id,
                    Seq = entry.Seq,
                    State = DeliveryState.Accepted,
                    Settled = false,
                    Attempts = attempts,
                    NextAttemptAt = nextAttemptAt,
                    Error = reason,
                    HistoryLine = MessageCodec.Write(new AttemptRecord(Now(), attempts, reason, Cut(detail), entry.ConnectionId)),
                    At = Now(),
                    PushedAt = entry.PushedAt,
                    Claim = Volatile.Read(ref _claim),
                })).ConfigureAwait(false);
        return false;
    }

    /// <summary>Gives an entry up: it leaves the lane, and is kept as a dead letter (or as expired) with its reason.</summary>
    private async Task EndAsync(
        PushLane lane, PushEntry entry, DeliveryState state, string reason, string? detail, IReadOnlyList<RecordWrite>? records = null)
    {
        var now = Now();
        var update = new OutboxUpdate
        {
            LaneId = lane.Id,
            Seq = entry.Seq,
            State = state,
            Settled = true,
            Attempts = entry.Attempts,
            Error = reason,
            HistoryLine = MessageCodec.Write(new AttemptRecord(now, entry.Attempts, reason, Cut(detail), entry.ConnectionId)),
            At = now,
            PushedAt = entry.PushedAt,
            Claim = Volatile.Read(ref _claim),
        };
        if (IsToTell(reason)) records = [.. records ?? [], SkipRecords.Put(lane.Key, entry.Seq, state, now, _skipsKept)];
        await CommitAsync(records.Along(update)).ConfigureAwait(false);
        lock (lane.Gate)
        {
            if (IsToTell(reason) && update.Changed) NoteSkipped(lane, entry.Seq, state);
            if (ReferenceEquals(lane.Awaiting, entry)) lane.Awaiting = null;
            _outside.TryRemove(entry.Id, out _);
            lane.Window.Advance(entry.Seq);
        }

        Interlocked.Decrement(ref _counter.OutboxPending);
        Interlocked.Increment(ref _counter.Ended);
        if (state == DeliveryState.Dead) Interlocked.Increment(ref _counter.OutboxDead);
        Settled(lane, entry, state, reason);
        LogDead(_logger, entry.Id, entry.Attempts, reason);
    }

    private void ArmConfirm()
    {
        lock (_gate)
        {
            if (_confirming || _stopping.IsCancellationRequested) return;
            _confirming = true;
        }

        _confirmTimer.Change(ConfirmInterval, Timeout.InfiniteTimeSpan);
    }

    private void ConfirmDue()
    {
        lock (_gate) _confirming = false;
        _ = ConfirmAsync(_lanes.Active(), all: false);
    }

    /// <summary>The client closed in an orderly way: it has read what was flushed to it.</summary>
    private void ConfirmAll() => _ = ConfirmAsync(_lanes.Active(), all: true);

    /// <summary>Settles flushed messages of a client that doesn't ack, once it is proven that the connection outlived them.</summary>
    private async Task ConfirmAsync(IReadOnlyList<PushLane> lanes, bool all)
    {
        IPushTarget? target;
        lock (_gate) target = _target;
        var ticks = Ticks();
        var heard = target?.LastReceivedAt.ToUnixTimeMilliseconds() ?? 0;
        var open = target is not null && !target.Closed.IsCancellationRequested;
        var writes = new List<StoreWrite>();
        var settled = new List<(PushLane Lane, PushEntry Entry)>();
        var pins = new List<long>();
        var remaining = false;
        foreach (var lane in lanes)
        {
            lock (lane.Gate)
            {
                if (lane.Unconfirmed.Count == 0) continue;
                // Pinned until the receipts are on disk, as for an ack.
                if (_lanes.TryPin(lane.Id, lane.Key) is not null) pins.Add(lane.Id);
                var proven = all ? lane.Unconfirmed.Count : lane.Unconfirmed.FindIndex(entry =>
                    heard - entry.PushedAt < _policy.ConfirmHeardAfter.TotalMilliseconds
                    && !(open && ticks - entry.PushedTicks >= _policy.ConfirmOpenFor.TotalMilliseconds));
                if (proven < 0) proven = lane.Unconfirmed.Count;
                foreach (var entry in lane.Unconfirmed.Take(proven))
                {
                    _outside.TryRemove(entry.Id, out _);
                    writes.Add(Receipt(lane, entry, DeliveryState.Pushed));
                    settled.Add((lane, entry));
                }

                lane.Unconfirmed.RemoveRange(0, proven);
                remaining |= lane.Unconfirmed.Count > 0;
            }

            Wake(lane);
        }

        if (remaining) ArmConfirm();
        if (writes.Count == 0)
        {
            Unpin(pins);
            return;
        }

        try
        {
            await CommitAsync([.. writes]).ConfigureAwait(false);
            foreach (var (lane, entry) in settled) Settled(lane, entry, DeliveryState.Pushed);
        }
        catch (Exception fault)
        {
            // They stay unsettled in the store and are pushed again after the next start.
            LogReceiptLost(_logger, Guid.Empty, fault);
        }
        finally
        {
            Unpin(pins);
        }
    }

    private void Unpin(List<long> lanes)
    {
        foreach (var lane in lanes) _lanes.Unpin(lane);
    }

    private OutboxUpdate Receipt(PushLane lane, PushEntry entry, DeliveryState state) => new()
    {
        LaneId = lane.Id,
        Seq = entry.Seq,
        Id = entry.Id,
        State = state,
        Settled = true,
        Attempts = entry.Attempts,
        At = Now(),
        PushedAt = entry.PushedAt,
        // A client's word is true whoever pushes to the account by now.
        Claim = StoreWrite.Unfenced,
    };
}
