namespace ChannelBridge.Core.Access.Devices;

/// <summary>What one connection of a device may rely on; it ends when the device's rights do, or those of the access token that it came with.</summary>
internal sealed class DeviceGrant : IDisposable
{
    private readonly CancellationTokenSource _ended = new();
    private readonly LiveDevices _live;
    private CancellationTokenRegistration _token;

    public DeviceGrant(LiveDevices live, DeviceRecord record, long seen)
    {
        _live = live;
        DeviceId = record.DeviceId;
        Epoch = record.Epoch;
        Seen = seen;
        Ended = _ended.Token;
    }

    public string DeviceId { get; }

    /// <summary>The device's epoch when the connection was let in.</summary>
    public string Epoch { get; }

    /// <summary>The number of changes up to which it was looked at.</summary>
    public long Seen { get; set; }

    /// <summary>The end of the device's rights.</summary>
    public CancellationToken Ended { get; }

    /// <summary>Ends with the access token, too.</summary>
    public void EndWith(CancellationToken token)
    {
        if (token.CanBeCanceled) _token = token.UnsafeRegister(static state => ((DeviceGrant)state!).End(), this);
    }

    /// <summary>It holds no more. Whoever listens closes a connection, which takes its time: not on the caller's thread.</summary>
    public void End() => _ = Task.Run(_ended.Cancel);

    /// <summary>The connection has ended. The source has neither timer nor wait handle and isn't disposed: an end may be on its way.</summary>
    public void Dispose()
    {
        _token.Dispose();
        _live.Remove(this);
    }
}
