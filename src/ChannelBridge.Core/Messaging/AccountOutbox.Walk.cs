using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Core.Messaging;

/// <summary>The walk: what a lane does next, step by step.</summary>
internal sealed partial class AccountOutbox
{
    private enum Step
    {
        Rest,
        Wait,
        Load,
        Push,
        AckIsLate,
        Expire,
    }

    private async Task WalkAsync(PushLane lane)
    {
        while (true)
        {
            Step step;
            PushEntry? entry;
            IPushTarget? target;
            lock (lane.Gate)
            {
                step = Decide(lane, out entry, out target);
                Pin(lane, step != Step.Rest);
                if (step is Step.Rest or Step.Wait)
                {
                    lane.Walking = false;
                    return;
                }
            }

            try
            {
                switch (step)
                {
                    case Step.Load:
                        await LoadAsync(lane).ConfigureAwait(false);
                        break;
                    case Step.Push:
                        await PushAsync(lane, entry!, target!).ConfigureAwait(false);
                        break;
                    case Step.AckIsLate:
                        await FailAsync(lane, entry!, AckTimeout, detail: null, fatal: false, retryAfter: null).ConfigureAwait(false);
                        break;
                    case Step.Expire:
                        await EndAsync(lane, entry!, DeliveryState.Expired, Expired, detail: null).ConfigureAwait(false);
                        break;
                }
            }
            catch (Exception fault)
            {
                LogWalkFailed(_logger, _channel, _account, lane.Id, fault);
                lock (lane.Gate)
                {
                    lane.Walking = false;
                    WakeAfter(lane, StoreRetryDelay);
                }

                return;
            }
        }
    }

    /// <summary>Looks at the lane, under its lock, and says what is to be done.</summary>
    private Step Decide(PushLane lane, out PushEntry? entry, out IPushTarget? target)
    {
        int attachment;
        lock (_gate) (target, attachment) = (_target, _attachment);
        entry = null;
        if (lane.Attachment != attachment)
        {
            lane.Attachment = attachment;
            lane.Skipped = null;
            GoBack(lane);
        }

        if (target is null || _stopping.IsCancellationRequested)
        {
            GoBack(lane);
            lane.Window.Reset(lane.Window.Last);
            return Step.Rest;
        }

        var ticks = Ticks();
        if (lane.RepairFrom > 0 && lane.Awaiting is null && lane.Unconfirmed.Count == 0)
        {
            // What the store can't record now it can't record in a moment: a client that acks at once must not be pushed to in a circle.
            if (ticks < lane.RepairAt)
            {
                WakeAfter(lane, TimeSpan.FromMilliseconds(lane.RepairAt - ticks));
                return Step.Wait;
            }

            lane.Window.Reset(lane.RepairFrom - 1);
            lane.RepairFrom = 0;
        }

        if (lane.Awaiting is { } awaiting)
        {
            entry = awaiting;
            if (ticks >= lane.AckDeadline) return Step.AckIsLate;
            WakeAfter(lane, TimeSpan.FromMilliseconds(lane.AckDeadline - ticks));
            return Step.Wait;
        }

        switch (lane.Window.Peek(out _, out entry))
        {
            case LaneNext.Load:
                return Step.Load;
            case LaneNext.Nothing:
                return lane.Unconfirmed.Count > 0 ? Step.Wait : Step.Rest;
        }

        var left = entry!.ExpiresAt > 0 ? entry.ExpiresAt - Now() : long.MaxValue;
        if (left <= 0) return Step.Expire;
        if (entry.DueAt <= ticks) return Step.Push;
        var held = entry.DueAt == Held;
        if (held) Hold(lane, entry.Message.Route);
        var wait = Math.Min(held ? long.MaxValue : entry.DueAt - ticks, left);
        if (wait < long.MaxValue) WakeAfter(lane, TimeSpan.FromMilliseconds(Math.Min(wait, LongestWait.TotalMilliseconds)));
        if (!held || lane.Unconfirmed.Count > 0) return Step.Wait;
        // A held lane gives its place in memory to those that have something to do.
        lane.Window.Reset(lane.Window.Last);
        return Step.Rest;
    }

    /// <summary>What the former target was given without a final receipt is to be pushed again.</summary>
    private void GoBack(PushLane lane)
    {
        if (lane.Awaiting is { } awaiting)
        {
            lane.Awaiting = null;
            awaiting.DueAt = 0;
            awaiting.Ending = false;
            _outside.TryRemove(awaiting.Id, out _);
        }

        if (lane.Unconfirmed.Count == 0) return;
        foreach (var entry in lane.Unconfirmed)
        {
            _outside.TryRemove(entry.Id, out _);
            Interlocked.Increment(ref _counter.OutboxPending);
        }

        lane.Window.Reset(lane.Unconfirmed[0].Seq - 1);
        lane.Unconfirmed.Clear();
    }

