namespace ChannelBridge.Channels.Bncr.Leases;

/// <summary>
/// How often an account's lease has gone from one living client to another that had lost it before. Two clients that both believe that the account is theirs take it
/// from each other for ever, and nothing is delivered meanwhile: after a few times the next one has to wait. Guarded by the account's gate.
/// </summary>
internal sealed class Takeovers
{
    /// <summary>So much within <see cref="Window"/> is what a bad line does, too.</summary>
    private const int Free = 60;

    /// <summary>A client that says who it is and takes back what it had lost: six times.</summary>
    private const int OfKnown = 10;

    /// <summary>One that doesn't may be anybody: sixty times.</summary>
    private const int OfUnknown = 1;

    private const long Window = 60_000;
    private const long FirstWait = 5_000;
    private const long LongestWait = 60_000;

    private readonly Queue<(long At, string? By, string? From, int Weight)> _recent = new();
    private int _sum;
    private long _wait = FirstWait;
    private long _notBefore;

    /// <summary>How many of the last are remembered.</summary>
    public int Remembered => _recent.Count;

    /// <summary>How long a client has to wait from now (milliseconds); 0 for not at all.</summary>
    public long WaitAt(long now, string? by)
    {
        Forget(now);
        return _sum < Free || WeightOf(by) == 0 ? 0 : Math.Max(0, _notBefore - now);
    }

    /// <summary>One has happened.</summary>
    /// <returns>True: it is one of a circle, which begins with it.</returns>
    public bool Add(long now, string? by, string? from)
    {
        Forget(now);
        var weight = WeightOf(by);
        _recent.Enqueue((now, by, from, weight));
        _sum += weight;

        // Clients that come for the first time weigh nothing, and there may be any number of them within the window.
        while (_recent.Count > Free) Drop();
        if (_sum < Free || weight == 0) return false;
        var begins = _notBefore == 0;
        _notBefore = now + _wait;
        _wait = Math.Min(LongestWait, _wait * 2);
        return begins;
    }

    /// <summary>One that comes for the first time is no part of a circle.</summary>
    private int WeightOf(string? by)
    {
        if (by is null) return OfUnknown;
        foreach (var (_, _, from, _) in _recent)
        {
            if (from == by) return OfKnown;
        }

        return 0;
    }

    private void Forget(long now)
    {
        // What happened while the circle is slowed down counts as long as the waits make it last.
        var remembered = Window + (_notBefore == 0 ? 0 : _wait * 6);
        while (_recent.TryPeek(out var first) && now - first.At > remembered) Drop();
        if (_sum >= Free) return;
        _wait = FirstWait;
        _notBefore = 0;
    }

    private void Drop() => _sum -= _recent.Dequeue().Weight;
}
