namespace ChannelBridge.Abstractions.Dialing;

/// <summary>
/// The waits between attempts: a ceiling that doubles from <paramref name="first"/> to <paramref name="highest"/>, and full jitter below it, so that many
/// hosts that lost the same broker don't come back in step.
/// </summary>
/// <param name="first">The first ceiling.</param>
/// <param name="highest">The highest one.</param>
/// <param name="random">Where the jitter comes from.</param>
public sealed class ReconnectBackoff(TimeSpan first, TimeSpan highest, Random random)
{
    private int _failures;

    /// <summary>The ceiling of the next wait.</summary>
    public TimeSpan Ceiling => TimeSpan.FromTicks((long)Math.Min(highest.Ticks, first.Ticks * Math.Pow(2, Math.Min(_failures, 40))));

    /// <summary>The next wait: anything from zero to the ceiling.</summary>
    public TimeSpan Next()
    {
        var wait = Ceiling * random.NextDouble();
        _failures++;
        return wait;
    }

    /// <summary>A connection has held: the next failure is the first again.</summary>
    public void Reset() => _failures = 0;
}
