using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Tools;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Supervision;

namespace ChannelBridge.Plugins.Hosting;

/// <summary>The plugins that run in this host. They come and go while it runs.</summary>
public sealed class PluginRoom : IAsyncDisposable
{
    private readonly IRegistry _registry;
    private readonly PluginServices _services;
    private readonly SupervisorTimes? _times;
    private readonly Dictionary<string, (PluginUnit Unit, IDisposable Registration)> _units = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _changing = new(1, 1);
    private readonly CancellationTokenSource _stop = new();
    private readonly PluginStarts _starts = new();
    private int _disposed;

    internal PluginRoom(IRegistry registry, PluginServices services, SupervisorTimes? times = null)
    {
        _registry = registry;
        _services = services;
        _times = times;
    }

    /// <summary>The plugins as they are now, by id.</summary>
    internal IReadOnlyList<PluginUnit> Units
    {
        get
        {
            lock (_units) return [.. _units.Values.Select(entry => entry.Unit).OrderBy(unit => unit.Manifest.Id, StringComparer.Ordinal)];
        }
    }

    /// <summary>Adds a plugin and starts its process; in place of the version of it that runs, if one does.</summary>
    /// <param name="plugin">The plugin.</param>
    /// <param name="settings">What the operator set for it.</param>
    /// <param name="cancellationToken">Stops waiting for the old one's end.</param>
    /// <exception cref="BridgeException">Its settings don't fit its manifest, or a name of it is another's; nothing was
    /// changed.</exception>
    public Task AddAsync(InstalledPlugin plugin, PluginSettings settings, CancellationToken cancellationToken = default) =>
        AddAsync(plugin, settings, goBack: null, cancellationToken);

    /// <summary>
    /// The same for an update: when the new version isn't ready in the time of a handshake, the version that ran before starts again.
    /// </summary>
    /// <param name="plugin">The plugin.</param>
    /// <param name="settings">What the operator set for it.</param>
    /// <param name="goBack">Puts the version before in place again, when the new one has ended and before that one starts.</param>
    /// <param name="cancellationToken">Stops waiting for the old one's end.</param>
    /// <returns>Why the new version wasn't taken; null when it runs, or when there was none before.</returns>
    /// <exception cref="BridgeException">Its settings don't fit its manifest, or a name of it is another's; nothing was
    /// changed.</exception>
    internal async Task<string?> UpdateAsync(InstalledPlugin plugin, PluginSettings settings, Action goBack, CancellationToken cancellationToken) =>
        await AddAsync(plugin, settings, goBack, cancellationToken).ConfigureAwait(false);

