namespace ChannelBridge.Host.Terminal;

/// <summary>
/// Keeps an outage from filling the log: the first lines of a kind are written, then one a minute that says how many were left out. Kinds
/// are the log events of the code, so there is a fixed number of them.
/// </summary>
internal sealed class RepeatGate(TimeProvider time)
{
    /// <summary>Lines of one kind that are written at once.</summary>
    internal const int Burst = 5;

    /// <summary>Over which time lines are counted.</summary>
    internal static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<(string Category, int Id, string? Fault), Kind> _kinds = [];

    /// <summary>True when the line is to be written.</summary>
    /// <param name="category">The line's category.</param>
    /// <param name="id">The event's id.</param>
    /// <param name="fault">The type of its exception, or null.</param>
    /// <param name="leftOut">Lines of this kind that were left out before this one.</param>
    public bool Opens(string category, int id, string? fault, out int leftOut)
    {
        leftOut = 0;
        var now = time.GetTimestamp();
        lock (_gate)
        {
            if (!_kinds.TryGetValue((category, id, fault), out var kind)) _kinds[(category, id, fault)] = kind = new Kind { Since = now };
            if (time.GetElapsedTime(kind.Since, now) >= Window)
            {
                // While it goes on, one line a minute is enough.
                leftOut = kind.LeftOut;
                (kind.Since, kind.Free, kind.LeftOut) = (now, leftOut > 0 ? 1 : Burst, 0);
            }

            if (kind.Free == 0)
            {
                kind.LeftOut++;
                return false;
            }

            kind.Free--;
            return true;
        }
    }

    private sealed class Kind
    {
        public long Since { get; set; }

        public int Free { get; set; } = Burst;

        public int LeftOut { get; set; }
    }
}
