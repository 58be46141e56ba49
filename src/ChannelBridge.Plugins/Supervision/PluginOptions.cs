namespace ChannelBridge.Plugins.Supervision;

/// <summary>What the operator sets for one plugin (<c>Plugins:&lt;id&gt;</c>).</summary>
public sealed record PluginOptions
{
    /// <summary>False: it isn't started.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>
    /// Program and arguments in front of the plugin's own, e.g. of another user or a container; they must hand stdin and stdout on.
    /// </summary>
    public IReadOnlyList<string> Command { get; init; } = [];

    /// <summary>Names of environment variables that the process gets beside the few that every one gets.</summary>
    public IReadOnlyList<string> Environment { get; init; } = [];

    /// <summary>Paths of endpoints that it may have beside those below its channels' ids, each with what is below it.</summary>
    public IReadOnlyList<string> Paths { get; init; } = [];

    /// <summary>The most memory of the process in bytes; over it, it is ended and started again. Default 512 MiB.</summary>
    public long MaxMemory { get; init; } = 512L * 1024 * 1024;

    /// <summary>The most that its data folder may hold in bytes; over it, it is stopped until an operator starts it again. Default 1 GiB.</summary>
    public long MaxDisk { get; init; } = 1024L * 1024 * 1024;

    /// <summary>Open files of the process, where the system can bound them. Default 4,096.</summary>
    public int MaxFiles { get; init; } = 4096;
}

/// <summary>The times of the supervisor; they are the product's, tests change them.</summary>
public sealed record SupervisorTimes
{
    /// <summary>For the answers to <c>initialize</c> and <c>start</c>.</summary>
    public TimeSpan Handshake { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Between two heartbeats.</summary>
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a heartbeat may be unanswered.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>For <c>stop</c>, and then again after SIGTERM.</summary>
    public TimeSpan Stop { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The first wait after an end that nobody asked for; doubled each time.</summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait.</summary>
    public TimeSpan LongestDelay { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Starts within <see cref="QuarantineWindow"/> that put a plugin into quarantine.</summary>
    public int QuarantineStarts { get; init; } = 6;

    /// <summary>See <see cref="QuarantineStarts"/>.</summary>
    public TimeSpan QuarantineWindow { get; init; } = TimeSpan.FromMinutes(10);
}