    private async Task LoadAsync(PushLane lane)
    {
        long after, known;
        int limit;
        lock (lane.Gate)
        {
            after = Math.Max(lane.Window.Last, 0);
            known = lane.Window.Known;
            limit = lane.Window.LoadLimit;
        }

        var stored = await _store.ReadOutboxAsync(lane.Id, after, limit, ReadBytes, _stopping).ConfigureAwait(false);
        var entries = new List<(long, PushEntry, int)>(stored.Count);
        foreach (var entry in stored)
        {
            var message = MessageCodec.ReadOutbound(entry.Payload.Span);
            var item = new PushEntry(entry.Id, entry.Seq, message, entry.AcceptedAt, entry.ExpiresAt, entry.Payload.Length)
            {
                Attempts = entry.Attempts,
                DueAt = entry.NextAttemptAt switch
                {
                    0 or Held => entry.NextAttemptAt,
                    var next => Ticks() + Math.Clamp(next - Now(), 0, (long)LongestWait.TotalMilliseconds),
                },
            };
            entries.Add((entry.Seq, item, item.Size));
        }

        lock (lane.Gate) lane.Window.Load(entries, complete: stored.Count == 0, known);
    }

    private async Task PushAsync(PushLane lane, PushEntry entry, IPushTarget target)
    {
        var mustAck = target.RequiresAck;
        var skipped = await SkippedBeforeAsync(lane, entry).ConfigureAwait(false);
        lock (lane.Gate)
        {
            // Recorded before the push, because its ack may be here before the push returns.
            entry.PushedAt = Now();
            entry.PushedTicks = Ticks();
            entry.ReleasesAtPush = lane.Releases;
            entry.PushTold = false;
            entry.Told = skipped;
            entry.ConnectionId = target.ConnectionId;
            lane.Awaiting = entry;
            lane.AckDeadline = entry.PushedTicks + (long)_policy.AckTimeout.TotalMilliseconds;
            _outside[entry.Id] = lane;
        }

        PushOutcome outcome;
        using (StartPush(entry))
        {
            var item = new PushItem(entry.Id, entry.Seq, entry.Message, entry.AcceptedAt, entry.Attempts + 1) { Skipped = skipped };
            try
            {
                outcome = await target.PushAsync(item, _stopping).ConfigureAwait(false);
            }
            catch (BridgeException fault)
            {
                // The client couldn't be given what belongs to the message (a file): an attempt like any other that failed.
                var reason = fault.Details?["reason"]?.GetValue<string>() ?? Refused;
                await FailAsync(lane, entry, reason, fault.Message, fatal: !fault.Retryable, fault.RetryAfter).ConfigureAwait(false);
                return;
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                outcome = PushOutcome.Gone;
            }
        }

        CountPush(outcome);
        LogPushed(_logger, entry.Id, entry.Message.ReplyToId, _account, entry.Attempts + 1, outcome, TraceOf(entry.Message.TraceParent));
        if (outcome == PushOutcome.Flushed) TellPushed(lane, entry);
        var tooMany = false;
        lock (lane.Gate)
        {
            // Acked already: then there is nothing left to note.
            if (!ReferenceEquals(lane.Awaiting, entry)) return;
            if (outcome != PushOutcome.Flushed)
            {
                // Not an attempt: nothing was sent. A target that is gone is about to be detached.
                lane.Awaiting = null;
                _outside.TryRemove(entry.Id, out _);
                entry.DueAt = Ticks() + (long)FullDelay.TotalMilliseconds;
                return;
            }

            // What belongs to the message may have taken its time to get there; the ack is waited for from now on.
            entry.PushedTicks = Ticks();
            lane.AckDeadline = entry.PushedTicks + (long)_policy.AckTimeout.TotalMilliseconds;
            if (mustAck) return;
            lane.Awaiting = null;
            lane.Window.Advance(entry.Seq);
            lane.Unconfirmed.Add(entry);
            SkippedWereTold(lane, entry);
            tooMany = _crowded || lane.Unconfirmed.Count > MostUnconfirmed;
        }

        Interlocked.Decrement(ref _counter.OutboxPending);
        if (tooMany) await ConfirmAsync([lane], all: true).ConfigureAwait(false);
        else ArmConfirm();
    }

    /// <summary>Once for each push, and before anything that its ack leads to: the ack may be here before the push has returned.</summary>
    private void TellPushed(PushLane lane, PushEntry entry)
    {
        lock (entry)
        {
            if (entry.PushTold) return;
            entry.PushTold = true;
            _events.Changed(entry.Id, lane.Key, entry.Seq, DeliveryState.Pushed);
        }
    }

    private void Pin(PushLane lane, bool wanted)
    {
        if (lane.Pinned == wanted) return;
        lane.Pinned = wanted;
        if (wanted) _lanes.TryPin(lane.Id, lane.Key);
        else _lanes.Unpin(lane.Id);
    }

    private void WakeAfter(PushLane lane, TimeSpan delay)
    {
        lane.Timer ??= _time.CreateTimer(state => WakeDue((PushLane)state!), lane, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        lane.Timer.Change(delay < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : delay, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Wakes the lane by its id: one that has gone to rest may have been forgotten, and be another object by now.</summary>
    private void WakeDue(PushLane lane)
    {
        if (_lanes.TryPin(lane.Id, lane.Key) is not { } current) return;
        Wake(current);
        _lanes.Unpin(lane.Id);
    }
}
