using System.Diagnostics.CodeAnalysis;

namespace ChannelBridge.A2A.Server;

/// <summary>
/// A task that changes, and those who hear of it. Every reader gets the task as it is when it comes, then every event that follows, all
/// readers the same ones in the same order. Events are linked to each other: a slow reader holds what it hasn't read, and nobody else
/// waits for it. After the end, or where the task waits for its client, streams end.
/// </summary>
public sealed class TaskFeed
{
    private readonly Lock _lock = new();
    private readonly TaskFold _fold;
    private Node _last = new();
    private TaskCompletionSource? _rest;
    private int _readers;

    /// <summary>Begins with a task as it is.</summary>
    public TaskFeed(A2ATask task, TaskBounds? bounds = null) => _fold = new TaskFold(task, bounds);

    /// <summary>How many are reading.</summary>
    public int Readers => Volatile.Read(ref _readers);

    /// <summary>The state.</summary>
    public TaskState State
    {
        get
        {
            lock (_lock) return _fold.State;
        }
    }

    /// <summary>The task as it is now.</summary>
    public A2ATask Snapshot()
    {
        lock (_lock) return _fold.Snapshot();
    }

    /// <summary>Takes an event and tells it to all readers, or refuses it.</summary>
    public FoldResult Publish(StreamItem item)
    {
        ArgumentNullException.ThrowIfNull(item);
        lock (_lock)
        {
            var result = _fold.Apply(item);
            if (result is not FoldResult.Applied) return result;
            Tell(item);
            NoteRest();
            return result;
        }
    }

    /// <summary>
    /// Takes the last events of a task that ends or waits for its client, and the task as it is kept then: readers hear the events, and who asks from now on gets the
    /// task as it is kept.
    /// </summary>
    public void PublishEnd(IEnumerable<StreamItem> events, A2ATask kept)
    {
        ArgumentNullException.ThrowIfNull(events);
        lock (_lock)
        {
            foreach (var item in events)
            {
                if (_fold.Apply(item) is FoldResult.Applied) Tell(item);
            }

            _fold.Settle(kept);
            NoteRest();
        }
    }

    /// <summary>Takes a later look at the task, from where it is kept, and tells all readers what is new in it.</summary>
    public void Advance(A2ATask next)
    {
        ArgumentNullException.ThrowIfNull(next);
        lock (_lock)
        {
            foreach (var item in _fold.Advance(next)) Tell(item);
            NoteRest();
        }
    }

    /// <summary>Adds a message of the client to the history.</summary>
    public void AddHistory(A2AMessage message)
    {
        lock (_lock) _fold.AddHistory(message);
    }

    /// <summary>Begins to read: first the task, then what follows.</summary>
    public IA2AEvents Read()
    {
        lock (_lock)
        {
            Interlocked.Increment(ref _readers);
            var snapshot = _fold.Snapshot();
            return new Reader(this, new FeedEvent(new StreamItem { Task = snapshot }), _last, TaskStates.IsTerminal(snapshot.Status.State));
        }
    }

    /// <summary>Waits until the task has ended or waits for its client, and returns it.</summary>
    public async Task<A2ATask> WaitAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            Task rest;
            lock (_lock)
            {
                if (TaskStates.EndsStream(_fold.State)) return _fold.Snapshot();
                rest = (_rest ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }

            await rest.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Wakes those who wait for the end: once, however much is told before.</summary>
    private void NoteRest()
    {
        if (_rest is not { } rest || !TaskStates.EndsStream(_fold.State)) return;
        _rest = null;
        rest.SetResult();
    }

    private void Tell(StreamItem item)
    {
        // Who comes later begins with the task as it is: without a reader nobody will ever ask for the event.
        if (Volatile.Read(ref _readers) == 0) return;
        var node = _last;
        _last = new Node();
        node.Set(new FeedEvent(item), _last, EndsStream(item));
    }

    private static bool EndsStream(StreamItem item) => item.StatusUpdate is { } status && TaskStates.EndsStream(status.Status.State);

    /// <summary>One event, and the way to the next. What is set is set under the feed's lock.</summary>
    private sealed class Node
    {
        // Only where somebody has come before the event: one that finds it there costs no signal.
        private TaskCompletionSource? _reached;
        private FeedEvent? _event;

        /// <summary>The event, once it has happened; then the others are set, too.</summary>
        public FeedEvent? Event => Volatile.Read(ref _event);

        public Node? Next { get; private set; }

        public bool IsLast { get; private set; }

        public void Set(FeedEvent item, Node next, bool isLast)
        {
            Next = next;
            IsLast = isLast;
            Volatile.Write(ref _event, item);
            _reached?.SetResult();
        }

        public Task Reached() => _event is not null
            ? Task.CompletedTask
            : (_reached ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
    }

    private sealed class Reader(TaskFeed feed, FeedEvent first, Node at, bool ended) : IA2AEvents
    {
        private FeedEvent? _first = first;
        private Node? _at = ended ? null : at;
        private bool _closed;

        public async ValueTask<FeedEvent?> NextAsync(CancellationToken cancellationToken)
        {
            if (TryNext(out var there)) return there;
            if (_at is not { } node) return null;
            Task reached;
            lock (feed._lock) reached = node.Reached();
            await reached.WaitAsync(cancellationToken).ConfigureAwait(false);
            return Take(node);
        }

        public bool TryNext([NotNullWhen(true)] out FeedEvent? item)
        {
            item = _first;
            _first = null;
            if (item is null && _at is { Event: not null } node) item = Take(node);
            return item is not null;
        }

        public ValueTask DisposeAsync()
        {
            if (!_closed) Interlocked.Decrement(ref feed._readers);
            _closed = true;
            _at = null;
            return ValueTask.CompletedTask;
        }

        private FeedEvent Take(Node node)
        {
            _at = node.IsLast ? null : node.Next;
            return node.Event!;
        }
    }
}
