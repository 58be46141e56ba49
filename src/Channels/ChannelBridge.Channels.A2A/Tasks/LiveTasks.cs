using ChannelBridge.A2A;
using ChannelBridge.A2A.Server;
using ChannelBridge.Abstractions.Agents;

namespace ChannelBridge.Channels.A2A.Tasks;

/// <summary>
/// The tasks that somebody looks at or that run here, in memory; everything else is a record. A task is here as long as its turn runs or somebody holds it.
/// </summary>
internal sealed class LiveTasks(TaskBook book, A2AOptions options, bool isShared, TimeProvider time)
{
    // A stream asked of another host than the turn's hears of a change within a second.
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(400);

    private readonly Lock _lock = new();
    private readonly Dictionary<(string Peer, string Id), LiveTask> _tasks = [];

    /// <summary>How large a task may become.</summary>
    public TaskBounds Bounds { get; } = TaskBounds.Default with { ArtifactBytes = options.MaxArtifactBytes };

    /// <summary>How many are in memory.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _tasks.Count;
        }
    }

    /// <summary>Holds a task that was just made, or that goes on: its first event is the task as it is given.</summary>
    public LiveHold Open(StoredTask task)
    {
        var live = Enter((task.Peer, task.Task.Id));
        lock (live.Gate)
        {
            if (live.Feed is { } feed) feed.Advance(task.Task);
            else live.Feed = new TaskFeed(task.Task, Bounds);
        }

        return Hold(live);
    }

    /// <summary>Holds a task to look at it, or null when it isn't there.</summary>
    public async ValueTask<LiveHold?> HoldAsync(string peer, string id, CancellationToken cancellationToken)
    {
        var live = Enter((peer, id));
        var hold = Hold(live);
        try
        {
            if (live.Feed is null)
            {
                if (await book.FindAsync(peer, id, withArtifacts: true, cancellationToken).ConfigureAwait(false) is not { } stored)
                {
                    hold.Dispose();
                    return null;
                }

                lock (live.Gate)
                {
                    if (live.Feed is null)
                    {
                        live.Feed = new TaskFeed(stored.Task, Bounds);
                        foreach (var item in live.Run?.SoFar() ?? []) live.Feed.Publish(item);
                    }
                }
            }

            return hold;
        }
        catch
        {
            hold.Dispose();
            throw;
        }
    }

    /// <summary>The task as it is in memory, or null: then its record says how it is.</summary>
    public A2ATask? Peek(string peer, string id) => Find(peer, id)?.Feed?.Snapshot();

    /// <summary>The turn of a task, where it runs here or was accepted here.</summary>
    public Guid? TurnOf(string peer, string id) => Find(peer, id) is { } live ? live.Run?.Turn ?? live.Turn : null;

    /// <summary>True when a task's turn runs here, or has begun to.</summary>
    public bool Runs(string peer, string id) => Find(peer, id)?.Run is not null;

    /// <summary>The turn of a task was accepted.</summary>
    public static void Accepted(LiveHold hold, Guid turn) => hold.Live.Turn = turn;

    /// <summary>Something happened in a task's turn.</summary>
    public void OnTurnEvent(string peer, string id, AgentTurn turn, int ordinal, AgentEvent agentEvent, bool repliesAreStatus)
    {
        var live = Enter((peer, id));
        try
        {
            lock (live.Gate)
            {
                var run = RunOf(live, turn, repliesAreStatus);
                foreach (var item in run.On(ordinal, agentEvent)) live.Feed?.Publish(item);
            }
        }
        finally
        {
            Leave(live);
        }
    }

    /// <summary>A task's turn is about to end: how, is told when it is durable.</summary>
    public void Ending(string peer, string id, AgentTurn turn, A2ATask final, bool repliesAreStatus)
    {
        // Nobody looks, and nothing was shown: then the record is all there is to know.
        if (Find(peer, id) is not { } live) return;
        lock (live.Gate) live.Final = (turn.Id, final);
        if (live.Feed is not null && live.Run is null) _ = ConfirmLaterAsync(live, turn, repliesAreStatus);
    }

    /// <summary>An attempt at a task's turn is over.</summary>
    /// <returns>True when that was the turn's end.</returns>
    public bool OnTurnEnded(string peer, string id, AgentTurn turn, bool repliesAreStatus)
    {
        if (Find(peer, id) is not { } live) return true;
        lock (live.Gate)
        {
            var run = live.Run is { } current && current.Turn == turn.Id ? current : null;
            if (live.Final is { } end && end.Turn == turn.Id)
            {
                var view = run ?? new RunView(id, ContextOf(turn), turn.Id, turn.Attempt, repliesAreStatus, time);
                // Another host may have taken the lane in the last moment: then this end is none, and the record says what is.
                if (isShared) _ = ConfirmAsync(live, view, end.Task);
                else TellEnd(live, view, end.Task);
                live.Final = null;
                live.Turn = null;
            }
            else if (run is null)
            {
                return false;
            }

            if (run is null) return true;
            live.Run = null;
        }

        // The run's own hold.
        Leave(live);
        return true;
    }

    /// <summary>Tells what a task has become where that was no turn's doing.</summary>
    public void Tell(string peer, A2ATask task) => Find(peer, task.Id)?.Feed?.Advance(task);

    private static void TellEnd(LiveTask live, RunView run, A2ATask final)
    {
        if (live.Feed is not { } feed) return;
        var before = (feed.Snapshot().Artifacts ?? []).Select(static artifact => artifact.ArtifactId).ToHashSet(StringComparer.Ordinal);
        foreach (var item in run.End(final, before)) feed.Publish(item);
    }

    /// <summary>
    /// The end of a turn of which nothing was heard: it was cancelled while it waited, or its agent had nothing to say. Whether it took place stands in the record.
    /// </summary>
    private async Task ConfirmLaterAsync(LiveTask live, AgentTurn turn, bool repliesAreStatus)
    {
        for (var look = 0; look < 100; look++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), time).ConfigureAwait(false);
            lock (live.Gate)
            {
                if (live.Final is not { } end || end.Turn != turn.Id) return;
            }

            try
            {
                if (await book.FindAsync(live.Key.Peer, live.Key.Id, withArtifacts: true, CancellationToken.None).ConfigureAwait(false) is not { } stored) return;
                if (!TaskStates.EndsStream(stored.Task.Status.State)) continue;
            }
            catch (Abstractions.Errors.BridgeException)
            {
                continue;
            }

            OnTurnEnded(live.Key.Peer, live.Key.Id, turn, repliesAreStatus);
            return;
        }
    }

    private async Task ConfirmAsync(LiveTask live, RunView run, A2ATask final)
    {
        try
        {
            if (await book.FindAsync(live.Key.Peer, live.Key.Id, withArtifacts: false, CancellationToken.None).ConfigureAwait(false) is not { } stored) return;
            lock (live.Gate)
            {
                if (stored.Task.Status.State == final.Status.State) TellEnd(live, run, final);
            }
        }
        catch (Abstractions.Errors.BridgeException)
        {
            // The store is away; who follows the task reads it later.
        }
    }

    private LiveTask? Find(string peer, string id)
    {
        lock (_lock) return _tasks.GetValueOrDefault((peer, id));
    }

    private RunView RunOf(LiveTask live, AgentTurn turn, bool repliesAreStatus)
    {
        if (live.Run is { } run && run.Turn == turn.Id && run.Attempt == turn.Attempt) return run;
        // The run holds its task until it is over.
        if (live.Run is null) Enter(live.Key);
        return live.Run = new RunView(live.Key.Id, ContextOf(turn), turn.Id, turn.Attempt, repliesAreStatus, time);
    }

    /// <summary>The conversation of a turn: what its lane's key ends with.</summary>
    private static string ContextOf(AgentTurn turn)
    {
        var prefix = $"a2a:{turn.Message.AccountId.ToLowerInvariant()}:";
        return turn.Message.SessionKey.StartsWith(prefix, StringComparison.Ordinal) ? turn.Message.SessionKey[prefix.Length..] : turn.Message.SessionKey;
    }

    private LiveTask Enter((string Peer, string Id) key)
    {
        lock (_lock)
        {
            if (!_tasks.TryGetValue(key, out var live)) _tasks[key] = live = new LiveTask(key);
            live.Holds++;
            return live;
        }
    }

    private void Leave(LiveTask live)
    {
        lock (_lock)
        {
            if (--live.Holds == 0) _tasks.Remove(live.Key);
        }
    }

    private LiveHold Hold(LiveTask live)
    {
        if (isShared && Interlocked.Exchange(ref live.Followed, 1) == 0) _ = FollowAsync(live);
        return new LiveHold(live, () => Leave(live));
    }

    /// <summary>Several hosts: what another one does with the task is read from its record, as long as somebody looks.</summary>
    private async Task FollowAsync(LiveTask live)
    {
        while (true)
        {
            await Task.Delay(LookEvery, time).ConfigureAwait(false);
            lock (_lock)
            {
                if (live.Holds == 0) return;
            }

            if (live.Feed is not { } feed || live.Run is not null) continue;
            try
            {
                if (await book.FindAsync(live.Key.Peer, live.Key.Id, withArtifacts: true, CancellationToken.None).ConfigureAwait(false) is { } stored && live.Run is null)
                    feed.Advance(stored.Task);
                if (TaskStates.IsTerminal(feed.State)) return;
            }
            catch (Abstractions.Errors.BridgeException)
            {
                // The store is away; the next look tells.
            }
        }
    }
}

