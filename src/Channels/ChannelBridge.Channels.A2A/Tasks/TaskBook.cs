using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using ChannelBridge.A2A;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.A2A.Push;

namespace ChannelBridge.Channels.A2A.Tasks;

/// <summary>
/// The tasks as they are stored: one record for each, one for large artifacts, and one in the list, whose key sorts the task that changed last first.
/// Namespaces are the peers': what isn't a peer's can't be found by it.
/// </summary>
internal sealed class TaskBook(IRecords records, PushBook pushes, A2AOptions options, TimeProvider time)
{
    private const string KnownPeers = "a2a.known";
    private const int Page = 1000;
    // Artifacts up to this size lie in the task's own record: one write less for most tasks.
    private const int ArtifactsInline = 16 * 1024;

    // At least as long the inbox knows a message again, whatever the settings were when it came.
    private static readonly TimeSpan LeastDedupe = TimeSpan.FromDays(30);
    // Tasks that took longer than this are found by their records alone.
    private static readonly TimeSpan LongTask = TimeSpan.FromDays(7);

    // Together less than that: how long this host has run, and how old what it found then may be.
    private static readonly TimeSpan LongestRun = TimeSpan.FromDays(20);
    private static readonly TimeSpan OldAtStart = TimeSpan.FromDays(9);

    private readonly ConcurrentDictionary<string, PeerCount> _counts = new(StringComparer.Ordinal);
    private readonly DateTimeOffset _startedAt = time.GetUtcNow();

    /// <summary>The peers that ever had a task here.</summary>
    public IReadOnlyCollection<string> Peers => [.. _counts.Keys];

    /// <summary>The tasks of all peers, roughly where several hosts share a store.</summary>
    public int Total => _counts.Values.Sum(static count => Math.Max(0, Volatile.Read(ref count.Tasks)));

    /// <summary>How long the inbox knows a message again: as long as its task is kept, so that the same message is the same task as long as there is one.</summary>
    public TimeSpan DedupeWindow { get; } = options.Retention + LongTask > LeastDedupe ? options.Retention + LongTask : LeastDedupe;

