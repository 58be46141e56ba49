using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Tools;
using ChannelBridge.Plugins.Manifest;

namespace ChannelBridge.Plugins.Hosting;

/// <summary>The plugins that run in this host. They come and go while it runs.</summary>
public sealed class PluginRoom : IAsyncDisposable
{
    private readonly IRegistry _registry;
    private readonly PluginServices _services;
    private readonly Supervision.SupervisorTimes? _times;
    private readonly Dictionary<string, (PluginUnit Unit, IDisposable Registration)> _units = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _changing = new(1, 1);

    internal PluginRoom(IRegistry registry, PluginServices services, Supervision.SupervisorTimes? times = null)
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
    public async Task AddAsync(InstalledPlugin plugin, PluginSettings settings, CancellationToken cancellationToken = default)
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
            var unit = new PluginUnit(plugin, settings, _services, _times);
            (PluginUnit Unit, IDisposable Registration) old;
            lock (_units)
            {
                _units.TryGetValue(manifest.Id, out old);
            }

            CheckNames(manifest, old.Unit);
            if (old.Unit is not null)
            {
                await old.Unit.DisposeAsync().ConfigureAwait(false);
                old.Registration.Dispose();
            }

            var registration = _registry.Add(unit.Contributors);
            lock (_units)
            {
                _units[manifest.Id] = (unit, registration);
            }

            if (settings.Options.Enabled) unit.Supervisor.Start();
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

            await entry.Unit.DisposeAsync().ConfigureAwait(false);
            entry.Registration.Dispose();
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
        await Task.WhenAll(Units.Select(unit => RemoveAsync(unit.Manifest.Id))).ConfigureAwait(false);
        _changing.Dispose();
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
