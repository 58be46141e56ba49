using System.Diagnostics;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Messaging;

/// <content>How a turn ends: done, given up, cancelled, or to be tried again; and what is written with that.</content>
internal sealed partial class TurnRunner
{
    /// <summary>Gives a message up that no agent was asked for. False: another host owns the lane now.</summary>
    public async Task<TurnVerdict> GiveUpAsync(TurnLane lane, TurnItem item, BridgeException error, CancellationToken abort)
    {
        var turn = new AgentTurn(item.Id, item.Message, item.Attempts);
        LogTurnFailed(logger, item.Id, item.Attempts, error.Code, again: false, error);
        var (verdict, _) = await GuardAsync(() => GiveUpAsync(lane, item, turn, new TurnRecord(), item.Attempts, error, abort), "dead").ConfigureAwait(false);
        if (verdict.Finished) await new TurnEvents(registry, turn, logger).EndAsync(turn, failed: true).ConfigureAwait(false);
        return verdict;
    }

    /// <summary>Ends a message's turn that was cancelled while it waited. True when that was written, and hadn't been before.</summary>
    /// <exception cref="BridgeException">A store error, an outdated claim among them, or one of the channel that may pass: nothing was written, the caller tries again.</exception>
    public async Task<bool> EndWaitingAsync(long laneId, long claim, TurnItem item, string reason, AgentReply? answer, CancellationToken cancellationToken)
    {
        var turn = new AgentTurn(item.Id, item.Message, item.Attempts);
        var done = Cancelled(laneId, claim, item, reason);
        var ending = new TurnEnding { Turn = turn, Outcome = TurnOutcome.Cancelled };
        using var prepared = answer is null || item.Message.Rules is { Replies: ReplyWay.Channel } ? null : _replies.Prepare(claim, item, answer, 0, Activity.Current);
        var records = await EndingAsync(ending, done, persistently: false, cancellationToken).ConfigureAwait(false);
        StoreWrite[] batch = [.. prepared is null ? [] : new StoreWrite[] { prepared.Append }, done, .. records];
        await _store.CommitAsync(batch, CancellationToken.None).ConfigureAwait(false);
        if (prepared is not null) _replies.Committed(prepared);
        // Who was told that it waits, or has asked what becomes of it.
        await new TurnEvents(registry, turn, logger).EndAsync(turn, failed: true).ConfigureAwait(false);
        if (!done.Changed) return false;
        backlogs.InboxAdd(backlogs.Of(item.Message.Channel, item.Message.AccountId), -1);
        return true;
    }

    /// <summary>Tells the user, once, that the answer is delayed.</summary>
    public async Task TellDelayAsync(TurnLane lane, TurnItem item)
    {
        using var notice = _replies.Prepare(lane.Claim, item, new AgentReply(options.DelayNoticeText, "block"), TurnReplies.DelayNotice, Activity.Current);
        await _store.CommitAsync(notice.Append, CancellationToken.None).ConfigureAwait(false);
        _replies.Committed(notice);
    }

    /// <summary>Tells who listens that a turn is held, because its sender is an agent and writes too fast.</summary>
    public async Task TellHeldAsync(TurnItem item, TimeSpan hold)
    {
        var turn = new AgentTurn(item.Id, item.Message, item.Attempts);
        await new TurnEvents(registry, turn, logger).AddAsync(
            0, new AgentStatus(
                $"Held: more than {options.AgentTurnsPerMinute} turns a minute between two agents. It goes on in {Math.Ceiling(hold.TotalSeconds):0} s."))
                .ConfigureAwait(false);
    }

    private async Task<TurnVerdict> FinishAsync(
        TurnLane lane, TurnItem item, AgentTurn turn, TurnRecord record, PreparedReply? last, RecordPut? remembered, CancellationToken abort)
    {
        using (last)
        {
            var done = new InboxUpdate
            {
                LaneId = lane.Id,
                Ordinal = item.Ordinal,
                State = TurnState.Done,
                Attempts = item.Attempts + 1,
                At = Now(),
                Claim = lane.Claim,
            };
            var ending = new TurnEnding
            {
                Turn = turn,
                Outcome = TurnOutcome.Completed,
                Finish = record.Finish,
                Replies = record.Replies,
                Artifacts = record.Artifacts,
            };
            List<StoreWrite> batch = last is null ? [done] : [last.Append, done];
            if (remembered is not null) batch.Add(remembered);
            batch.AddRange(await EndingAsync(ending, done, persistently: true, abort).ConfigureAwait(false));
            await CommitPersistentlyAsync(batch, abort).ConfigureAwait(false);
            if (last is not null) _replies.Committed(last);
        }

        backlogs.InboxAdd(backlogs.Of(lane.Key.Channel, lane.Key.Account), -1);
        return new TurnVerdict(Finished: true);
    }

