using System.Text.Json;
using ChannelBridge.Plugins.Supervision;

namespace ChannelBridge.Plugins.Hosting;

/// <summary>What the operator set for one plugin and its channels.</summary>
public sealed record PluginSettings
{
    /// <summary>How its process is held.</summary>
    public PluginOptions Options { get; init; } = new();

    /// <summary>Its own settings, or null when there are none.</summary>
    public JsonElement? Settings { get; init; }

    /// <summary>The settings of its channels, by channel id.</summary>
    public IReadOnlyDictionary<string, JsonElement>? Channels { get; init; }

    /// <summary>The agent of a channel, by channel id.</summary>
    public Func<string, string> AgentOf { get; init; } = _ => "echo";
}
