using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Messaging;

/// <content>Words that are about the turn that runs: they pass the messages that wait behind it.</content>
internal sealed partial class TurnScheduler
{
    /// <summary>Such words of one conversation that are under way at most; more of them take their turn.</summary>
    private const int MostUrgent = 16;

    private const string StoppedText = "Stopped.";
    private const string NothingText = "There is nothing to stop.";

    /// <summary>True for a message that may pass its lane: a word that stops a turn, or decides on what it waits for.</summary>
    public bool IsUrgent(InboundMessage message) =>
        Agents.TryGetValue(message.Agent, out var agent) && (IsStop(message, agent) || Passes(message, agent));

    /// <summary>A message that passes its lane goes on at once, if there is a turn that it is about; otherwise it takes its turn.</summary>
    /// <param name="laneId">Its lane.</param>
    /// <param name="key">The lane's key.</param>
    /// <param name="item">The message.</param>
    /// <param name="tell">True: where another host has the lane, it is told.</param>
    public void Hasten(long laneId, LaneKey key, TurnItem item, bool tell)
    {
        if (_lanes.TryPin(laneId, key) is not { } lane) return;
        bool ours, begin = false;
        lock (lane.Gate)
        {
            ours = lane.Busy && lane.Claim != 0;
            if (ours && lane.Head is { } head && head.Ordinal < item.Ordinal && lane.Urgent.Count < MostUrgent && lane.Ended?.Contains(item.Ordinal) != true)
            {
                (lane.Ended ??= []).Add(item.Ordinal);
                lane.Urgent.Enqueue(new PassingWord(item, head));
                begin = lane.Urgent.Count == 1;
            }
        }

        if (begin)
        {
            // Keeps the pin. A stop waits for it, as for any turn.
            var passing = HastenAsync(lane);
            _passing.TryAdd(passing, 0);
            _ = passing.ContinueWith(over => _passing.TryRemove(over, out _), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            return;
        }

        _lanes.Unpin(laneId);
        if (tell && !ours && _claims.IsShared) _claims.TellUrgent(item.Id);
    }

    private static bool Passes(InboundMessage message, IAgent agent) => message.Rules is not { Commands: false } && agent.PassesLine(message);

    /// <summary><c>/stop</c> to an agent that doesn't take such words itself: the host stops its turn.</summary>
    private static bool IsStop(InboundMessage message, IAgent agent) =>
        message.Text.Length < 16 && message.Text.AsSpan().Trim().Equals("/stop", StringComparison.OrdinalIgnoreCase)
        && message.Rules is not { Commands: false } && !agent.PassesLine(message);

    private async Task HastenAsync(TurnLane lane)
    {
        while (true)
        {
            PassingWord word;
            long claim;
            lock (lane.Gate) (word, claim) = (lane.Urgent.Peek(), lane.Claim);
            var item = word.Item;
            var over = false;
            try
            {
                var agent = Agents[item.Message.Agent];
                if (IsStop(item.Message, agent)) await StopTurnAsync(lane, word, claim).ConfigureAwait(false);
                else await RunBesideAsync(agent, lane, item).ConfigureAwait(false);
                over = true;
            }
            catch (OperationCanceledException)
            {
                // Stopping: it is still in the inbox.
            }
            catch (BridgeException fault) when (fault.Code == ErrorCodes.ClaimLost)
            {
                // Another host has the lane, and will find it there.
                _claims.Lost(lane.Id, claim);
                LogClaimLost(_logger, item.Id);
            }
            catch (Exception fault)
            {
                LogTurnBroken(_logger, item.Id, fault);
                if (await PauseAsync().ConfigureAwait(false)) continue;
            }

            bool more;
            lock (lane.Gate)
            {
                if (!over) lane.TakeBack(item.Ordinal);
                lane.Urgent.Dequeue();
                more = lane.Urgent.Count > 0;
            }

            if (more) continue;
            Wake(lane);
            _lanes.Unpin(lane.Id);
            return;
        }
    }

    /// <summary>Waits before the next try; false: the host is stopping.</summary>
    private async Task<bool> PauseAsync()
    {
        try
        {
            await Task.Delay(StoreRetryDelay, _time, _stop.Token).ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Stops the turn that the lane was at when the word came, and says so. What waits behind it is answered.</summary>
    private async Task StopTurnAsync(TurnLane lane, PassingWord word, long claim)
    {
        var about = word.About.Id;
        if (await _store.GetInboxAsync(about, _stop.Token).ConfigureAwait(false) is { State: TurnState.Pending } entry)
        {
            await _store.CommitAsync(_cancels.Record(about), CancellationToken.None).ConfigureAwait(false);
            word.Stopped = true;
            if (!_cancels.Note(entry) && await EndWaitingAsync(entry, "the user stopped it", _stop.Token).ConfigureAwait(false))
                await _cancels.ForgetAsync(about).ConfigureAwait(false);
        }

        var answer = new AgentReply(word.Stopped ? StoppedText : NothingText);
        await _runner.EndWaitingAsync(lane.Id, claim, word.Item, "a word to the turn before it", answer, _stop.Token).ConfigureAwait(false);
    }

    /// <summary>
    /// Hands a word to its agent while the lane's turn runs. As many of them at once as the agent has turns, and none of those: what a turn waits for mustn't
    /// stand in line behind it.
    /// </summary>
    private async Task RunBesideAsync(IAgent agent, TurnLane lane, TurnItem item)
    {
        var slots = _beside[agent.Name];
        while (true)
        {
            await agent.WaitUntilAvailableAsync(_stop.Token).ConfigureAwait(false);
            await slots.WaitAsync(_stop.Token).ConfigureAwait(false);
            TurnVerdict verdict;
            Interlocked.Increment(ref _running);
            try
            {
                verdict = await _runner.RunAsync(agent, lane, item, _abort.Token).ConfigureAwait(false);
            }
            finally
            {
                Interlocked.Decrement(ref _running);
                slots.Release();
            }

            if (verdict.Finished) return;
            if (verdict.HandedBack) throw new OperationCanceledException();
            if (verdict.ClaimLost) throw new BridgeException(ErrorCodes.ClaimLost, "The lane is another host's now.");
            item = item with { Attempts = verdict.Attempts, FailingFor = verdict.FailingFor };
            await Task.Delay(verdict.Wait < LongestWait ? verdict.Wait : LongestWait, _time, _stop.Token).ConfigureAwait(false);
        }
    }

    /// <summary>A stop that finds nothing to stop, because it is its turn.</summary>
    private async Task<TurnVerdict> AnswerStopAsync(TurnLane lane, TurnItem item)
    {
        try
        {
            await _runner.EndWaitingAsync(lane.Id, lane.Claim, item, "there was nothing to stop", new AgentReply(NothingText), _stop.Token).ConfigureAwait(false);
            return new TurnVerdict(Finished: true);
        }
        catch (BridgeException fault) when (fault.Code == ErrorCodes.ClaimLost)
        {
            return new TurnVerdict(Finished: false, ClaimLost: true);
        }
    }
}