    private async Task<TurnVerdict> EndCancelledAsync(TurnLane lane, TurnItem item, AgentTurn turn, TurnRecord record, CancellationToken abort)
    {
        var done = Cancelled(lane.Id, lane.Claim, item, "the turn was cancelled");
        var ending = new TurnEnding { Turn = turn, Outcome = TurnOutcome.Cancelled, Replies = record.Replies, Artifacts = record.Artifacts };
        await CommitPersistentlyAsync([done, .. await EndingAsync(ending, done, persistently: true, abort).ConfigureAwait(false)], abort).ConfigureAwait(false);
        // It may have been ended while it waited in line.
        if (done.Changed) backlogs.InboxAdd(backlogs.Of(lane.Key.Channel, lane.Key.Account), -1);
        return new TurnVerdict(Finished: true);
    }

    private async Task<(TurnVerdict Verdict, string Outcome)> FailAsync(
        TurnLane lane, TurnItem item, AgentTurn turn, TurnRecord record, BridgeException error, TimeSpan took, CancellationToken abort)
    {
        if (error.Code == ErrorCodes.Unavailable)
        {
            // The agent went away: its message waits for it, at no cost of an attempt.
            var delay = error.RetryAfter ?? AwayDelay;
            return (new TurnVerdict(Finished: false, item.Attempts, delay, FailingFor: item.FailingFor), "away");
        }

        var attempts = item.Attempts + 1;
        var patience = item.Message.Rules?.Patience ?? options.TurnPatience;
        // From the first failure on, without the time for which the agent was away or the message stood in line.
        var failing = item.FailingFor + (item.Attempts > 0 ? took : TimeSpan.Zero);
        var again = error.Retryable && failing < patience;
        var wait = error.RetryAfter ?? RetryDelay(attempts);
        LogTurnFailed(logger, item.Id, attempts, error.Code, again, error);
        return await GuardAsync(
            async () =>
            {
                if (!again) return await GiveUpAsync(lane, item, turn, record, attempts, error, abort).ConfigureAwait(false);
                var update = new InboxUpdate
                {
                    LaneId = lane.Id,
                    Ordinal = item.Ordinal,
                    State = TurnState.Pending,
                    Attempts = attempts,
                    NextAttemptAt = Now() + (long)wait.TotalMilliseconds,
                    Error = $"{error.Code}: {error.Message}",
                    At = Now(),
                    Claim = lane.Claim,
                };
                await CommitPersistentlyAsync([update], abort).ConfigureAwait(false);
                return new TurnVerdict(Finished: false, attempts, wait, FailingFor: failing + wait);
            },
            again ? "failed" : "dead").ConfigureAwait(false);
    }

    /// <summary>The wait before the attempt after this many.</summary>
    private TimeSpan RetryDelay(int attempts) =>
        TimeSpan.FromSeconds(Math.Min(options.TurnRetryDelay.TotalSeconds * Math.Pow(2, Math.Min(attempts - 1, 30)), LongestRetry.TotalSeconds));

    /// <summary>
    /// For how long a message read from the store has been failing: what is kept of it is the number of attempts, and so much time their waits took at least.
    /// </summary>
    public TimeSpan FailingFor(int attempts)
    {
        var waited = TimeSpan.Zero;
        var attempt = 1;
        for (; attempt <= attempts && RetryDelay(attempt) < LongestRetry; attempt++) waited += RetryDelay(attempt);
        return waited + ((attempts - attempt + 1) * LongestRetry);
    }

