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
            var first = lane.Head is { } head && head.Ordinal < item.Ordinal;
            if (ours && first && lane.Urgent.Count < MostUrgent && lane.Ended?.Contains(item.Ordinal) != true)
            {
                (lane.Ended ??= []).Add(item.Ordinal);
                lane.Urgent.Enqueue(item);
                begin = lane.Urgent.Count == 1;
            }
        }

        if (begin)
        {
            // Keeps the pin.
            _ = HastenAsync(lane);
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
            TurnItem item;
            lock (lane.Gate) item = lane.Urgent.Peek();
            var over = false;
            try
            {
                var agent = Agents[item.Message.Agent];
                if (IsStop(item.Message, agent)) await StopTurnAsync(lane, item).ConfigureAwait(false);
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
            }
            catch (Exception fault)
            {
                LogTurnBroken(_logger, item.Id, fault);
                if (await PauseAsync().ConfigureAwait(false)) continue;
            }

            bool more;
            lock (lane.Gate)
            {
                if (!over) lane.Ended?.Remove(item.Ordinal);
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

    /// <summary>Stops the turn that the lane is at, and says so. What waits behind it is answered.</summary>
    private async Task StopTurnAsync(TurnLane lane, TurnItem word)
    {
        TurnItem? head;
        lock (lane.Gate) head = lane.Head;
        var stopped = false;
        if (head is not null && head.Ordinal < word.Ordinal && await _store.GetInboxAsync(head.Id, _stop.Token).ConfigureAwait(false) is { State: TurnState.Pending } entry)
        {
            stopped = true;
            await _store.CommitAsync(_cancels.Record(head.Id), CancellationToken.None).ConfigureAwait(false);
            if (!_cancels.Note(entry) && await EndWaitingAsync(entry, "the user stopped it").ConfigureAwait(false)) await _cancels.ForgetAsync(entry.Id).ConfigureAwait(false);
        }

        long claim;
        lock (lane.Gate) claim = lane.Claim;
        await _runner.EndWaitingAsync(lane.Id, claim, word, "a word to the turn before it", new AgentReply(stopped ? StoppedText : NothingText)).ConfigureAwait(false);
    }

    /// <summary>Hands a word to its agent while the lane's turn runs.</summary>
    private async Task RunBesideAsync(IAgent agent, TurnLane lane, TurnItem item)
    {
        while (true)
        {
            await agent.WaitUntilAvailableAsync(_stop.Token).ConfigureAwait(false);
            var verdict = await _runner.RunAsync(agent, lane, item, _abort.Token).ConfigureAwait(false);
            if (verdict.Finished) return;
            if (verdict.HandedBack || verdict.ClaimLost) throw new OperationCanceledException();
            item = item with { Attempts = verdict.Attempts, NotBefore = verdict.NotBefore, FailingFor = verdict.FailingFor };
            var wait = TimeSpan.FromMilliseconds(Math.Max(0, verdict.NotBefore - _time.GetUtcNow().ToUnixTimeMilliseconds()));
            await Task.Delay(wait, _time, _stop.Token).ConfigureAwait(false);
        }
    }

    /// <summary>A stop that finds nothing to stop, because it is its turn.</summary>
    private async Task<TurnVerdict> AnswerStopAsync(TurnLane lane, TurnItem item)
    {
        await _runner.EndWaitingAsync(lane.Id, lane.Claim, item, "there was nothing to stop", new AgentReply(NothingText)).ConfigureAwait(false);
        return new TurnVerdict(Finished: true);
    }
}
