using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Abstractions.Events;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Streams;
using ChannelBridge.Plugins.Supervision;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Plugins.Hosting;

/// <summary>What a plugin gets of the host.</summary>
internal sealed record PluginServices(
    IInbox Inbox, IOutbox Outbox, IRecords Records, IEventHub Events, ILogger Logger, TimeProvider Time, ISpool? Spool = null, IResponseRuns? Runs = null);

/// <summary>One plugin inside the host: its channels and what else it contributes, and the supervisor of its process.</summary>
internal sealed class PluginUnit : IPluginSide, IAsyncDisposable
{
    private readonly PluginLink _link;
    private readonly PluginDesk _desk;

    public PluginUnit(InstalledPlugin plugin, PluginSettings settings, PluginServices services, SupervisorTimes? times = null, PluginStarts? starts = null)
    {
        Plugin = plugin;
        Settings = settings;
        Manifest = plugin.Manifest;
        _link = new PluginLink(Manifest.Id);
        Lines = new PluginLines(services.Time);
        var calls = new PluginCalls(Manifest, _link);
        var channels = Manifest.Channels.ToDictionary(
            channel => channel.Id,
            channel => new PluginChannel(
                channel, _link, services.Outbox, calls.MethodsOf(channel.Id),
                [.. Manifest.Events.Where(name => name.StartsWith(channel.Id + ".", StringComparison.Ordinal))]),
            StringComparer.Ordinal);
        var start = new PluginStart { Settings = settings.Settings, Channels = settings.Channels };
        var secrets = Secrets.Find(Manifest, start).ToArray();
        _desk = new PluginDesk(
            Manifest, channels, _link, settings.AgentOf, services.Inbox, services.Outbox, services.Records, services.Events,
            services.Logger, text => Secrets.Mask(text, secrets), services.Time, Lines, services.Spool, services.Runs);
        Supervisor = new PluginSupervisor(
            Manifest, plugin.Folder, plugin.DataFolder, settings.Options, start, this, services.Logger, services.Time, times, Lines, starts);
        Contributors =
        [
            .. channels.Values, calls, new PluginTurns(channels, _link), .. PluginEndpoints.Of(Manifest, _link, services.Logger), new Section(this),
        ];
    }

    public InstalledPlugin Plugin { get; }

    public PluginSettings Settings { get; }

    /// <summary>What became of the last update when its version wasn't taken, or null.</summary>
    public string? LastUpdate { get; init; }

    public PluginManifest Manifest { get; }

    public PluginSupervisor Supervisor { get; }

    public PluginLines Lines { get; }

    public IReadOnlyList<IContributor> Contributors { get; }

    public IPluginHost Host => _desk;

    public void OnConnected(IPluginProcess plugin, PluginStreams streams)
    {
        _link.Set(plugin, streams);
        _desk.BeginStart();
    }

    public ValueTask OnStartedAsync(PluginStarted started, CancellationToken cancellationToken)
    {
        _desk.EndStart(started.Accounts);
        return ValueTask.CompletedTask;
    }

    public void OnGone()
    {
        _link.Clear();
        _desk.DetachAll();
    }

    public ValueTask DisposeAsync() => Supervisor.DisposeAsync();

    /// <summary>The plugin's state for operators.</summary>
    public JsonObject Describe()
    {
        var status = Supervisor.Status;
        return new JsonObject
        {
            ["id"] = status.Id,
            ["version"] = status.Version,
            ["state"] = status.State.ToString().ToLowerInvariant(),
            ["channels"] = new JsonArray([.. Manifest.Channels.Select(channel => (JsonNode)channel.Id)]),
            ["process"] = status.ProcessId,
            ["memory"] = status.Memory,
            ["disk"] = status.Disk,
            ["starts"] = status.Starts,
            ["lastEnd"] = status.LastEnd,
            ["lastUpdate"] = LastUpdate,
            ["detail"] = status.Detail,
            ["refused"] = status.Refused,
            ["dropped"] = status.Dropped,
            ["said"] = _desk.Diagnostics?.DeepClone(),
        };
    }

    private sealed class Section(PluginUnit unit) : IDiagnosticsSource
    {
        string IDiagnosticsSource.Section => $"plugin:{unit.Manifest.Id}";

        public ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken) => ValueTask.FromResult(unit.Describe());
    }
}
