using System.Collections.Concurrent;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Messaging.Claims;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Messaging;

/// <summary>
/// Decides which lane runs its next turn. Lanes with work stand in line per agent and go to the line's end after each turn, so that a lane with ten
/// thousand messages doesn't delay one with a single one, and an agent that is away holds up only its own messages.
/// </summary>
internal sealed partial class TurnScheduler : IDisposable
{
    private static readonly TimeSpan StoreRetryDelay = TimeSpan.FromSeconds(1);
    // A stored time further off was written before the clock was set back.
    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(1);
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan AwayPatience = TimeSpan.FromSeconds(5);

    private readonly IStore _store;
    private readonly MessagingOptions _options;
    private readonly TimeProvider _time;
    private readonly TurnRunner _runner;
    private readonly TurnCancels _cancels;
    private readonly TurnGuard _guard;
    private readonly ILogger<TurnScheduler> _logger;
    private readonly ILaneClaims _claims;
    private readonly LaneMemory _memory;
    private readonly LaneTable<TurnLane> _lanes;
    private readonly Dictionary<string, Channel<TurnLane>> _lines = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, SemaphoreSlim> _beside = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentDictionary<Task, byte> _passing = new();
    private readonly ConcurrentDictionary<string, long> _awaySince = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<Task> _workers = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _abort = new();
    private readonly Channel<bool> _resume = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    private int _running;

    public TurnScheduler(
        IStore store,
        IEnumerable<IAgent> agents,
        TurnRunner runner,
        MessagingOptions options,
        TurnCancels cancels,
        TimeProvider time,
        ILogger<TurnScheduler> logger,
        ILaneClaims? claims = null)
    {
        _claims = claims ?? SingleHostClaims.Instance;
        _store = store;
        _options = options;
        _time = time;
        _runner = runner;
        _cancels = cancels;
        _guard = new TurnGuard(options.AgentTurnsPerMinute, time);
        _logger = logger;
        _memory = new LaneMemory(options.LaneMemory);
        Bound = new LaneBound(options.LaneInboxCapacity);
        _lanes = new LaneTable<TurnLane>(options.ActiveLanes, options.IdleLanes, (id, key) => new TurnLane(id, key, options.LaneWindow, _memory));
        foreach (var agent in agents)
        {
            // Unbounded, but a lane stands in at most one line once, and the lane table bounds the lanes.
            _lines[agent.Name] = Channel.CreateUnbounded<TurnLane>();
            _beside[agent.Name] = new SemaphoreSlim(options.ConcurrentTurns);
            Agents[agent.Name] = agent;
        }
    }