/// <summary>A task in memory.</summary>
/// <param name="key">Whose and which.</param>
internal sealed class LiveTask((string Peer, string Id) key)
{
    public readonly Lock Gate = new();
    public int Holds;
    public int Followed;

    public (string Peer, string Id) Key => key;

    /// <summary>Its events; null while nobody looks.</summary>
    public TaskFeed? Feed { get; set; }

    /// <summary>Its turn while it runs here.</summary>
    public RunView? Run { get; set; }

    /// <summary>How its turn ends, between the saying and its being durable.</summary>
    public (Guid Turn, A2ATask Task)? Final { get; set; }

    /// <summary>Its turn, where it was accepted here.</summary>
    public Guid? Turn { get; set; }
}

/// <summary>Keeps a task in memory until it is disposed.</summary>
internal sealed class LiveHold(LiveTask live, Action leave) : IDisposable
{
    private int _left;

    public LiveTask Live => live;

    /// <summary>Its events.</summary>
    public TaskFeed Feed => live.Feed!;

    /// <summary>Reads the task's events; the hold ends with the reading.</summary>
    public IA2AEvents Read() => new Events(live.Feed!.Read(), this);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _left, 1) == 0) leave();
    }

    private sealed class Events(IA2AEvents inner, LiveHold hold) : IA2AEvents
    {
        public ValueTask<FeedEvent?> NextAsync(CancellationToken cancellationToken) => inner.NextAsync(cancellationToken);

        public async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync().ConfigureAwait(false);
            hold.Dispose();
        }
    }
}
