namespace ChannelBridge.Plugins.Rpc;

/// <summary>Counts of what a connection refused or dropped, for diagnostics.</summary>
public sealed class PluginTraffic
{
    private long _refused;
    private long _strays;
    private long _dropped;

    /// <summary>Calls that were answered <c>BUSY</c>.</summary>
    public long Refused => Volatile.Read(ref _refused);

    /// <summary>Answers to no open call.</summary>
    public long Strays => Volatile.Read(ref _strays);

    /// <summary>Notifications that the protocol doesn't have.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    internal void CountRefused() => Interlocked.Increment(ref _refused);

    internal void CountStray() => Interlocked.Increment(ref _strays);

    internal void CountDropped() => Interlocked.Increment(ref _dropped);
}