    /// <summary>The agents by name.</summary>
    public ConcurrentDictionary<string, IAgent> Agents { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Lanes with work in memory.</summary>
    public int ActiveLanes => _lanes.ActiveCount;

    /// <summary>Lanes in memory, with or without work.</summary>
    public int LanesInMemory => _lanes.Count;

    /// <summary>The lanes whose inbox is full.</summary>
    public LaneBound Bound { get; }

    /// <summary>Turns of agents that were held since the start, because they came too fast.</summary>
    public long Held => _guard.Held;

    /// <summary>Turns that run now, of all agents.</summary>
    public int Running => Volatile.Read(ref _running);

    /// <summary>How many lanes stand in line for each agent.</summary>
    public IEnumerable<(string Agent, int Waiting)> Waiting => _lines.Select(line => (line.Key, line.Value.Reader.Count));

    /// <summary>The lane with the most messages before it, of those in memory; null when none has any.</summary>
    public (LaneKey Key, long Depth)? Deepest()
    {
        (LaneKey Key, long Depth)? deepest = null;
        foreach (var lane in _lanes.Active())
        {
            long depth;
            lock (lane.Gate) depth = lane.Window.Depth;
            if (depth > (deepest?.Depth ?? 0)) deepest = (lane.Key, depth);
        }

        return deepest;
    }

    /// <summary>Bytes of messages held for turns.</summary>
    public long MemoryUsed => _memory.Used;

    /// <summary>Starts the workers and takes up what the store holds without a finished turn.</summary>
    public void Start()
    {
        foreach (var (name, line) in _lines)
        {
            for (var worker = 0; worker < _options.ConcurrentTurns; worker++) _workers.Add(WorkAsync(Agents[name], line.Reader));
        }

        _workers.Add(ResumeAsync());
        if (_options.DelayNotice > TimeSpan.Zero) _workers.Add(WatchDelaysAsync());
        _resume.Writer.TryWrite(true);
    }

    /// <summary>Takes a message that has just become durable.</summary>
    public void Offer(long laneId, LaneKey key, TurnItem item)
    {
        var lane = _lanes.TryPin(laneId, key);
        if (lane is null)
        {
            // Too many lanes with work: this one waits in the store until the others have made room.
            _resume.Writer.TryWrite(true);
            if (item.Ordinal >= Bound.Capacity && !Bound.IsFull(key)) _ = MeasureAsync(laneId, key, item.Ordinal);
            return;
        }

        lock (lane.Gate)
        {
            lane.Window.Offer(item.Ordinal, item, item.Size);
            // How far another host is with the lane isn't known here.
            if (item.Ordinal >= Bound.Capacity && (lane.Busy || !_claims.IsShared)) Bound.Note(key, laneId, lane.Window.Depth);
        }

        Wake(lane);
        _lanes.Unpin(laneId);
    }

    /// <summary>Starts no more turns, lets running ones finish for a while, then hands them back to the inbox.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        var all = Task.WhenAll([.. _workers, .. _passing.Keys]);
        try
        {
            await all.WaitAsync(_options.StopGrace, _time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            LogHandingBack(_logger, _options.StopGrace.TotalSeconds);
        }

        await _abort.CancelAsync().ConfigureAwait(false);
        await all.ConfigureAwait(false);
    }

    public void Dispose()
    {
        _stop.Dispose();
        _abort.Dispose();
        _delayed.Dispose();
        foreach (var slots in _beside.Values) slots.Dispose();
    }

    /// <summary>This lane is this host's, and has entries up to a number.</summary>
    public void Resume(PendingLane pending)
    {
        var lane = _lanes.TryPin(pending.Id, pending.Key);
        if (lane is null)
        {
            _resume.Writer.TryWrite(true);
            return;
        }

        lock (lane.Gate) lane.Window.Announce(pending.Known);
        Wake(lane);
        _lanes.Unpin(pending.Id);
    }

    /// <summary>This lane is another host's: what was kept of it here is let go.</summary>
    public void Forget(PendingLane pending)
    {
        if (_lanes.TryPin(pending.Id, pending.Key) is not { } lane) return;
        lock (lane.Gate)
        {
            if (!lane.Busy) lane.Window.Forget();
            Bound.Note(lane.Key, lane.Id, lane.Window.Depth);
        }

        _lanes.Unpin(pending.Id);
    }

    /// <summary>Looks into the store for lanes that nobody works on: for all of them, or for the next few.</summary>
    public void Look(bool everything)
    {
        if (everything) _lookAtAll = true;
        _resume.Writer.TryWrite(everything);
    }

    /// <summary>Makes a lane take its next step unless somebody is at it already, or another host is.</summary>
    private void Wake(TurnLane lane)
    {
        PendingLane wanted = default;
        bool parked;
        lock (lane.Gate)
        {
            parked = lane.Parked;
            lane.Parked = false;
            if (lane.Busy && !parked) return;
            if (!parked) lane.Claim = _claims.Enter(lane.Id);
            if (lane.Claim == 0) wanted = new PendingLane(lane.Id, lane.Key, lane.Window.Known);
            else lane.Busy = true;
        }

        if (wanted.Id != 0)
        {
            _claims.Want(wanted);
            return;
        }

        // One that was parked has its pin.
        if (!parked) _lanes.TryPin(lane.Id, lane.Key);
        Step(lane);
    }

    /// <summary>Takes a busy lane to its next station: a line, a load, a wait, or rest.</summary>
    private void Step(TurnLane lane)
    {
        TurnItem? head;
        if (!_claims.IsCurrent(lane.Id, lane.Claim))
        {
            lock (lane.Gate) lane.GiveUp();
            Wake(lane);
            _lanes.Unpin(lane.Id);
            return;
        }

        lock (lane.Gate)
        {
            if (lane.Reread)
            {
                lane.Reread = false;
                lane.Window.Forget();
            }

            var next = lane.Window.Peek(out var number, out head);
            while (next == LaneNext.Item && lane.Ended?.Contains(number) == true)
            {
                lane.Window.Advance(number);
                lane.Ended.RemoveWhere(ended => ended <= number);
                next = lane.Window.Peek(out number, out head);
            }

            if (lane.Window.Known >= Bound.Capacity) Bound.Note(lane.Key, lane.Id, lane.Window.Depth);
            if (head is not null && lane.Head is { } newer && newer.Ordinal == head.Ordinal) head = newer;
            switch (next)
            {
                case LaneNext.Nothing when lane.Urgent.Count > 0:
                    lane.Parked = true;
                    lane.Head = null;
                    return;
                case LaneNext.Nothing:
                    _claims.Leave(lane.Id, lane.Claim);
                    lane.Claim = 0;
                    lane.Busy = false;
                    lane.Head = null;
                    break;
                case LaneNext.Item:
                    lane.Head = head;
                    break;
            }

            if (next == LaneNext.Load) head = null;
            else if (next == LaneNext.Nothing)
            {
                _lanes.Unpin(lane.Id);
                return;
            }
        }

        if (head is null)
        {
            _ = LoadAsync(lane);
            return;
        }

        var wait = head.Due == 0 ? TimeSpan.Zero : _time.GetElapsedTime(_time.GetTimestamp(), head.Due);
        if (wait > TimeSpan.Zero) StepAfter(lane, wait);
        else if (_lines.TryGetValue(head.Message.Agent, out var line))
        {
            if (!_away.IsEmpty && _away.ContainsKey(head.Message.Agent)) NoteDelay(lane, head);
            line.Writer.TryWrite(lane);
        }
        else _ = GiveUpUnknownAsync(lane, head);
    }

    /// <summary>Nobody can answer the message: it is given up, and the next one goes on.</summary>
    private async Task GiveUpUnknownAsync(TurnLane lane, TurnItem head)
    {
        LogUnknownAgent(_logger, head.Message.Agent, head.Id);
        try
        {
            var error = new BridgeException(
                ErrorCodes.NotFound, $"The settings know no agent '{head.Message.Agent}'; add Agents:{head.Message.Agent}, restart, and replay this dead letter.");
            Take(lane, head, await _runner.GiveUpAsync(lane, head, error, _abort.Token).ConfigureAwait(false));
        }
        catch (Exception fault)
        {
            LogTurnBroken(_logger, head.Id, fault);
            StepAfter(lane, StoreRetryDelay);
        }
    }

    /// <summary>What a turn came to moves its lane on. False: the host is stopping.</summary>
    private bool Take(TurnLane lane, TurnItem head, TurnVerdict verdict)
    {
        if (verdict.HandedBack) return false;
        if (verdict.ClaimLost)
        {
            _claims.Lost(lane.Id, lane.Claim);
            LogClaimLost(_logger, head.Id);
            Step(lane);
            return true;
        }

        lock (lane.Gate)
        {
            if (verdict.Finished)
            {
                lane.Window.Advance(head.Ordinal);
                lane.Ended?.RemoveWhere(ended => ended <= head.Ordinal);
            }

            lane.Head = verdict.Finished ? null : head with { Attempts = verdict.Attempts, Due = DueAfter(verdict.Wait), FailingFor = verdict.FailingFor };
        }

        if (!verdict.Finished) NoteDelay(lane, head);
        else if (!_delays.IsEmpty) _delays.TryRemove(lane.Id, out _);
        Step(lane);
        return true;
    }

    /// <summary>The timestamp after a wait. The clock may be set back or forth meanwhile: a wait stays what it was.</summary>
    private long DueAfter(TimeSpan wait)
    {
        if (wait <= TimeSpan.Zero) return 0;
        return _time.GetTimestamp() + (long)((wait < LongestWait ? wait : LongestWait).TotalSeconds * _time.TimestampFrequency);
    }

    private void StepAfter(TurnLane lane, TimeSpan delay)
    {
        if (_stop.IsCancellationRequested) return;
        // A timer may be early by a moment.
        if (delay < ShortestWait) delay = ShortestWait;
        lane.Retry ??= _time.CreateTimer(state => WaitOver((TurnLane)state!), lane, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Volatile.Write(ref lane.Waiting, 1);
        lane.Retry.Change(delay, Timeout.InfiniteTimeSpan);
    }

    // At most one step for each wait, however often the timer is set off.
    private void WaitOver(TurnLane lane)
    {
        if (Interlocked.Exchange(ref lane.Waiting, 0) == 1) Step(lane);
    }

    private async Task WorkAsync(IAgent agent, ChannelReader<TurnLane> line)
    {
        try
        {
            while (await line.WaitToReadAsync(_stop.Token).ConfigureAwait(false))
            {
                while (line.TryRead(out var lane))
                {
                    _stop.Token.ThrowIfCancellationRequested();
                    if (!await IsServedAsync(agent, lane).ConfigureAwait(false)) continue;
                    var head = lane.Head!;
                    TurnVerdict verdict;
                    Interlocked.Increment(ref _running);
                    try
                    {
                        if (_guard.Take(head.Message, head.Attempts > 0, out var first) is var hold && hold > TimeSpan.Zero)
                        {
                            if (first) LogHeld(_logger, head.Message.Channel, head.Message.AccountId, head.Message.SenderId, _options.AgentTurnsPerMinute, hold.TotalSeconds);
                            await _runner.TellHeldAsync(head, hold).ConfigureAwait(false);
                            StepAfter(lane, hold);
                            continue;
                        }

                        verdict = IsStop(head.Message, agent)
                            ? await AnswerStopAsync(lane, head).ConfigureAwait(false)
                            : await _runner.RunAsync(agent, lane, head, _abort.Token).ConfigureAwait(false);
                    }
                    catch (Exception fault) when (fault is not OperationCanceledException || !_stop.IsCancellationRequested)
                    {
                        // The worker must outlive whatever one turn does; the message is still pending in the store.
                        LogTurnBroken(_logger, head.Id, fault);
                        StepAfter(lane, StoreRetryDelay);
                        continue;
                    }
                    finally
                    {
                        Interlocked.Decrement(ref _running);
                    }

                    if (!Take(lane, head, verdict)) return;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    /// <summary>Waits for the agent. False: the lane isn't this host's any more, because it was lost meanwhile, or passed on to a host where the agent is.</summary>
    private async ValueTask<bool> IsServedAsync(IAgent agent, TurnLane lane)
    {
        if (_claims.IsShared)
        {
            using var enough = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            var available = agent.WaitUntilAvailableAsync(enough.Token);
            if (!available.IsCompleted) NoteDelay(lane, lane.Head!);
            if (!available.IsCompleted && !await ComesBackAsync(agent, available).ConfigureAwait(false))
            {
                await enough.CancelAsync().ConfigureAwait(false);
                PendingLane passed;
                long claim;
                lock (lane.Gate)
                {
                    (passed, claim) = (new PendingLane(lane.Id, lane.Key, lane.Window.Known), lane.Claim);
                    lane.GiveUp();
                }

                _claims.PassOn(passed, claim);
                _lanes.Unpin(lane.Id);
                return false;
            }
        }

        var here = agent.WaitUntilAvailableAsync(_stop.Token);
        if (!here.IsCompleted)
        {
            NoteAway(agent);
            NoteDelay(lane, lane.Head!);
        }

        await here.ConfigureAwait(false);
        if (!_away.IsEmpty) _away.TryRemove(agent.Name, out _);
        if (_claims.IsCurrent(lane.Id, lane.Claim)) return true;
        Step(lane);
        return false;
    }

    /// <summary>An agent that was here a moment ago is waited for; one that stays away is left to other hosts.</summary>
    private async Task<bool> ComesBackAsync(IAgent agent, Task available)
    {
        var since = _awaySince.GetOrAdd(agent.Name, _ => _time.GetTimestamp());
        var patience = AwayPatience - _time.GetElapsedTime(since);
        if (patience > TimeSpan.Zero) await Task.WhenAny(available, Task.Delay(patience, _time, _stop.Token)).ConfigureAwait(false);
        _stop.Token.ThrowIfCancellationRequested();
        if (!available.IsCompleted) return false;
        _awaySince.TryRemove(agent.Name, out _);
        return true;
    }

    [LoggerMessage(LogEvents.TurnSchedulerHandingBack, LogLevel.Warning, "Turns still run {Seconds} s after the stop was asked for; they are handed back and will run again.")]
    private static partial void LogHandingBack(ILogger logger, double seconds);

    [LoggerMessage(LogEvents.TurnSchedulerUnknownAgent, LogLevel.Error,
        "Message {Id} is for the agent '{Agent}', which the settings don't know; it becomes a dead letter. Configure the agent, restart, and replay it.")]
    private static partial void LogUnknownAgent(ILogger logger, string agent, Guid id);

    [LoggerMessage(LogEvents.TurnSchedulerHeld, LogLevel.Warning,
        "Two agents may be answering each other for ever: {Peer} has had {Turns} turns of {Channel}/{Account} within a minute, its next one "
            + "is held for {Seconds} s. See Limits:AgentTurnsPerMinute.")]
    private static partial void LogHeld(ILogger logger, string channel, string account, string peer, int turns, double seconds);

    [LoggerMessage(LogEvents.TurnSchedulerNotTold, LogLevel.Warning, "Turn {Id}: the user can't be told that the answer is delayed ({Code}).")]
    private static partial void LogNotTold(ILogger logger, Guid id, string code);

    [LoggerMessage(LogEvents.TurnSchedulerTurnBroken, LogLevel.Error, "Turn {Id} broke off; it will be tried again.")]
    private static partial void LogTurnBroken(ILogger logger, Guid id, Exception fault);

    [LoggerMessage(LogEvents.TurnSchedulerClaimLost, LogLevel.Warning, "Turn {Id} was taken over by another host, which runs it again; nothing of it was written here.")]
    private static partial void LogClaimLost(ILogger logger, Guid id);
}