    private async Task<TurnVerdict> GiveUpAsync(
        TurnLane lane, TurnItem item, AgentTurn turn, TurnRecord record, int attempts, BridgeException error, CancellationToken abort)
    {
        var dead = new InboxUpdate
        {
            LaneId = lane.Id,
            Ordinal = item.Ordinal,
            State = TurnState.Dead,
            Attempts = attempts,
            Error = $"{error.Code}: {error.Message}",
            At = Now(),
            Claim = lane.Claim,
        };
        var ending = new TurnEnding
        {
            Turn = turn,
            Outcome = TurnOutcome.Failed,
            Replies = record.Replies,
            Artifacts = record.Artifacts,
            ErrorCode = error.Code,
            Error = error.Message,
        };
        var text = item.Message.Rules?.FailureNotice ?? options.TurnFailureNotice;
        using var notice = text.Length == 0 || item.Message.Rules is { Replies: ReplyWay.Channel }
            ? null
            : _replies.Prepare(lane.Claim, item, new AgentReply(text), TurnReplies.FailureNotice, Activity.Current);
        List<StoreWrite> batch = notice is null ? [dead] : [notice.Append, dead];
        batch.AddRange(await EndingAsync(ending, dead, persistently: true, abort).ConfigureAwait(false));
        await CommitPersistentlyAsync(batch, abort).ConfigureAwait(false);
        if (notice is not null) _replies.Committed(notice);
        var account = backlogs.Of(lane.Key.Channel, lane.Key.Account);
        backlogs.InboxAdd(account, -1);
        Interlocked.Increment(ref account.InboxDead);
        return new TurnVerdict(Finished: true);
    }

    /// <summary>What the channel writes with the end of its turn.</summary>
    private async Task<IReadOnlyList<RecordWrite>> EndingAsync(TurnEnding ending, InboxUpdate end, bool persistently, CancellationToken abort)
    {
        List<RecordWrite>? all = null;
        foreach (var listener in registry.Current.Of<ITurnEnding>())
        {
            if (listener.Channel != ending.Turn.Message.Channel) continue;
            foreach (var write in await EndingAsync(listener, ending, persistently, abort).ConfigureAwait(false))
            {
                write.With = end;
                (all ??= []).Add(write);
            }
        }

        return all ?? [];
    }

    /// <summary>
    /// What one channel writes with the end of its turn. Persistently: a fault that may pass is waited out here, because the agent's work is done and paid for;
    /// otherwise it is the caller's, who tries again.
    /// </summary>
    private async Task<IReadOnlyList<RecordWrite>> EndingAsync(ITurnEnding listener, TurnEnding ending, bool persistently, CancellationToken abort)
    {
        for (var delay = TimeSpan.FromMilliseconds(100); ; delay = delay < TimeSpan.FromSeconds(10) ? delay * 2 : delay)
        {
            try
            {
                return await listener.EndAsync(ending, abort).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (abort.IsCancellationRequested)
            {
                throw;
            }
            catch (BridgeException fault) when (fault.Retryable)
            {
                if (!persistently) throw;
                LogCommitFailed(logger, fault.Code, delay.TotalSeconds);
                await Task.Delay(delay, time, abort).ConfigureAwait(false);
            }
            catch (Exception fault)
            {
                // The conversation must go on whatever one channel does.
                LogEndingFailed(logger, listener.Channel, ending.Turn.Id, fault);
                return [];
            }
        }
    }

    private InboxUpdate Cancelled(long laneId, long claim, TurnItem item, string reason) => new()
    {
        LaneId = laneId,
        Ordinal = item.Ordinal,
        State = TurnState.Done,
        Attempts = item.Attempts,
        Error = $"{ErrorCodes.Cancelled}: {reason}",
        At = Now(),
        Claim = claim,
    };

    /// <summary>Runs what ends a turn; a stop hands it back, and a lost claim leaves it to the lane's new owner.</summary>
    private static async Task<(TurnVerdict Verdict, string Outcome)> GuardAsync(Func<Task<TurnVerdict>> end, string outcome)
    {
        try
        {
            return (await end().ConfigureAwait(false), outcome);
        }
        catch (OperationCanceledException)
        {
            return (new TurnVerdict(Finished: false, HandedBack: true), "handed-back");
        }
        catch (BridgeException fault) when (fault.Code == ErrorCodes.ClaimLost)
        {
            return (new TurnVerdict(Finished: false, ClaimLost: true), "claim-lost");
        }
    }

    /// <summary>The agent's work is done and paid for: when the store fails now, the commit is tried again, not the turn.</summary>
    private async Task CommitPersistentlyAsync(IReadOnlyList<StoreWrite> batch, CancellationToken abort)
    {
        for (var delay = TimeSpan.FromMilliseconds(100); ; delay = delay < TimeSpan.FromSeconds(10) ? delay * 2 : delay)
        {
            try
            {
                await _store.CommitAsync(batch, CancellationToken.None).ConfigureAwait(false);
                return;
            }
            catch (BridgeException fault) when (fault.Retryable)
            {
                LogCommitFailed(logger, fault.Code, delay.TotalSeconds);
                await Task.Delay(delay, time, abort).ConfigureAwait(false);
            }
        }
    }
}
