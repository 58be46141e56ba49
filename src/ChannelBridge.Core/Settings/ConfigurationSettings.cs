using ChannelBridge.Abstractions.Settings;
using Microsoft.Extensions.Configuration;

namespace ChannelBridge.Core.Settings;

/// <summary>The settings of a host of one's own: its <see cref="IConfiguration"/>, whatever that is made of.</summary>
/// <param name="configuration">The configuration; null: every setting has its default.</param>
internal sealed class ConfigurationSettings(IConfiguration? configuration) : ISettingsSource
{
    /// <inheritdoc/>
    public string? Get(string key) => configuration?[key];

    /// <inheritdoc/>
    public IReadOnlyList<string> Children(string key) =>
        configuration is null ? [] : [.. configuration.GetSection(key).GetChildren().Select(child => child.Key)];
}
