using System.Buffers;
using System.Text.Json;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Tools;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Streams;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Plugins.Sdk;

/// <summary>The plugin's end: channels written for a host, served to one over the pipe.</summary>
internal sealed class SdkProcess(PluginManifest manifest, PluginBuilder builder) : IPluginProcess, IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private IReadOnlyDictionary<string, IChannel> _channels = new Dictionary<string, IChannel>();
    private Dictionary<string, RpcMethod> _methods = [];
    private Dictionary<string, AgentTool> _tools = [];
    private ServiceProvider? _services;
    private HostOutbox? _outbox;
    private SdkEndpoints? _endpoints;
    private Task _reporting = Task.CompletedTask;
    private string _dataFolder = "";

    /// <summary>The host, once the pipe is there.</summary>
    public TaskCompletionSource<(IPluginHost Host, PluginStreams Streams)> Pipe { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The host has said stop.</summary>
    public bool IsStopped { get; private set; }

    public Task<PluginOffer> InitializeAsync(PluginHello hello, CancellationToken cancellationToken)
    {
        if (!hello.Protocols.Contains(PluginProtocol.Version))
        {
            var others = string.Join(", ", hello.Protocols);
            throw new BridgeException(
                ErrorCodes.Conflict, $"this plugin speaks version {PluginProtocol.Version} of the plugin protocol, the host {others}");
        }

        _dataFolder = hello.DataFolder;
        return Task.FromResult(new PluginOffer
        {
            Protocol = PluginProtocol.Version,
            Plugin = manifest.Id,
            Version = manifest.Version,
            Channels = [.. manifest.Channels.Select(channel => channel.Id)],
            Methods = [.. manifest.Methods.Select(method => method.Name)],
            Tools = [.. manifest.Tools.Select(tool => tool.Name)],
            Endpoints = [.. PluginNames.OfEndpoints(manifest)],
        });
    }

    public async Task<PluginStarted> StartAsync(PluginStart start, CancellationToken cancellationToken)
    {
        var (host, streams) = await Pipe.Task.ConfigureAwait(false);
        builder.Settings.Value = start.Settings;
        _outbox = new HostOutbox(host);
        builder.Services.AddSingleton<IInbox>(new HostInbox(host, manifest.Permissions.Agents));
        builder.Services.AddSingleton<IOutbox>(_outbox);
        builder.Services.AddSingleton<IRecords>(new HostRecords(host));
        builder.Services.AddSingleton<ISpool>(new HostSpool(host, streams));
        builder.Services.AddSingleton<IResponseRuns>(new HostRuns(host, streams, manifest.Permissions.Agents));
        builder.Services.AddSingleton(new PluginFolders(_dataFolder));
        _services = builder.Services.BuildServiceProvider();
        var channels = builder.Channels.Select(type => (IChannel)_services.GetRequiredService(type)).ToList();
        _channels = channels.ToDictionary(channel => channel.Id, StringComparer.Ordinal);
        _methods = channels.SelectMany(channel => channel.Methods).ToDictionary(method => method.Name, StringComparer.Ordinal);
        _tools = channels.OfType<IToolSource>().SelectMany(source => source.Tools).ToDictionary(tool => tool.Name, StringComparer.Ordinal);
        Compare("channels", manifest.Channels.Select(channel => channel.Id), _channels.Keys);
        Compare("methods", manifest.Methods.Select(method => method.Name), _methods.Keys);
        Compare("tools", manifest.Tools.Select(tool => tool.Name), _tools.Keys);
        _endpoints = new SdkEndpoints([.. channels.OfType<IEndpointSource>()], streams, _services.GetRequiredService<TimeProvider>(), _stop.Token);
        Compare("endpoints", PluginNames.OfEndpoints(manifest), _endpoints.Names);
        if (_endpoints.Faults(manifest).ToList() is { Count: > 0 } faults) throw new BridgeException(ErrorCodes.Conflict, string.Join("; ", faults));
        // The host must know the accounts before a channel attaches one or accepts for it.
        foreach (var channel in channels) await ReportAsync(host, channel, cancellationToken).ConfigureAwait(false);
        foreach (var channel in channels)
        {
            await channel.StartAsync(cancellationToken).ConfigureAwait(false);
            await ReportAsync(host, channel, cancellationToken).ConfigureAwait(false);
        }

        _reporting = Task.Run(() => KeepReportingAsync(host, channels), CancellationToken.None);
        return new PluginStarted { Accounts = channels.ToDictionary(channel => channel.Id, Accounts, StringComparer.Ordinal) };
    }

    public async Task StopAsync(string reason, CancellationToken cancellationToken)
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        foreach (var channel in _channels.Values) await channel.StopAsync(cancellationToken).ConfigureAwait(false);
        await _reporting.ConfigureAwait(false);
        // Streams and sockets have heard of it by the token of their handlers.
        if (_endpoints is not null) await _endpoints.DrainAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        IsStopped = true;
    }

    public async Task<PluginPushed> PushAsync(
        Guid id, long seq, int attempt, long createdAt, PluginOutbound message, CancellationToken cancellationToken)
    {
        if (_outbox?.Find(message.Channel, message.AccountId) is not { } target) return new PluginPushed { Outcome = "gone" };
        var outcome = await target.PushAsync(SdkMapping.ToPush(id, seq, attempt, createdAt, message), cancellationToken)
            .ConfigureAwait(false);
        return new PluginPushed { Outcome = outcome.ToString().ToLowerInvariant() };
    }

    public async Task<PluginTarget> ResolveTargetAsync(string channel, string accountId, string target, CancellationToken cancellationToken)
    {
        var resolved = await Channel(channel).ResolveTargetAsync(accountId, target, cancellationToken).ConfigureAwait(false);
        return new PluginTarget(resolved.AccountId, resolved.SessionKey, resolved.Route);
    }

    public Task<string> FormatTargetAsync(string channel, string sessionKey, string route, CancellationToken cancellationToken) =>
        Channel(channel).FormatTargetAsync(sessionKey, route, cancellationToken).AsTask();

    public async Task<JsonElement> CallMethodAsync(
        string name, JsonElement parameters, PluginCaller caller, CancellationToken cancellationToken)
    {
        var method = _methods.GetValueOrDefault(name) ?? throw new BridgeException(ErrorCodes.NotFound, $"there is no method {name}");
        var result = new ArrayBufferWriter<byte>();
        await method.InvokeAsync(JsonSerializer.SerializeToUtf8Bytes(parameters), SdkMapping.ToCall(caller), result, cancellationToken)
            .ConfigureAwait(false);
        return Read(result);
    }

    public async Task<JsonElement> CallToolAsync(
        string name, JsonElement arguments, PluginCaller caller, string? sessionKey, CancellationToken cancellationToken)
    {
        var tool = _tools.GetValueOrDefault(name) ?? throw new BridgeException(ErrorCodes.NotFound, $"there is no tool {name}");
        var result = new ArrayBufferWriter<byte>();
        await tool.RunAsync(
            JsonSerializer.SerializeToUtf8Bytes(arguments), new ToolCall(sessionKey, SdkMapping.ToCall(caller)), result,
                cancellationToken).ConfigureAwait(false);
        return Read(result);
    }

    public Task<PluginHttpAnswer> AnswerHttpAsync(PluginRequest request, string? text, long? body, CancellationToken cancellationToken) =>
        Endpoints().AnswerAsync(request, text, body, cancellationToken);

    public Task<PluginVerdict> AuthorizeAsync(PluginRequest request, CancellationToken cancellationToken) =>
        Endpoints().AuthorizeAsync(request, cancellationToken);

    public Task<PluginSocketOpened> OpenSocketAsync(PluginRequest request, long incoming, string? subprotocol, CancellationToken cancellationToken) =>
        Task.FromResult(Endpoints().Open(request, incoming, subprotocol));

    public Task TurnEventsAsync(IReadOnlyList<PluginTurnEvent> events, CancellationToken cancellationToken)
    {
        foreach (var happened in events)
        {
            foreach (var listener in _channels.Values.OfType<ITurnListener>()) SdkMapping.Tell(listener, happened);
        }

        return Task.CompletedTask;
    }

    public Task<PluginHealth> CheckHealthAsync(CancellationToken cancellationToken) => Task.FromResult(new PluginHealth());

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _reporting.ConfigureAwait(false);
        if (_services is not null) await _services.DisposeAsync().ConfigureAwait(false);
        _stop.Dispose();
    }

    private static IReadOnlyList<PluginAccount> Accounts(IChannel channel) => [.. channel.GetAccounts().Select(account => new PluginAccount
    {
        AccountId = account.AccountId,
        Connected = account.Connected,
        ActiveConnections = account.ActiveConnections,
        LastActivityAt = account.LastActivityAt,
    })];

    private static async Task ReportAsync(IPluginHost host, IChannel channel, CancellationToken cancellationToken) =>
        await host.ReportAccountsAsync(channel.Id, Accounts(channel), cancellationToken).ConfigureAwait(false);

    // Inside a host a channel is asked for its accounts; here it is asked every second, and the host told what changed.
    private async Task KeepReportingAsync(IPluginHost host, IReadOnlyList<IChannel> channels)
    {
        var told = channels.ToDictionary(channel => channel, Accounts);
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                foreach (var channel in channels)
                {
                    var now = Accounts(channel);
                    if (now.SequenceEqual(told[channel])) continue;
                    try
                    {
                        await ReportAsync(host, channel, _stop.Token).ConfigureAwait(false);
                        told[channel] = now;
                    }
                    catch (StreamJsonRpc.RemoteInvocationException)
                    {
                        // Refused for now: told again with the next look.
                    }
                }
            }
        }
        catch (Exception fault) when (fault is OperationCanceledException or StreamJsonRpc.RemoteRpcException or ObjectDisposedException)
        {
            // Stopping, or the host is gone.
        }
    }

    private SdkEndpoints Endpoints() => _endpoints ?? throw BridgeException.Unavailable("this plugin hasn't started");

    private IChannel Channel(string id) =>
        _channels.GetValueOrDefault(id) ?? throw new BridgeException(ErrorCodes.NotFound, $"there is no channel {id}");

    private static void Compare(string what, IEnumerable<string> said, IEnumerable<string> there)
    {
        var manifest = string.Join(", ", said.Order(StringComparer.Ordinal));
        var program = string.Join(", ", there.Order(StringComparer.Ordinal));
        if (manifest == program) return;
        throw new BridgeException(ErrorCodes.Conflict, $"the manifest's {what} are [{manifest}], the program's [{program}]");
    }

    private static JsonElement Read(ArrayBufferWriter<byte> result)
    {
        using var document = JsonDocument.Parse(result.WrittenCount == 0 ? "null"u8.ToArray() : result.WrittenMemory);
        return document.RootElement.Clone();
    }
}
