using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Core.Messaging;

/// <content>Users are told once that an answer is delayed: because turns fail for a while, or because the agent is away.</content>
internal sealed partial class TurnScheduler
{
    private readonly ConcurrentDictionary<long, Delay> _delays = new();
    private readonly ConcurrentDictionary<string, byte> _away = new(StringComparer.OrdinalIgnoreCase);
    private readonly SemaphoreSlim _delayed = new(0);

    /// <summary>A message's answer is delayed from now on, unless that is known.</summary>
    private void NoteDelay(TurnLane lane, TurnItem head)
    {
        if (_options.DelayNotice <= TimeSpan.Zero || _options.DelayNoticeText.Length == 0 || head.Message.Rules is { Replies: ReplyWay.Channel }) return;
        if (_delays.TryGetValue(lane.Id, out var known) && known.Turn == head.Id) return;
        // Hosts that share a store pass a lane on when its agent is away: only the message knows how long it has waited.
        var waited = _claims.IsShared ? _time.GetUtcNow().ToUnixTimeMilliseconds() - head.Message.AcceptedAt : 0;
        _delays[lane.Id] = new Delay(lane, head.Id, _time.GetTimestamp(), TimeSpan.FromMilliseconds(Math.Max(0, waited)));
        if (_delayed.CurrentCount == 0) _delayed.Release();
    }

    /// <summary>The agent is away: what stands in line for it waits.</summary>
    private void NoteAway(IAgent agent)
    {
        if (_options.DelayNotice <= TimeSpan.Zero || !_away.TryAdd(agent.Name, 0)) return;
        foreach (var lane in _lanes.Active())
        {
            TurnItem? head;
            lock (lane.Gate) head = lane.Busy ? lane.Head : null;
            if (head is not null && string.Equals(head.Message.Agent, agent.Name, StringComparison.OrdinalIgnoreCase)) NoteDelay(lane, head);
        }
    }

    private async Task WatchDelaysAsync()
    {
        try
        {
            while (true)
            {
                var waiting = _delays.Values.Where(delay => !delay.Told).ToArray();
                if (waiting.Length == 0)
                {
                    await _delayed.WaitAsync(_stop.Token).ConfigureAwait(false);
                    continue;
                }

                var next = waiting.Min(Left);
                if (next > TimeSpan.Zero)
                {
                    // One that comes meanwhile isn't due before those that are here, but where hosts share a store.
                    using var news = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
                    var come = _claims.IsShared ? _delayed.WaitAsync(news.Token) : Task.Delay(Timeout.Infinite, news.Token);
                    await Task.WhenAny(come, Task.Delay(next, _time, news.Token)).ConfigureAwait(false);
                    await news.CancelAsync().ConfigureAwait(false);
                    _stop.Token.ThrowIfCancellationRequested();
                }

                foreach (var delay in waiting.Where(delay => Left(delay) <= TimeSpan.Zero)) await TellAsync(delay).ConfigureAwait(false);
                // Told, and their lane is another host's by now.
                foreach (var (id, delay) in _delays)
                {
                    if (delay.Told && !delay.Lane.Busy) _delays.TryRemove(KeyValuePair.Create(id, delay));
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    private TimeSpan Left(Delay delay) => _options.DelayNotice - delay.Before - _time.GetElapsedTime(delay.Since);

    private async Task TellAsync(Delay delay)
    {
        delay.Told = true;
        TurnItem? item;
        lock (delay.Lane.Gate) item = delay.Lane.Busy && delay.Lane.Head?.Id == delay.Turn ? delay.Lane.Head : null;
        if (item is null)
        {
            _delays.TryRemove(KeyValuePair.Create(delay.Lane.Id, delay));
            return;
        }

        try
        {
            await _runner.TellDelayAsync(delay.Lane, item).ConfigureAwait(false);
        }
        catch (Exception fault)
        {
            // A courtesy; the answer itself is what must not be lost.
            LogNotTold(_logger, item.Id, fault is BridgeException known ? known.Code : fault.GetType().Name);
        }
    }

    private sealed class Delay(TurnLane lane, Guid turn, long since, TimeSpan before)
    {
        public TurnLane Lane => lane;

        public Guid Turn => turn;

        public long Since => since;

        /// <summary>How long it had waited before.</summary>
        public TimeSpan Before => before;

        public bool Told { get; set; }
    }
}
