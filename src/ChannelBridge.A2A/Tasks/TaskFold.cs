namespace ChannelBridge.A2A;

/// <summary>What has become of an event that was given to a <see cref="TaskFold"/>.</summary>
public enum FoldResult
{
    /// <summary>The task has changed.</summary>
    Applied,

    /// <summary>The event is of another task, or may not come now: the task has ended, or its state doesn't allow it.</summary>
    Refused,

    /// <summary>The artifacts would become larger than they may be.</summary>
    TooLarge,
}

/// <summary>
/// A task as the sum of its events. Whatever comes in whatever order, its states follow each other legally, it ends once, and it stays
/// within its bounds. Both sides use it: the server to keep what it tells, the client to know what it was told. Not for several threads at
/// once.
/// </summary>
public sealed class TaskFold
{
    private readonly TaskBounds _bounds;
    private readonly List<Piece> _artifacts = [];
    private readonly LinkedList<(A2AMessage Message, long Bytes)> _history = [];
    private A2ATask _task;
    private long _artifactBytes;
    private long _historyBytes;
    private bool _stale;

    /// <summary>Begins with a task as it is.</summary>
    public TaskFold(A2ATask task, TaskBounds? bounds = null)
    {
        ArgumentNullException.ThrowIfNull(task);
        _bounds = bounds ?? TaskBounds.Default;
        _task = task;
        Take(task);
    }

    /// <summary>The task's id.</summary>
    public string Id => _task.Id;

    /// <summary>Its conversation.</summary>
    public string ContextId => _task.ContextId;

    /// <summary>Its state.</summary>
    public TaskState State => _task.Status.State;

    /// <summary>True when nothing more can happen.</summary>
    public bool Ended => TaskStates.IsTerminal(State);

    /// <summary>The bytes of its artifacts.</summary>
    public long ArtifactBytes => _artifactBytes;

    /// <summary>The task as it is now. What is handed out never changes.</summary>
    public A2ATask Snapshot()
    {
        if (!_stale) return _task;
        _stale = false;
        return _task = _task with
        {
            Artifacts = [.. _artifacts.Select(static piece => piece.ToArtifact())],
            History = [.. _history.Select(static entry => entry.Message)],
        };
    }

    /// <summary>Takes an event.</summary>
    public FoldResult Apply(StreamItem item)
    {
        ArgumentNullException.ThrowIfNull(item);
        if (item.StatusUpdate is { } status) return Apply(status);
        if (item.ArtifactUpdate is { } artifact) return Apply(artifact);
        if (item.Task is not { } task || task.Id != Id) return FoldResult.Refused;
        if (State != task.Status.State && !TaskStates.MayFollow(State, task.Status.State)) return FoldResult.Refused;
        Take(task);
        return FoldResult.Applied;
    }

    /// <summary>Takes a change of state. What the agent had said before goes to the history.</summary>
    public FoldResult Apply(TaskStatusUpdate update)
    {
        ArgumentNullException.ThrowIfNull(update);
        if (update.TaskId != Id || !TaskStates.MayFollow(State, update.Status.State)) return FoldResult.Refused;
        if (_task.Status.Message is { } said) AddHistory(said);
        _task = _task with { Status = update.Status };
        _stale = true;
        return FoldResult.Applied;
    }

    /// <summary>Takes an artifact, or more of one. What is added to an artifact that isn't there begins it.</summary>
    public FoldResult Apply(TaskArtifactUpdate update)
    {
        ArgumentNullException.ThrowIfNull(update);
        if (update.TaskId != Id || Ended) return FoldResult.Refused;
        var bytes = PartSizes.Of(update.Artifact.Parts);
        var at = _artifacts.FindIndex(piece => piece.Head.ArtifactId == update.Artifact.ArtifactId);
        var replaced = at >= 0 && !update.Append ? _artifacts[at].Bytes : 0;
        if (_artifactBytes - replaced + bytes > _bounds.ArtifactBytes) return FoldResult.TooLarge;
        if (at < 0) _artifacts.Add(new Piece(update.Artifact, bytes));
        else if (update.Append) _artifacts[at].Add(update.Artifact.Parts, bytes);
        else _artifacts[at] = new Piece(update.Artifact, bytes);
        _artifactBytes += bytes - replaced;
        _stale = true;
        return FoldResult.Applied;
    }

