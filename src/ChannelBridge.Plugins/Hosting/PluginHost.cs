using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Plugins.Packages;
using ChannelBridge.Plugins.Supervision;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Plugins.Hosting;

/// <summary>
/// Starts the installed plugins when the host has started, and stops them when it has stopped: what turns answer at the end is still
/// pushed.
/// </summary>
internal sealed partial class PluginHost(
    PluginHostOptions options, PluginStore store, PluginRoom room, IRegistry registry, ILogger<PluginHost> logger) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StartedAsync(CancellationToken cancellationToken)
    {
        var installed = store.List((id, fault) => LogRefused(id, fault.Message));
        if (installed.Count > 0 && SystemTools.Found.Missing is { } missing) LogMissing(missing);
        foreach (var plugin in installed)
        {
            if (!store.IsEnabled(plugin.Manifest.Id)) continue;
            try
            {
                await room.AddAsync(plugin, options.SettingsOf(plugin.Manifest), cancellationToken).ConfigureAwait(false);
            }
            catch (BridgeException fault)
            {
                // The other plugins run without it.
                LogRefused(plugin.Manifest.Id, fault.Message);
            }
        }
    }

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StoppedAsync(CancellationToken cancellationToken) => await room.DisposeAsync().ConfigureAwait(false);

    /// <summary>Installs or updates, and starts it.</summary>
    public async Task<JsonObject> InstallAsync(string source, bool allowOlder, CancellationToken cancellationToken)
    {
        var own = room.Units.SelectMany(unit => unit.Contributors).OfType<IChannel>();
        var taken = registry.Current.Of<IChannel>().Except(own).Select(channel => channel.Id).ToHashSet(StringComparer.Ordinal);
        var plugin = await store.InstallAsync(source, taken, allowOlder, cancellationToken).ConfigureAwait(false);
        if (store.IsEnabled(plugin.Manifest.Id))
            await room.AddAsync(plugin, options.SettingsOf(plugin.Manifest), cancellationToken).ConfigureAwait(false);
        return Describe(plugin.Manifest.Id)!;
    }

    /// <summary>Stops it and removes it from the disk.</summary>
    public async Task<bool> RemoveAsync(string id, bool withData)
    {
        await room.RemoveAsync(id).ConfigureAwait(false);
        return store.Remove(id, withData);
    }

    /// <summary>Enables it and starts it, or disables it and stops it.</summary>
    public async Task<bool> SetEnabledAsync(string id, bool enabled, CancellationToken cancellationToken)
    {
        if (!store.SetEnabled(id, enabled)) return false;
        if (!enabled) await room.RemoveAsync(id).ConfigureAwait(false);
        else if (store.Find(id) is { } plugin)
            await room.AddAsync(plugin, options.SettingsOf(plugin.Manifest), cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>Starts it anew, with the settings that it was started with.</summary>
    public Task<bool> RestartAsync(string id) => room.RestartAsync(id);

    /// <summary>Every installed plugin.</summary>
    public JsonArray List()
    {
        var all = new JsonArray();
        var faults = new Dictionary<string, string>(StringComparer.Ordinal);
        var ids = store.List((id, fault) => faults[id] = fault.Message).Select(plugin => plugin.Manifest.Id).Concat(faults.Keys)
            .Order(StringComparer.Ordinal);
        foreach (var id in ids.ToArray()) all.Add((JsonNode?)Describe(id, faults.GetValueOrDefault(id)));
        return all;
    }

    /// <summary>One plugin, or null.</summary>
    public JsonObject? Describe(string id, string? fault = null)
    {
        if (room.Units.FirstOrDefault(unit => unit.Manifest.Id == id) is { } running) return running.Describe();
        if (fault is not null) return new JsonObject { ["id"] = id, ["state"] = "refused", ["lastEnd"] = fault };
        if (store.Find(id) is not { } plugin) return null;
        return new JsonObject
        {
            ["id"] = id,
            ["version"] = plugin.Manifest.Version,
            ["state"] = store.IsEnabled(id) ? "stopped" : "disabled",
            ["channels"] = new JsonArray([.. plugin.Manifest.Channels.Select(channel => (JsonNode)channel.Id)]),
        };
    }

    [LoggerMessage(EventId = LogEvents.PluginHostRefused, Level = LogLevel.Error, Message = "Plugin {Plugin} isn't started: {Reason}")]
    private partial void LogRefused(string plugin, string reason);

    [LoggerMessage(EventId = LogEvents.PluginHostMissing, Level = LogLevel.Warning, Message = "This system lacks {Missing}")]
    private partial void LogMissing(string missing);
}
