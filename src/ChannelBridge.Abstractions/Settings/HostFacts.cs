namespace ChannelBridge.Abstractions.Settings;

/// <summary>What the defaults of settings depend on, and settings are checked against.</summary>
public sealed record HostFacts
{
    /// <summary>The data folder, absolute, or null in a host that has none.</summary>
    public string? DataDirectory { get; init; }

    /// <summary>Files and folders that are the host's own, absolute: nothing of them is ever sent to anybody, wherever a setting of a channel leads.</summary>
    public IReadOnlyList<string> OwnFiles { get; init; } = [];

    /// <summary>The agents that there are; null when that isn't known, and then any name passes.</summary>
    public IReadOnlyCollection<string>? Agents { get; init; }
}
