using ChannelBridge.Channels.Bncr.Wire;

namespace ChannelBridge.Channels.Bncr.Leases;

/// <summary>Counts and times of an account since the host's start; times are Unix milliseconds, 0 for never.</summary>
internal sealed class AccountStats
{
    private static readonly KeptStats Nothing = new(0, 0, 0, null, null);
    private long _connects;
    private long _inbound;
    private long _activities;
    private long _acks;
    private long _lastConnectAt;
    private long _lastDisconnectAt;
    private long _lastActivityAt;
    private long _lastInboundAt;
    private long _lastOutboundAt;
    private long _lastAckAt;
    private long _lastStaleAt;
    private int _awaitingAck;
    private string? _lastSessionKey;
    private string? _lastScope;
    private volatile KeptStats? _kept;

    public long Connects => Interlocked.Read(ref _connects);

    public long Inbound => Interlocked.Read(ref _inbound);

    public long Activities => Interlocked.Read(ref _activities);

    public long Acks => Interlocked.Read(ref _acks);

    public long LastConnectAt => Interlocked.Read(ref _lastConnectAt);

    public long LastDisconnectAt => Interlocked.Read(ref _lastDisconnectAt);

    public long LastActivityAt => Interlocked.Read(ref _lastActivityAt);

    public long LastInboundAt => Interlocked.Read(ref _lastInboundAt);

    public long LastOutboundAt => Interlocked.Read(ref _lastOutboundAt);

    public long LastAckAt => Interlocked.Read(ref _lastAckAt);

    public long LastStaleAt => Interlocked.Read(ref _lastStaleAt);

    /// <summary>Pushes that wait for their ack.</summary>
    public int AwaitingAck => Math.Max(0, Volatile.Read(ref _awaitingAck));

    public string? LastSessionKey => Volatile.Read(ref _lastSessionKey);

    public string? LastScope => Volatile.Read(ref _lastScope);

    /// <summary>Calls under an outdated lease, by kind.</summary>
    public StaleCounts Stale { get; } = new();

    public void Connected(long now)
    {
        Interlocked.Increment(ref _connects);
        Interlocked.Exchange(ref _lastConnectAt, now);
        Interlocked.Exchange(ref _lastActivityAt, now);
    }

    public void Disconnected(long now) => Interlocked.Exchange(ref _lastDisconnectAt, now);

    public void Heard(long now) => Interlocked.Exchange(ref _lastActivityAt, now);

    public void CountInbound() => Interlocked.Increment(ref _inbound);

    public void CountActivity() => Interlocked.Increment(ref _activities);

    public void Accepted(long now, string sessionKey, string scope)
    {
        Interlocked.Exchange(ref _lastInboundAt, now);
        Volatile.Write(ref _lastSessionKey, sessionKey);
        Volatile.Write(ref _lastScope, scope);
    }

    public void Pushed(long now) => Interlocked.Exchange(ref _lastOutboundAt, now);

    public void Acked(long now)
    {
        Interlocked.Increment(ref _acks);
        Interlocked.Exchange(ref _lastAckAt, now);
    }

    /// <summary>What is worth keeping over a restart; null when it is kept already.</summary>
    public KeptStats? Keep()
    {
        var now = new KeptStats(LastInboundAt, LastOutboundAt, LastActivityAt, LastSessionKey, LastScope);
        return now == (_kept ?? Nothing) ? null : now;
    }

    /// <summary>It is in the store.</summary>
    public void Kept(KeptStats stats) => _kept = stats;

    /// <summary>Takes over what the run before has kept.</summary>
    public void Restore(KeptStats stats)
    {
        _kept = stats;
        Interlocked.CompareExchange(ref _lastInboundAt, stats.LastInboundAt, 0);
        Interlocked.CompareExchange(ref _lastOutboundAt, stats.LastOutboundAt, 0);
        Interlocked.CompareExchange(ref _lastActivityAt, stats.LastActivityAt, 0);
        Interlocked.CompareExchange(ref _lastSessionKey, stats.LastSessionKey, null);
        Interlocked.CompareExchange(ref _lastScope, stats.LastScope, null);
    }

    public void AwaitAck(int change) => Interlocked.Add(ref _awaitingAck, change);

    public void CountStale(StaleKind kind, long now)
    {
        Stale.Count(kind);
        Interlocked.Exchange(ref _lastStaleAt, now);
    }
}
