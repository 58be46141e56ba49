namespace ChannelBridge.Agents.Http;

/// <summary>What a turn waits for, and by which time-out it ends when that doesn't come.</summary>
internal enum TurnPhase
{
    /// <summary>Nothing has run out.</summary>
    None,

    /// <summary>The first token of the answer.</summary>
    FirstToken,

    /// <summary>The next event of a stream that has begun.</summary>
    Idle,

    /// <summary>The turn as a whole.</summary>
    Turn,
}

/// <summary>
/// The time-outs of one turn, told apart. Only waiting for the provider counts towards the first token and the idle time: a reader of the answer that is
/// slow isn't the provider's fault.
/// </summary>
internal sealed class TurnClock : IDisposable
{
    private readonly ProviderOptions _options;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _expired = new();
    private readonly CancellationTokenSource _linked;
    private readonly ITimer _turn;
    private readonly ITimer _phase;
    private TimeSpan _firstTokenLeft;
    private long _armed;
    private int _reason;
    private TurnPhase _waitingFor;

    public TurnClock(ProviderOptions options, TimeSpan longest, TimeProvider time, CancellationToken cancellationToken)
    {
        _options = options;
        _time = time;
        _firstTokenLeft = options.FirstTokenTimeout;
        _linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _expired.Token);
        _turn = time.CreateTimer(static state => ((TurnClock)state!).Expire(TurnPhase.Turn), this, longest, Timeout.InfiniteTimeSpan);
        _phase = time.CreateTimer(static state => ((TurnClock)state!).ExpirePhase(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Cancelled by the caller or by a time-out.</summary>
    public CancellationToken Token => _linked.Token;

    /// <summary>Which time-out ended it.</summary>
    public TurnPhase Expired => (TurnPhase)Volatile.Read(ref _reason);

    /// <summary>The provider is waited for from now on.</summary>
    public void Arm(bool begun)
    {
        _waitingFor = begun ? TurnPhase.Idle : TurnPhase.FirstToken;
        _armed = _time.GetTimestamp();
        _phase.Change(begun ? _options.IdleTimeout : _firstTokenLeft > TimeSpan.Zero ? _firstTokenLeft : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    /// <summary>It isn't waited for any more.</summary>
    public void Disarm()
    {
        _phase.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        if (_waitingFor == TurnPhase.FirstToken) _firstTokenLeft -= _time.GetElapsedTime(_armed);
    }

    public void Dispose()
    {
        _turn.Dispose();
        _phase.Dispose();
        _linked.Dispose();
        _expired.Dispose();
    }

    private void ExpirePhase() => Expire(_waitingFor);

    private void Expire(TurnPhase phase)
    {
        if (Interlocked.CompareExchange(ref _reason, (int)phase, 0) != 0) return;
        try
        {
            _expired.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The turn ended in this moment.
        }
    }
}