    /// <summary>Counts what is there.</summary>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        await foreach (var peer in ReadAllAsync(KnownPeers, null, null, cancellationToken).ConfigureAwait(false))
        {
            await CountAsync(peer.Key, cancellationToken).ConfigureAwait(false);
            await pushes.LoadAsync(peer.Key, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Counts the tasks of peers that another host has met first.</summary>
    public async Task MeetAsync(CancellationToken cancellationToken)
    {
        await foreach (var peer in ReadAllAsync(KnownPeers, null, null, cancellationToken).ConfigureAwait(false))
        {
            if (!_counts.ContainsKey(peer.Key)) await CountAsync(peer.Key, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>How many tasks a peer has.</summary>
    public int CountOf(string peer) => _counts.TryGetValue(peer, out var count) ? Volatile.Read(ref count.Tasks) : 0;

    /// <summary>
    /// True when the inbox knows each message again whose task is still here. It remembers them for a month at least and for as long as ended tasks are kept, but a task
    /// that waits for its peer may be there for longer, and what was accepted under other settings is forgotten earlier. Only where no other host works with the peer's tasks.
    /// </summary>
    public bool InboxKnowsAll(string peer) =>
        (!_counts.TryGetValue(peer, out var count) || !count.MayBeOld) && time.GetUtcNow() - _startedAt < LongestRun;

    /// <summary>A task of a peer, or null.</summary>
    public async ValueTask<StoredTask?> FindAsync(string peer, string id, bool withArtifacts, CancellationToken cancellationToken)
    {
        if (id.Length is 0 or > 200) return null;
        if (await records.GetRecordAsync(TasksOf(peer), id, cancellationToken).ConfigureAwait(false) is not { } record) return null;
        var stored = StoredTask.Read(peer, record.Value.Span, record.Version);
        if (!withArtifacts || !stored.Head.HasArtifacts) return stored;
        var artifacts = await records.GetRecordAsync(ArtifactsOf(peer), id, cancellationToken).ConfigureAwait(false);
        return artifacts is null ? stored : stored with { Task = stored.Task with { Artifacts = A2ADialect.V10.Task.Read(artifacts.Value.Span).Artifacts } };
    }

    /// <summary>The writes that make a task's record what it is now.</summary>
    /// <param name="before">What is stored, or null for a new one.</param>
    /// <param name="next">The task, with its artifacts.</param>
    /// <param name="expected">The version that must be stored, or null for any.</param>
    /// <param name="writes">Where they are added to.</param>
    /// <param name="withArtifacts">False: the artifacts are those that are stored.</param>
    /// <returns>The task as it is stored then.</returns>
    public StoredTask Put(StoredTask? before, StoredTask next, long? expected, List<RecordWrite> writes, bool withArtifacts = true)
    {
        if (TaskStates.IsInterrupted(next.Task.Status.State)) _counts.GetOrAdd(next.Peer, static _ => new PeerCount()).MayBeOld = true;
        var now = time.GetUtcNow();
        var at = now.ToUnixTimeMilliseconds();
        var changed = (next.Task.Status.Timestamp ?? now).ToUnixTimeMilliseconds();
        var ended = next.Ended ? (next.Head.EndedAt > 0 ? next.Head.EndedAt : at) : 0;
        var until = ended > 0 ? ended + (long)options.Retention.TotalMilliseconds : 0;
        var artifacts = next.Task.Artifacts ?? [];
        var large = artifacts.Count > 0 && artifacts.Sum(static artifact => PartSizes.Of(artifact.Parts)) > ArtifactsInline;
        var key = ListKey(changed, next.Task.Id);
        next = next with { Head = next.Head with { ListKey = key, EndedAt = ended, HasArtifacts = large } };
        writes.Add(new RecordPut { Namespace = TasksOf(next.Peer), Key = next.Task.Id, Value = next.Write(), ExpiresAt = until, ExpectedVersion = expected, At = at });
        if (large && withArtifacts)
        {
            var held = A2ADialect.V10.Task.ToBytes(new A2ATask { Id = next.Task.Id, Artifacts = artifacts });
            writes.Add(new RecordPut { Namespace = ArtifactsOf(next.Peer), Key = next.Task.Id, Value = held, ExpiresAt = until, At = at });
        }

        if (before is not null && before.Head.ListKey != key) writes.Add(new RecordDelete { Namespace = ListOf(next.Peer), Key = before.Head.ListKey });
        writes.Add(ListPut(next, changed, until, at));
        return next;
    }

    /// <summary>
    /// Takes back what was written of a task into the list where the task itself wasn't changed, because somebody else had been faster; what the other one wrote may have
    /// been removed by that.
    /// </summary>
    /// <param name="said">The task as it was to be.</param>
    /// <param name="cancellationToken">Stops between two looks.</param>
    /// <returns>The task as it is, with its artifacts; null when it is gone.</returns>
    public async ValueTask<StoredTask?> RelistAsync(StoredTask said, CancellationToken cancellationToken)
    {
        var (peer, id, wrong) = (said.Peer, said.Task.Id, said.Head.ListKey);
        while (true)
        {
            var stored = await FindAsync(peer, id, withArtifacts: true, cancellationToken).ConfigureAwait(false);
            var writes = new List<RecordWrite>(2);
            if (stored?.Head.ListKey != wrong) writes.Add(new RecordDelete { Namespace = ListOf(peer), Key = wrong });
            if (stored is not null)
            {
                var now = time.GetUtcNow();
                var until = stored.Head.EndedAt > 0 ? stored.Head.EndedAt + (long)options.Retention.TotalMilliseconds : 0;
                writes.Add(ListPut(stored, (stored.Task.Status.Timestamp ?? now).ToUnixTimeMilliseconds(), until, now.ToUnixTimeMilliseconds()));
            }

            await records.WriteAsync(writes, cancellationToken).ConfigureAwait(false);
            if (stored is null) return null;
            // The record was read before the list was written: if the task has gone on in between, what stands in the list now is the wrong one.
            var after = await FindAsync(peer, id, withArtifacts: true, cancellationToken).ConfigureAwait(false);
            if (after?.Head.ListKey == stored.Head.ListKey) return after;
            wrong = stored.Head.ListKey;
        }
    }

    /// <summary>
    /// The same, all of it in one commit, or none of it where the task has changed meanwhile: for a change that is no message's doing.
    /// </summary>
    /// <param name="before">What is stored.</param>
    /// <param name="next">The task, with its artifacts.</param>
    /// <param name="more">What is written besides.</param>
    /// <param name="cancellationToken">Stops waiting; the change may still be made.</param>
    /// <returns>The record's version, or null: it has changed.</returns>
    public async ValueTask<long?> ReplaceAsync(
        StoredTask before, StoredTask next, Func<StoredTask, ValueTask<IReadOnlyList<RecordWrite>>>? more, CancellationToken cancellationToken)
    {
        var writes = new List<RecordWrite>(8);
        next = Put(before, next, before.Version, writes);
        if (more is not null) writes.AddRange(await more(next).ConfigureAwait(false));
        foreach (var write in writes.Skip(1)) write.With = writes[0];
        await records.WriteAsync(writes, cancellationToken).ConfigureAwait(false);
        var put = (RecordPut)writes[0];
        return put.Conflict ? null : put.Version;
    }

    /// <summary>
    /// Holds a task that waits for its peer for one message, which goes into the inbox next; without one, lets it go. Neither is a change that the peer sees.
    /// </summary>
    /// <returns>The task as it is stored now, or null: it has changed meanwhile.</returns>
    public async ValueTask<StoredTask?> HoldForAsync(StoredTask stored, string? messageId, CancellationToken cancellationToken)
    {
        var at = time.GetUtcNow().ToUnixTimeMilliseconds();
        var held = stored with { Head = stored.Head with { Next = messageId, NextAt = messageId is null ? 0 : at } };
        var put = new RecordPut { Namespace = TasksOf(stored.Peer), Key = stored.Task.Id, Value = held.Write(), ExpectedVersion = stored.Version, At = at };
        await records.WriteAsync(put, cancellationToken).ConfigureAwait(false);
        return put.Conflict ? null : held with { Version = put.Version };
    }

    /// <summary>The list of a peer, newest change first, behind a key.</summary>
    public async IAsyncEnumerable<(string Key, ListEntry Entry)> ReadListAsync(
        string peer, string? contextId, string? after, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var record in ReadAllAsync(ListOf(peer), contextId, after, cancellationToken).ConfigureAwait(false))
            yield return (record.Key, JsonSerializer.Deserialize(record.Value.Span, RecordJson.Default.ListEntry)!);
    }

    /// <summary>The key behind which everything is older than a time.</summary>
    public static string ListKey(long at, string id) => string.Create(CultureInfo.InvariantCulture, $"{long.MaxValue - at:x16}.{id}");

    /// <summary>True when another task of a peer takes no other one's place.</summary>
    public bool HasRoom(string peer) => CountOf(peer) < options.MaxTasksPerPeer && Total < options.MaxTasks;

    /// <summary>Makes room for another task of a peer: the oldest ended ones go.</summary>
    /// <exception cref="BridgeException"><c>BUSY</c>: none has ended.</exception>
    public async ValueTask MakeRoomAsync(string peer, CancellationToken cancellationToken)
    {
        if (CountOf(peer) >= options.MaxTasksPerPeer)
        {
            await CountAsync(peer, cancellationToken).ConfigureAwait(false);
            if (CountOf(peer) >= options.MaxTasksPerPeer && await DropOldestAsync(peer, options.MaxTasksPerPeer, cancellationToken).ConfigureAwait(false) == 0)
                throw Busy($"You have {options.MaxTasksPerPeer} tasks here that haven't ended, which is the limit; wait for one, or cancel one.");
        }

        if (Total < options.MaxTasks) return;
        // Whoever has the most gives.
        foreach (var other in _counts.OrderByDescending(static count => count.Value.Tasks).Select(static count => count.Key).ToArray())
        {
            await CountAsync(other, cancellationToken).ConfigureAwait(false);
            if (Total < options.MaxTasks || await DropOldestAsync(other, options.MaxTasks, cancellationToken).ConfigureAwait(false) > 0) return;
        }

        throw Busy("The host holds as many tasks as it may, and none of them has ended; try again later.");
    }

    /// <summary>A task of a peer was made.</summary>
    public void Added(string peer) => Interlocked.Increment(ref _counts.GetOrAdd(peer, static _ => new PeerCount()).Tasks);

    /// <summary>The write that makes a peer known; null when it is.</summary>
    public RecordPut? Introduce(string peer) => _counts.ContainsKey(peer)
        ? null
        : new RecordPut { Namespace = KnownPeers, Key = peer, Value = "{}"u8.ToArray(), At = time.GetUtcNow().ToUnixTimeMilliseconds() };

    /// <summary>Drops everything of a peer's tasks that isn't running.</summary>
    /// <returns>How many tasks went, and how many are still open.</returns>
    public async Task<(int Gone, int Open)> ForgetAsync(string peer, CancellationToken cancellationToken)
    {
        var (gone, open) = (0, 0);
        var batch = new List<RecordWrite>();
        await foreach (var (key, entry) in ReadListAsync(peer, null, null, cancellationToken).ConfigureAwait(false))
        {
            if (!TaskStates.EndsStream(entry.State))
            {
                open++;
                continue;
            }

            gone++;
            await DropAsync(peer, key, entry.Id, batch, cancellationToken).ConfigureAwait(false);
            if (batch.Count < 300) continue;
            await records.WriteAsync(batch, cancellationToken).ConfigureAwait(false);
            batch.Clear();
        }

        if (open == 0) batch.Add(new RecordDelete { Namespace = KnownPeers, Key = peer });
        if (batch.Count > 0) await records.WriteAsync(batch, cancellationToken).ConfigureAwait(false);
        if (open == 0) _counts.TryRemove(peer, out _);
        else _counts[peer] = new PeerCount { Tasks = open, MayBeOld = true };
        return (gone, open);
    }

    private static RecordPut ListPut(StoredTask task, long changed, long until, long at)
    {
        var entry = new ListEntry(task.Task.Id, task.Task.ContextId, task.Task.Status.State, changed, task.Head.CreatedAt);
        return new RecordPut
        {
            Namespace = ListOf(task.Peer),
            Key = task.Head.ListKey,
            Value = JsonSerializer.SerializeToUtf8Bytes(entry, RecordJson.Default.ListEntry),
            Index = task.Task.ContextId,
            ExpiresAt = until,
            At = at,
        };
    }

    private async Task<int> DropOldestAsync(string peer, int bound, CancellationToken cancellationToken)
    {
        // A hundredth at once, so that a peer at its bound doesn't have its whole list read for each message.
        var wanted = Math.Max(1, bound / 100);
        var oldest = new Queue<(string Key, string Id)>();
        await foreach (var (key, entry) in ReadListAsync(peer, null, null, cancellationToken).ConfigureAwait(false))
        {
            if (!TaskStates.IsTerminal(entry.State)) continue;
            oldest.Enqueue((key, entry.Id));
            if (oldest.Count > wanted) oldest.Dequeue();
        }

        if (oldest.Count == 0) return 0;
        var batch = new List<RecordWrite>();
        foreach (var (key, id) in oldest) await DropAsync(peer, key, id, batch, cancellationToken).ConfigureAwait(false);
        await records.WriteAsync(batch, cancellationToken).ConfigureAwait(false);
        Interlocked.Add(ref _counts.GetOrAdd(peer, static _ => new PeerCount()).Tasks, -oldest.Count);
        return oldest.Count;
    }

    private async ValueTask DropAsync(string peer, string key, string id, List<RecordWrite> batch, CancellationToken cancellationToken)
    {
        batch.Add(new RecordDelete { Namespace = ListOf(peer), Key = key });
        batch.Add(new RecordDelete { Namespace = TasksOf(peer), Key = id });
        batch.Add(new RecordDelete { Namespace = ArtifactsOf(peer), Key = id });
        await pushes.DropAsync(peer, id, batch, cancellationToken).ConfigureAwait(false);
    }

    private async Task CountAsync(string peer, CancellationToken cancellationToken)
    {
        var (count, isOld) = (0, false);
        var old = (_startedAt - OldAtStart).ToUnixTimeMilliseconds();
        await foreach (var (_, entry) in ReadListAsync(peer, null, null, cancellationToken).ConfigureAwait(false))
        {
            count++;
            isOld |= !TaskStates.IsTerminal(entry.State) || entry.MadeAt < old;
        }

        _counts[peer] = new PeerCount { Tasks = count, MayBeOld = isOld || (_counts.TryGetValue(peer, out var before) && before.MayBeOld) };
    }

    private async IAsyncEnumerable<StoreRecord> ReadAllAsync(
        string ns, string? index, string? after, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            var page = await records.ListRecordsAsync(ns, index, after, Page, cancellationToken).ConfigureAwait(false);
            foreach (var record in page) yield return record;
            if (page.Count < Page) yield break;
            after = page[^1].Key;
        }
    }

    private static BridgeException Busy(string message) => BridgeException.Busy(message, TimeSpan.FromSeconds(5));

    private static string TasksOf(string peer) => "a2a.task." + peer;

    private static string ArtifactsOf(string peer) => "a2a.artifacts." + peer;

    private static string ListOf(string peer) => "a2a.list." + peer;

    private sealed class PeerCount
    {
        public int Tasks;

        // It may have a task that was made long ago: it had one that waited for its peer, or one that was old or hadn't ended when this host started.
        public volatile bool MayBeOld;
    }
}