    private async Task<string?> AddAsync(InstalledPlugin plugin, PluginSettings settings, Action? goBack, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(plugin);
        ArgumentNullException.ThrowIfNull(settings);
        var manifest = plugin.Manifest;
        if (settings.Settings is { } given && ManifestReader.CheckSettings(manifest, given) is { Count: > 0 } faults)
            throw new ManifestException($"the settings of plugin {manifest.Id} (Plugins:{manifest.Id}:Settings)", faults);
        if (ManifestReader.CheckPlaces(manifest, settings.Options.Paths) is { Count: > 0 } places) throw new ManifestException($"plugin {manifest.Id}", places);
        await _changing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var unit = new PluginUnit(plugin, settings, _services, _times, _starts);
            (PluginUnit Unit, IDisposable Registration) old;
            lock (_units)
            {
                _units.TryGetValue(manifest.Id, out old);
            }

            CheckNames(manifest, old.Unit);
            if (old.Unit is not null) await EndAsync(old).ConfigureAwait(false);
            Begin(unit);
            if (goBack is null || old.Unit is null || !settings.Options.Enabled) return null;
            if (await WhyNotReadyAsync(unit.Supervisor).ConfigureAwait(false) is not { } reason) return null;
            // What the old version hadn't acked is pushed to it again; what the new one has taken in its short life is in the store.
            await EndAsync((unit, Entry(manifest.Id).Registration)).ConfigureAwait(false);
            goBack();
            var before = new PluginUnit(old.Unit.Plugin, old.Unit.Settings, _services, _times, _starts) { LastUpdate = $"{manifest.Version} wasn't taken: {reason}" };
            Begin(before);
            await WhyNotReadyAsync(before.Supervisor).ConfigureAwait(false);
            return reason;
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>
    /// Stops a plugin and takes its channels out of the host. What its channels hold on disk stays. False when there is none.
    /// </summary>
    public async Task<bool> RemoveAsync(string id)
    {
        await _changing.WaitAsync().ConfigureAwait(false);
        try
        {
            (PluginUnit Unit, IDisposable Registration) entry;
            lock (_units)
            {
                if (!_units.Remove(id, out entry)) return false;
            }

            await EndAsync(entry).ConfigureAwait(false);
            return true;
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Stops a plugin's process and starts it anew, also out of quarantine. False when there is no such plugin.</summary>
    public async Task<bool> RestartAsync(string id)
    {
        PluginUnit? unit;
        lock (_units)
        {
            unit = _units.TryGetValue(id, out var entry) ? entry.Unit : null;
        }

        if (unit is null) return false;
        await unit.Supervisor.StopAsync().ConfigureAwait(false);
        unit.Supervisor.Start();
        return true;
    }

    /// <summary>Stops every plugin.</summary>
    public async ValueTask DisposeAsync()
    {
        // The host stops it, and then its container.
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        // An update that waits for its new version is waited for no longer.
        await _stop.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(Units.Select(unit => RemoveAsync(unit.Manifest.Id))).ConfigureAwait(false);
        _changing.Dispose();
        _starts.Dispose();
        _stop.Dispose();
    }

    private (PluginUnit Unit, IDisposable Registration) Entry(string id)
    {
        lock (_units) return _units[id];
    }

    private void Begin(PluginUnit unit)
    {
        var registration = _registry.Add(unit.Contributors);
        lock (_units)
        {
            _units[unit.Manifest.Id] = (unit, registration);
        }

        if (unit.Settings.Options.Enabled) unit.Supervisor.Start();
    }

    private static async Task EndAsync((PluginUnit Unit, IDisposable Registration) entry)
    {
        await entry.Unit.DisposeAsync().ConfigureAwait(false);
        entry.Registration.Dispose();
    }

    // Null when it runs. One that ends is started again by its supervisor; its first end says enough.
    private async Task<string?> WhyNotReadyAsync(PluginSupervisor supervisor)
    {
        var patience = (_times ?? new SupervisorTimes()).Handshake;
        using var timeout = new CancellationTokenSource(patience, _services.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, _stop.Token);
        try
        {
            var state = await supervisor.WaitForAsync(
                both.Token, PluginState.Running, PluginState.Waiting, PluginState.Quarantined).ConfigureAwait(false);
            return state == PluginState.Running ? null : supervisor.Status.LastEnd ?? "it ended";
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            return "the host stops";
        }
        catch (OperationCanceledException)
        {
            return $"it wasn't ready in {patience.TotalSeconds:0.#} s";
        }
    }

    private void CheckNames(PluginManifest manifest, PluginUnit? old)
    {
        var own = old?.Contributors ?? [];
        var faults = new List<SchemaFault>();
        var current = _registry.Current;
        var channels = current.Of<IChannel>().Except(own.OfType<IChannel>()).Select(channel => channel.Id)
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
        var methods = current.Of<IMethodSource>().Except(own.OfType<IMethodSource>()).SelectMany(source => source.Methods)
            .Select(method => method.Name)
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
        var tools = current.Of<IToolSource>().Except(own.OfType<IToolSource>()).SelectMany(source => source.Tools).Select(tool => tool.Name)
            .ToHashSet(StringComparer.OrdinalIgnoreCase);
        for (var i = 0; i < manifest.Channels.Count; i++)
        {
            if (channels.Contains(manifest.Channels[i].Id))
                faults.Add(new SchemaFault($"$.channels[{i}].id", $"there is another channel {manifest.Channels[i].Id} in this host"));
        }

        for (var i = 0; i < manifest.Methods.Count; i++)
        {
            if (methods.Contains(manifest.Methods[i].Name))
                faults.Add(new SchemaFault($"$.methods[{i}].name", $"there is another method {manifest.Methods[i].Name} in this host"));
        }

        for (var i = 0; i < manifest.Tools.Count; i++)
        {
            if (tools.Contains(manifest.Tools[i].Name))
                faults.Add(new SchemaFault($"$.tools[{i}].name", $"there is another tool {manifest.Tools[i].Name} in this host"));
        }

        if (faults.Count > 0) throw new ManifestException($"plugin {manifest.Id}", faults);
    }
}
