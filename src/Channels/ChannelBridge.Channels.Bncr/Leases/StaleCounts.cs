namespace ChannelBridge.Channels.Bncr.Leases;

/// <summary>The kinds of calls that are checked against the lease.</summary>
internal enum StaleKind
{
    Connect,
    Inbound,
    Activity,
    Ack,
}

/// <summary>Calls under an outdated lease, by kind.</summary>
internal sealed class StaleCounts
{
    private readonly long[] _counts = new long[4];

    public long this[StaleKind kind] => Interlocked.Read(ref _counts[(int)kind]);

    public void Count(StaleKind kind) => Interlocked.Increment(ref _counts[(int)kind]);
}
