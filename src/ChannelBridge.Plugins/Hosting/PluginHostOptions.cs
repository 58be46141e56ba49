using ChannelBridge.Plugins.Manifest;

namespace ChannelBridge.Plugins.Hosting;

/// <summary>Where plugins are, and what the operator set for them.</summary>
public sealed class PluginHostOptions
{
    /// <summary>The host's data folder; plugins are in <c>plugins</c> below it.</summary>
    public required string DataFolder { get; init; }

    /// <summary>True: only plugins that are signed by a trusted key are installed and started. False: a warning says so.</summary>
    public bool RequireSignature { get; init; }

    /// <summary>The settings of a plugin. By default none, and the agent is <c>echo</c>.</summary>
    public Func<PluginManifest, PluginSettings> SettingsOf { get; init; } = _ => new PluginSettings();

    /// <summary>The supervisor's times, for tests on crowded machines; null for the product's.</summary>
    internal Supervision.SupervisorTimes? Times { get; init; }
}
