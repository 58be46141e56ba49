namespace ChannelBridge.Plugins.Supervision;

/// <summary>What a plugin does.</summary>
public enum PluginState
{
    /// <summary>It isn't to run.</summary>
    Stopped,

    /// <summary>A process is being started.</summary>
    Starting,

    /// <summary>It runs.</summary>
    Running,

    /// <summary>It ended without being asked, and is started again after a while.</summary>
    Waiting,

    /// <summary>It ended too often, and isn't started until an operator says so.</summary>
    Quarantined,

    /// <summary>It is being stopped.</summary>
    Stopping,
}

/// <summary>A plugin as operators see it.</summary>
public sealed record PluginStatus
{
    /// <summary>The plugin.</summary>
    public required string Id { get; init; }

    /// <summary>Its version.</summary>
    public required string Version { get; init; }

    /// <summary>What it does.</summary>
    public required PluginState State { get; init; }

    /// <summary>Its process, or null.</summary>
    public int? ProcessId { get; init; }

    /// <summary>Its process's memory in bytes.</summary>
    public long Memory { get; init; }

    /// <summary>What its data folder holds in bytes, as it was last counted.</summary>
    public long Disk { get; init; }

    /// <summary>Processes started since the host did.</summary>
    public int Starts { get; init; }

    /// <summary>Why the last process ended, or null.</summary>
    public string? LastEnd { get; init; }

    /// <summary>What the process says of itself, or null.</summary>
    public string? Detail { get; init; }

    /// <summary>Calls of the running process that were answered <c>BUSY</c>.</summary>
    public long Refused { get; init; }

    /// <summary>Answers of the running process to no open call, and notifications that the protocol doesn't have.</summary>
    public long Dropped { get; init; }
}
