namespace ChannelBridge.Bench.Simulation;

/// <summary>What the hosts share: the lanes' rows and the hosts' rows, with the conditions under which the real statements change them (see ClaimSql).</summary>
internal sealed class SimulatedDatabase(int lanes)
{
    private readonly Dictionary<int, double> _hosts = [];
    private int _lastHost;

    /// <summary>The last number accepted, by lane.</summary>
    public int[] LastIn { get; } = new int[lanes];

    /// <summary>The last number whose turn is done, by lane.</summary>
    public int[] Done { get; } = new int[lanes];

    private readonly int[] _owner = new int[lanes];
    private readonly long[] _claim = new long[lanes];

    public long Taken { get; private set; }

    public long Released { get; private set; }

    public long TurnedAway { get; private set; }

    /// <summary>Writes that came out of order, or twice: there must be none.</summary>
    public long Violations { get; private set; }

    public int Register(double now, double claimTime)
    {
        _hosts[++_lastHost] = now + claimTime;
        return _lastHost;
    }

    public bool Renew(int host, double now, double claimTime)
    {
        if (!IsAlive(host, now)) return false;
        _hosts[host] = now + claimTime;
        return true;
    }

    public bool IsAlive(int host, double now) => host != 0 && _hosts.TryGetValue(host, out var until) && until > now;

    public HashSet<int> Alive(double now) => [.. _hosts.Where(pair => pair.Value > now).Select(pair => pair.Key)];

    /// <summary>The token, or 0 when somebody alive has the lane.</summary>
    public long Take(int host, int lane, double now)
    {
        if (!IsAlive(host, now) || (_owner[lane] != host && IsAlive(_owner[lane], now))) return 0;
        Taken++;
        _owner[lane] = host;
        return _claim[lane] = (((_claim[lane] >> 20) + 1) << 20) | (uint)(host & 0xFFFFF);
    }

    public int OwnerOf(int lane) => _owner[lane];

    public bool HasWork(int lane) => Done[lane] < LastIn[lane];

    public void Release(int host, int lane, long claim)
    {
        if (_owner[lane] != host || _claim[lane] != claim) return;
        Released++;
        _owner[lane] = 0;
    }

    public void Leave(int host) => _hosts.Remove(host);

    /// <summary>"Turn done", under a claim: false when it is outdated.</summary>
    public bool Finish(int lane, int number, long claim)
    {
        if (_claim[lane] != claim)
        {
            TurnedAway++;
            return false;
        }

        // The real row is found by "state = 0"; here every valid write must be the next one.
        if (number != Done[lane] + 1 || number > LastIn[lane]) Violations++;
        Done[lane] = number;
        return true;
    }
}
