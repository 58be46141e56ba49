using ChannelBridge.A2A;
using ChannelBridge.A2A.Server;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Channels.A2A.Tasks;

/// <summary>
/// The tasks that somebody looks at or that run here, in memory; everything else is a record. A task is here as long as its turn runs or somebody holds it.
/// The record is what is true: an end is told when it is written, and what is read of a record that is older than what was told tells nothing.
/// </summary>
internal sealed class LiveTasks(TaskBook book, A2AOptions options, bool isShared, TimeProvider time)
{
    // A stream asked of another host than the turn's hears of a change within a second.
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(400);
    private static readonly TimeSpan AskAgain = TimeSpan.FromMilliseconds(500);

    private readonly Lock _lock = new();
    private readonly Dictionary<(string Peer, string Id), LiveTask> _tasks = [];

    /// <summary>How large a task may become.</summary>
    public TaskBounds Bounds { get; } = TaskBounds.Default with { ArtifactBytes = options.MaxArtifactBytes };

    /// <summary>True where other hosts may work with the same tasks.</summary>
    public bool IsShared => isShared;

    /// <summary>How many are in memory.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _tasks.Count;
        }
    }

    /// <summary>Holds a task that is about to be written: its first event is the task as it is given.</summary>
    /// <param name="task">The task, with the version of the record that it follows; 0 for a new one.</param>
    /// <param name="record">Its record in the commit to come.</param>
    public LiveHold Open(StoredTask task, RecordPut record)
    {
        var live = Enter((task.Peer, task.Task.Id));
        lock (live.Gate)
        {
            // Of two that write at once, the one that gets through has a version then.
            if (live.Begun is not { IsWritten: true }) live.Begun = new TaskBegin(task, record);
            live.Learn(task.Version, null);
            if (live.Feed is { } feed) feed.Advance(task.Task);
            else live.Begin(task.Task, task.Version, Bounds);
        }

        return Hold(live);
    }

    /// <summary>The task that was opened is written.</summary>
    public static void Accepted(LiveHold hold, Guid turn, long version)
    {
        lock (hold.Live.Gate)
        {
            hold.Live.Turn = turn;
            hold.Live.Learn(version, null);
        }
    }

    /// <summary>Holds a task to look at it, or null when it isn't there.</summary>
    public async ValueTask<LiveHold?> HoldAsync(string peer, string id, CancellationToken cancellationToken)
    {
        var live = Enter((peer, id));
        var hold = Hold(live);
        try
        {
            while (true)
            {
                int changes;
                lock (live.Gate)
                {
                    // What another host does with it stands in the record only, and what isn't written yet may never be.
                    if (live.Feed is not null && (!isShared || live.Run is not null) && (live.Version > 0 || live.Run is not null)) return hold;
                    changes = live.Changes;
                }

                if (await book.FindAsync(peer, id, withArtifacts: true, cancellationToken).ConfigureAwait(false) is not { } stored)
                {
                    hold.Dispose();
                    return null;
                }

                lock (live.Gate)
                {
                    // It went on while its record was read: then that may be a record of the time before.
                    if (live.Changes != changes) continue;
                    if (live.Feed is null) live.Begin(stored.Task, stored.Version, Bounds);
                    else live.Learn(stored.Version, feed => feed.Advance(stored.Task));
                    return hold;
                }
            }
        }
        catch
        {
            hold.Dispose();
            throw;
        }
    }

    /// <summary>A task as it is now, where its turn doesn't run here: memory may be a step ahead of a record that was read before, or behind it.</summary>
    public A2ATask Newest(StoredTask stored)
    {
        if (Find(stored.Peer, stored.Task.Id) is not { } live) return stored.Task;
        lock (live.Gate) return live.Feed is { } feed && live.Version >= stored.Version ? feed.Snapshot() : stored.Task;
    }

    /// <summary>
    /// The task as its record is at the end of a turn, where that is known without asking: nobody but the turn changes a task between the commit that accepts its
    /// message and the one that ends it. Null: the store knows.
    /// </summary>
    public StoredTask? BegunBy(string peer, string id, string? messageId)
    {
        // Another host may have accepted another message meanwhile.
        if (isShared || Find(peer, id) is not { } live) return null;
        lock (live.Gate)
        {
            if (live.Begun is not { IsWritten: true } begun || begun.Task.Head.LastMessageId != messageId || live.Version > begun.Record.Version) return null;
            return begun.Task with { Version = begun.Record.Version };
        }
    }

    /// <summary>True when a task is in memory.</summary>
    public bool Knows(string peer, string id) => Find(peer, id) is not null;

    /// <summary>The turn of a task, where it runs here or was accepted here.</summary>
    public Guid? TurnOf(string peer, string id) => Find(peer, id) is { } live ? live.Run?.Turn ?? live.Turn : null;

    /// <summary>True when a task's turn runs here, or has begun to.</summary>
    public bool Runs(string peer, string id) => Find(peer, id)?.Run is not null;

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

    /// <summary>A task's turn is about to end: how, is told when it is written.</summary>
    /// <param name="end">The task as it will be.</param>
    /// <param name="turn">The turn.</param>
    /// <param name="record">Its record in the commit to come.</param>
    public void Ending(StoredTask end, Guid turn, RecordPut record)
    {
        // Nobody looks, and nothing was shown: then the record is all there is to know.
        if (Find(end.Peer, end.Task.Id) is not { } live) return;
        lock (live.Gate) live.Final = new TaskEnd(turn, end.Task, record);
    }

    /// <summary>
    /// An attempt at a task's turn is over: it has ended, will be tried again, or goes on at another host. Whoever looks is told, at once or when the record was asked.
    /// </summary>
    public void OnTurnEnded(string peer, string id, AgentTurn turn, bool repliesAreStatus)
    {
        if (Find(peer, id) is not { } live) return;
        bool ran;
        lock (live.Gate)
        {
            var run = live.Run is { } current && current.Turn == turn.Id ? current : null;
            var view = run ?? new RunView(id, ContextOf(turn), turn.Id, turn.Attempt, repliesAreStatus, time);
            var end = live.Final is { } final && final.Turn == turn.Id ? final : null;
            ran = run is not null;
            live.Begun = null;
            if (ran) live.Run = null;
            if (end is not null) live.Final = null;
            if (end is { IsWritten: true })
            {
                live.Turn = null;
                live.Learn(end.Record.Version, feed => TellEnd(feed, view, end.Task));
            }
            else
            {
                // No end, as far as is known here, or one whose commit failed: the record says what is.
                live.Touch();
                if (live.Feed is not null)
                {
                    Enter(live.Key);
                    _ = AskAsync(live, view, end?.Task);
                }
            }
        }

        // The run's own hold.
        if (ran) Leave(live);
    }

    /// <summary>Tells what a task has become where that was no turn's doing.</summary>
    /// <param name="peer">Whose.</param>
    /// <param name="task">The task.</param>
    /// <param name="version">The version of its record.</param>
    public void Tell(string peer, A2ATask task, long version)
    {
        if (Find(peer, task.Id) is not { } live) return;
        lock (live.Gate) live.Learn(version, feed => feed.Advance(task));
    }

    private static void TellEnd(TaskFeed feed, RunView run, A2ATask final)
    {
        var before = (feed.Snapshot().Artifacts ?? []).Select(static artifact => artifact.ArtifactId).ToHashSet(StringComparer.Ordinal);
        feed.PublishEnd(run.End(final, before), final);
    }

    /// <summary>Reads the record, and tells what it says if that is news. The caller has entered the task.</summary>
    private async Task AskAsync(LiveTask live, RunView run, A2ATask? final)
    {
        try
        {
            while (true)
            {
                try
                {
                    Learn(live, await book.FindAsync(live.Key.Peer, live.Key.Id, withArtifacts: true, CancellationToken.None).ConfigureAwait(false), run, final);
                    return;
                }
                catch (BridgeException)
                {
                    // The store is away: whoever looks waits for it, and nobody else does.
                    await Task.Delay(AskAgain, time).ConfigureAwait(false);
                    lock (_lock)
                    {
                        if (live.Holds <= 1) return;
                    }
                }
            }
        }
        finally
        {
            Leave(live);
        }
    }

    private void Learn(LiveTask live, StoredTask? stored, RunView run, A2ATask? final)
    {
        lock (live.Gate)
        {
            if (stored is null)
            {
                // Forgotten, or too old: nothing more will ever be said of it.
                var gone = new A2ATaskStatus { State = TaskState.Canceled, Timestamp = time.GetUtcNow() };
                live.Learn(long.MaxValue, feed => feed.Publish(new StreamItem
                {
                    StatusUpdate = new TaskStatusUpdate { TaskId = live.Key.Id, ContextId = feed.Snapshot().ContextId, Status = gone },
                }));
                return;
            }

            live.Learn(stored.Version, feed =>
            {
                if (final is not null && final.Status.State == stored.Task.Status.State && final.Status.Timestamp == stored.Task.Status.Timestamp) TellEnd(feed, run, final);
                else feed.Advance(stored.Task);
            });
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

            lock (live.Gate)
            {
                if (live.Feed is not { } feed || live.Run is not null) continue;
                if (TaskStates.IsTerminal(feed.State)) return;
            }

            try
            {
                if (await book.FindAsync(live.Key.Peer, live.Key.Id, withArtifacts: true, CancellationToken.None).ConfigureAwait(false) is not { } stored) continue;
                lock (live.Gate) live.Learn(stored.Version, feed => feed.Advance(stored.Task));
            }
            catch (BridgeException)
            {
                // The store is away; the next look tells.
            }
        }
    }
}
