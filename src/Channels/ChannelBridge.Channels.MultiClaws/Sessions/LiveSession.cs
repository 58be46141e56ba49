namespace ChannelBridge.Channels.MultiClaws.Sessions;

/// <summary>A session in memory: how it stands, what grows in it, and who waits for it.</summary>
internal sealed class LiveSession(SessionHead head)
{
    private readonly Lock _lock = new();
    private List<SessionWaiter>? _waiters;
    private RemoteTurn? _turn;
    private CancellationTokenSource? _abort;
    private bool _running;
    private bool _again;

    /// <summary>One change at a time: held from the look at <see cref="Head"/> until the change is on disk.</summary>
    public SemaphoreSlim Gate { get; } = new(1);

    /// <summary>How it stands, as it is on disk.</summary>
    public SessionHead Head { get; private set; } = head;

    /// <summary>True while our message may be at the other agent, though no task of it is known.</summary>
    public bool IsSending { get; set; }

    /// <summary>True when work is to begin; false while it is at it, which goes on then.</summary>
    public bool Begin()
    {
        lock (_lock)
        {
            _again = _running;
            if (_running) return false;
            return _running = true;
        }
    }

    /// <summary>True when the work is over; false: there is more.</summary>
    public bool Finish()
    {
        lock (_lock)
        {
            _running = _again;
            _again = false;
            return !_running;
        }
    }

    /// <summary>A turn begins: what comes of it is seen, and an end from this side stops it.</summary>
    public void Enter(RemoteTurn turn, CancellationTokenSource abort)
    {
        lock (_lock) (_turn, _abort) = (turn, abort);
    }

    /// <summary>A turn is over.</summary>
    public void Leave()
    {
        lock (_lock) (_turn, _abort) = (null, null);
        IsSending = false;
    }

    /// <summary>Changes the turn at work.</summary>
    public T With<T>(RemoteTurn turn, Func<RemoteTurn, T> change)
    {
        lock (_lock) return change(turn);
    }

    /// <summary>Stops the turn at work, now or after a while.</summary>
    public void Abort(TimeSpan after)
    {
        lock (_lock)
        {
            if (after == TimeSpan.Zero) _abort?.Cancel();
            else _abort?.CancelAfter(after);
        }
    }

    /// <summary>What the other agent is saying, and in which task; null: nothing.</summary>
    public (string Text, string? TaskId)? Growing()
    {
        lock (_lock) return _turn is { Outcome: RemoteOutcome.None } turn && turn.Text is { Length: > 0 } text ? (SessionMachine.Cut(text, out _), turn.TaskId) : null;
    }

    /// <summary>A change is on disk: whoever waits for it is told.</summary>
    public void Accept(SessionHead next)
    {
        SessionWaiter[] told;
        lock (_lock)
        {
            Head = next;
            if (_waiters is null || (!next.Ended && next.Status != SessionStatus.InputRequired)) return;
            told = [.. _waiters];
            if (next.Ended) _waiters = null;
        }

        foreach (var waiter in told) waiter.Tell(next);
    }

    /// <summary>Has a waiter told of the session's end, and of questions.</summary>
    public void Add(SessionWaiter waiter)
    {
        SessionHead now;
        lock (_lock)
        {
            now = Head;
            if (!now.Ended) (_waiters ??= []).Add(waiter);
        }

        if (now.Ended || now.Status == SessionStatus.InputRequired) waiter.Tell(now);
    }

    /// <summary>The waiter waits no more.</summary>
    public void Remove(SessionWaiter waiter)
    {
        lock (_lock) _waiters?.Remove(waiter);
    }
}

/// <summary>Somebody who waits until all of some sessions have ended, or one asks.</summary>
/// <param name="count">How many sessions.</param>
internal sealed class SessionWaiter(int count)
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _left = count;

    /// <summary>Completes when there is nothing more to wait for.</summary>
    public Task Done => _done.Task;

    /// <summary>A session has ended or asks.</summary>
    public void Tell(SessionHead head)
    {
        if (!head.Ended || Interlocked.Decrement(ref _left) <= 0) _done.TrySetResult();
    }
}
