namespace ChannelBridge.Bench.Simulation;

/// <summary>A host's side of the claims: what it believes to hold, what it wants, what it runs. As the real one, it trusts its lease only while its own clock allows.</summary>
internal sealed class SimulatedHost(int index)
{
    public int Index => index;

    /// <summary>Its number in the database; a new one with each registration.</summary>
    public int Number { get; set; }

    /// <summary>Until when it believes in its claims.</summary>
    public double ValidUntil { get; set; }

    /// <summary>False while the process doesn't exist.</summary>
    public bool Running { get; set; }

    /// <summary>Hung or cut off until then: it does nothing, and what it had under way reaches the database afterwards.</summary>
    public double HungUntil { get; set; }

    /// <summary>Counts its lives, so that what was under way in a former one is gone.</summary>
    public int Life { get; set; }

    public Dictionary<int, Held> Lanes { get; } = [];

    public HashSet<int> Wanted { get; } = [];

    public bool DeskScheduled { get; set; }

    public HashSet<int> Known { get; set; } = [];

    public int LookedUpTo { get; set; }

    public void Forget()
    {
        Lanes.Clear();
        Wanted.Clear();
        ValidUntil = 0;
    }

    /// <summary>A lane that it holds.</summary>
    public sealed class Held(long claim)
    {
        public long Claim => claim;

        public bool Busy { get; set; }

        public double IdleSince { get; set; }
    }
}
