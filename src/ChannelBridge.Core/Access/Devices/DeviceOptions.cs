namespace ChannelBridge.Core.Access.Devices;

/// <summary>How devices (clients with a key of their own) come in at the OpenClaw dialect of the own listener.</summary>
public sealed class DeviceOptions
{
    /// <summary>True (default): a device that connects from loopback with the first token is approved by itself.</summary>
    public bool AutoApproveLoopback { get; set; } = true;

    /// <summary>True: a client without a device identity is refused; default false.</summary>
    public bool Require { get; set; }

    /// <summary>For how long a request waits for an operator; default 1 h.</summary>
    public TimeSpan RequestLife { get; set; } = TimeSpan.FromHours(1);

    /// <summary>The most requests that wait; default 64.</summary>
    public int MostRequests { get; set; } = 64;

    /// <summary>The most requests of one device that wait; default 3. A further one takes the place of its oldest.</summary>
    public int MostRequestsPerDevice { get; set; } = 3;

    /// <summary>The most devices that are approved; default 10,000.</summary>
    public int MostDevices { get; set; } = 10_000;
}
