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
    PluginHostOptions options, PluginStore store, PluginRoom room, IRegistry registry, ILogger<PluginHost> logger) : IHostedLifecycleService, IDisposable
{
    // What is on the disk and what runs are changed together, by one operator at a time.
    private readonly SemaphoreSlim _changing = new(1, 1);

    public void Dispose() => _changing.Dispose();

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StartedAsync(CancellationToken cancellationToken)
    {
        using var alone = await AloneAsync(cancellationToken).ConfigureAwait(false);
        var installed = store.List((id, fault) => LogRefused(id, fault.Message));
        if (installed.Count > 0 && SystemTools.Found.Missing is { } missing) LogMissing(missing);
        foreach (var plugin in installed)
        {
            if (!store.IsEnabled(plugin.Manifest.Id)) continue;
            try
            {
                if (await store.VerifyAsync(plugin, options.RequireSignature, cancellationToken).ConfigureAwait(false) is { } doubt) LogUntrusted(doubt);
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

    /// <summary>
    /// Installs or updates, and starts it. An update whose version isn't ready in 10 s is taken back, and the version before starts again.
    /// </summary>
    public async Task<JsonObject> InstallAsync(string source, bool allowOlder, string? update, CancellationToken cancellationToken)
    {
        using var alone = await AloneAsync(cancellationToken).ConfigureAwait(false);
        if (update is not null && store.Find(update) is null)
            throw new BridgeException(ErrorCodes.NotFound, $"plugin {update} isn't installed; 'channelbridge plugins install' installs it");
        var own = room.Units.SelectMany(unit => unit.Contributors).OfType<IChannel>();
        var taken = registry.Current.Of<IChannel>().Except(own).Select(channel => channel.Id).ToHashSet(StringComparer.Ordinal);
        var rules = new PluginInstallRules
        {
            Taken = taken,
            AllowOlder = allowOlder,
            RequireSignature = options.RequireSignature,
            MustBe = update,
        };
        var installation = await store.PrepareAsync(source, rules, cancellationToken).ConfigureAwait(false);
        var id = installation.Plugin.Manifest.Id;
        // A first version stays on the disk whatever comes: its settings may be yet to be written.
        if (installation.Before is null) installation.Keep();
        string? doubt;
        try
        {
            doubt = await store.VerifyAsync(installation.Plugin, options.RequireSignature, cancellationToken).ConfigureAwait(false);
            if (doubt is not null) LogUntrusted(doubt);
            if (store.IsEnabled(id))
                await StartNewAsync(installation, cancellationToken).ConfigureAwait(false);
        }
        catch when (installation.Before is not null)
        {
            installation.Undo();
            throw;
        }

        if (installation.Before is not null) installation.Keep();
        var described = Describe(id)!;
        if (doubt is not null) described["warning"] = doubt;
        return described;
    }

    private async Task StartNewAsync(PluginInstallation installation, CancellationToken cancellationToken)
    {
        var manifest = installation.Plugin.Manifest;
        if (await room.UpdateAsync(installation.Plugin, options.SettingsOf(manifest), installation.Undo, cancellationToken).ConfigureAwait(false)
            is not { } reason) return;
        LogTakenBack(manifest.Id, manifest.Version, reason, installation.Before!);
        throw new BridgeException(
            ErrorCodes.Unavailable, $"plugin {manifest.Id} {manifest.Version} wasn't taken, and {installation.Before} is in use again: {reason}");
    }

    /// <summary>Stops it and removes it from the disk.</summary>
    public async Task<bool> RemoveAsync(string id, bool withData)
    {
        using var alone = await AloneAsync(CancellationToken.None).ConfigureAwait(false);
        await room.RemoveAsync(id).ConfigureAwait(false);
        return store.Remove(id, withData);
    }

    /// <summary>Enables it and starts it, or disables it and stops it.</summary>
    public async Task<bool> SetEnabledAsync(string id, bool enabled, CancellationToken cancellationToken)
    {
        using var alone = await AloneAsync(cancellationToken).ConfigureAwait(false);
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

    /// <summary>One plugin with all that its manifest says, or null.</summary>
    public JsonObject? Show(string id)
    {
        if (store.Find(id) is not { } plugin || Describe(id) is not { } shown) return null;
        var manifest = plugin.Manifest;
        shown["summary"] = manifest.Summary;
        shown["folder"] = plugin.Folder;
        shown["data"] = plugin.DataFolder;
        shown["signedBy"] = plugin.SignedBy;
        shown["trustedAs"] = plugin.SignedBy is { } key ? store.Trusted.NameOf(key) : null;
        shown["methods"] = new JsonArray([.. manifest.Methods.Select(method => (JsonNode)method.Name)]);
        shown["tools"] = new JsonArray([.. manifest.Tools.Select(tool => (JsonNode)tool.Name)]);
        shown["events"] = new JsonArray([.. manifest.Events.Select(name => (JsonNode)name)]);
        shown["agents"] = new JsonArray([.. manifest.Permissions.Agents.Select(name => (JsonNode)name)]);
        shown["records"] = new JsonArray([.. manifest.Permissions.Records.Select(name => (JsonNode)name)]);
        if (manifest.Settings is { } schema) shown["settings"] = JsonNode.Parse(schema.GetRawText());
        return shown;
    }

    /// <summary>The last lines that a plugin wrote; null when it isn't there.</summary>
    public JsonArray? Logs(string id, int count)
    {
        if (room.Units.FirstOrDefault(unit => unit.Manifest.Id == id) is not { } unit) return store.Find(id) is null ? null : [];
        return new JsonArray([.. unit.Lines.Last(count).Select(line => (JsonNode)new JsonObject
        {
            ["at"] = line.At.ToUnixTimeMilliseconds(),
            ["line"] = line.Text,
        })]);
    }

    /// <summary>The trusted keys, after one was added or removed.</summary>
    public JsonArray Trust(string? name, string? key, bool remove)
    {
        if (name is not null && remove)
        {
            if (!store.Trusted.Remove(name)) throw new BridgeException(ErrorCodes.NotFound, $"no key is trusted under the name {name}");
        }
        else if (name is not null)
        {
            store.Trusted.Add(name, key ?? "");
        }

        return store.Trusted.ToJson();
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

    private async Task<IDisposable> AloneAsync(CancellationToken cancellationToken)
    {
        await _changing.WaitAsync(cancellationToken).ConfigureAwait(false);
        return new Turn(_changing);
    }

    [LoggerMessage(EventId = LogEvents.PluginHostTakenBack, Level = LogLevel.Error,
        Message = "Plugin {Plugin} {Version} wasn't taken: {Reason}; {Before} is in use again")]
    private partial void LogTakenBack(string plugin, string version, string reason, string before);

    [LoggerMessage(EventId = LogEvents.PluginHostRefused, Level = LogLevel.Error, Message = "Plugin {Plugin} isn't started: {Reason}")]
    private partial void LogRefused(string plugin, string reason);

    [LoggerMessage(EventId = LogEvents.PluginHostUntrusted, Level = LogLevel.Warning, Message = "{Doubt}; 'channelbridge plugins trust' trusts a key")]
    private partial void LogUntrusted(string doubt);

    [LoggerMessage(EventId = LogEvents.PluginHostMissing, Level = LogLevel.Warning, Message = "This system lacks {Missing}")]
    private partial void LogMissing(string missing);

    private sealed class Turn(SemaphoreSlim semaphore) : IDisposable
    {
        public void Dispose() => semaphore.Release();
    }
}
