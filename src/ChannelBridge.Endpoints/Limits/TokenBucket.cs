namespace ChannelBridge.Endpoints.Limits;

/// <summary>Allows a rate with bursts. Time is a timestamp of the clock, so nothing runs while nothing is asked.</summary>
/// <param name="perSecond">The rate.</param>
/// <param name="burst">How much may come at once; at least 1.</param>
/// <param name="time">The clock.</param>
internal sealed class TokenBucket(double perSecond, double burst, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly double _burst = burst;
    private double _tokens = burst;
    private long _at = time.GetTimestamp();

    /// <summary>True when the bucket is full again: nobody would miss it.</summary>
    public bool IsFull
    {
        get
        {
            lock (_gate)
            {
                Refill();
                return _tokens >= _burst;
            }
        }
    }

    /// <summary>Takes one token.</summary>
    /// <param name="wait">How long to wait for it, when there is none.</param>
    public bool TryTake(out TimeSpan wait)
    {
        lock (_gate)
        {
            Refill();
            if (_tokens >= 1)
            {
                _tokens--;
                wait = default;
                return true;
            }

            wait = TimeSpan.FromSeconds((1 - _tokens) / perSecond);
            return false;
        }
    }

    /// <summary>True when a token is there; takes none.</summary>
    public bool HasToken(out TimeSpan wait)
    {
        lock (_gate)
        {
            Refill();
            wait = _tokens >= 1 ? default : TimeSpan.FromSeconds((1 - _tokens) / perSecond);
            return _tokens >= 1;
        }
    }

    private void Refill()
    {
        var now = time.GetTimestamp();
        _tokens = Math.Min(_burst, _tokens + (time.GetElapsedTime(_at, now).TotalSeconds * perSecond));
        _at = now;
    }
}
