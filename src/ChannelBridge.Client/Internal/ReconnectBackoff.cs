namespace ChannelBridge.Client.Internal;

/// <summary>How long to wait before the next try: random between zero and a bound that doubles with every failure ("full jitter").</summary>
internal sealed class ReconnectBackoff(TimeSpan first, TimeSpan longest, TimeSpan stableAfter, Random random)
{
    private int _failures;

    /// <summary>The bound of the next wait.</summary>
    public TimeSpan Bound => TimeSpan.FromMilliseconds(Math.Min(first.TotalMilliseconds * Math.Pow(2, Math.Min(_failures, 40)), longest.TotalMilliseconds));

    /// <summary>The next wait.</summary>
    public TimeSpan Next()
    {
        var wait = Bound * random.NextDouble();
        _failures++;
        return wait;
    }

    /// <summary>A connection has ended: only one that lasted starts the bound anew.</summary>
    public void ConnectionEnded(TimeSpan lasted)
    {
        if (lasted >= stableAfter) _failures = 0;
    }
}