    /// <summary>Adds a message of either side to the history. One that is there already isn't added again.</summary>
    public void AddHistory(A2AMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        for (var node = _history.Last; node is not null; node = node.Previous)
        {
            if (node.Value.Message.MessageId == message.MessageId && node.Value.Message.Role == message.Role) return;
        }

        var bytes = PartSizes.Of(message.Parts);
        _history.AddLast((message, bytes));
        _historyBytes += bytes;
        while (_history.Count > _bounds.HistoryMessages || (_historyBytes > _bounds.HistoryBytes && _history.Count > 1))
        {
            _historyBytes -= _history.First!.Value.Bytes;
            _history.RemoveFirst();
        }

        _stale = true;
    }

    /// <summary>
    /// Takes a later look at the task, as a poll gives it, and returns the events that would have told of what is new. A look at an earlier state, as an answer that
    /// was overtaken gives it, changes nothing.
    /// </summary>
    public IReadOnlyList<StreamItem> Advance(A2ATask next)
    {
        ArgumentNullException.ThrowIfNull(next);
        var events = new List<StreamItem>();
        if (next.Id != Id || Ended) return events;
        if (next.Status.State != State && !TaskStates.MayFollow(State, next.Status.State)) return events;
        foreach (var artifact in next.Artifacts ?? [])
        {
            var known = _artifacts.Find(piece => piece.Head.ArtifactId == artifact.ArtifactId);
            if (known is not null && known.Bytes == PartSizes.Of(artifact.Parts) && known.Count == artifact.Parts.Count) continue;
            events.Add(
                new StreamItem
                {
                    ArtifactUpdate = new TaskArtifactUpdate { TaskId = Id, ContextId = ContextId, Artifact = artifact, LastChunk = true },
                });
        }

        if (next.Status.State != State || next.Status.Message?.MessageId != _task.Status.Message?.MessageId)
        {
            events.Add(new StreamItem { StatusUpdate = new TaskStatusUpdate { TaskId = Id, ContextId = ContextId, Status = next.Status } });
        }

        Take(next);
        return events;
    }

    /// <summary>
    /// Takes the task as it is kept, where the events have led to the same state: a result that came in many pieces is one there. False, and nothing is taken: it is
    /// another task, or in another state.
    /// </summary>
    public bool Settle(A2ATask kept)
    {
        ArgumentNullException.ThrowIfNull(kept);
        if (kept.Id != Id || kept.Status.State != State) return false;
        Take(kept);
        return true;
    }

    private void Take(A2ATask task)
    {
        _artifacts.Clear();
        _artifactBytes = 0;
        foreach (var artifact in task.Artifacts ?? [])
        {
            var bytes = PartSizes.Of(artifact.Parts);
            if (_artifactBytes + bytes > _bounds.ArtifactBytes) break;
            _artifacts.Add(new Piece(artifact, bytes));
            _artifactBytes += bytes;
        }

        _history.Clear();
        _historyBytes = 0;
        foreach (var message in task.History ?? []) AddHistory(message);
        _task = task;
        _stale = true;
    }

    /// <summary>An artifact that may still grow.</summary>
    private sealed class Piece(A2AArtifact head, long bytes)
    {
        private List<A2APart>? _more;

        public A2AArtifact Head { get; private set; } = head;

        public long Bytes { get; private set; } = bytes;

        public int Count => Head.Parts.Count + (_more?.Count ?? 0);

        public void Add(IReadOnlyList<A2APart> parts, long bytes)
        {
            (_more ??= []).AddRange(parts);
            Bytes += bytes;
        }

        public A2AArtifact ToArtifact()
        {
            if (_more is null) return Head;
            Head = Head with { Parts = [.. Head.Parts, .. _more] };
            _more = null;
            return Head;
        }
    }
}
