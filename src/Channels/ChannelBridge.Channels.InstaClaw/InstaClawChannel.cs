using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Tools;
using ChannelBridge.Channels.InstaClaw.Connection;
using ChannelBridge.Channels.InstaClaw.Messages;
using ChannelBridge.Channels.InstaClaw.Methods;
using ChannelBridge.Channels.InstaClaw.Registration;
using ChannelBridge.Channels.InstaClaw.Tools;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.InstaClaw;

/// <summary>
/// The InstaClaw channel: it dials out to the platform's broker, one connection per account, answers users with streams of Open Responses events, and
/// registers the account where it isn't yet. It does nothing unless it is configured.
/// </summary>
internal sealed class InstaClawChannel : IChannel, IDiagnosticsSource, IToolSource, IDisposable
{
    public const string ChannelId = "instaclaw";

    private readonly CancellationTokenSource _stop = new();
    private readonly HttpClient _http = PlatformApi.NewClient();
    private readonly InstaClawOptions _options;
    private readonly AccountBook _accounts;
    private readonly ToolSet _tools;
    private Task _running = Task.CompletedTask;

    public InstaClawChannel(
        IOptions<InstaClawOptions> options,
        IBrokerDialer dialer,
        IRecords records,
        IResponseRuns? runs,
        TimeProvider time,
        Random random,
        IHostClaims claims,
        ILoggerFactory loggers,
        IGatewayAdmission? gateway = null)
    {
        _options = options.Value;
        _accounts = new AccountBook(
            _options.IsOn ? [.. Configured(_options).Select(one => Make(one.Id, one.Account, _options, dialer, records, runs, gateway, time, random, claims, loggers))] : []);
        _tools = new ToolSet(_accounts, _options);
        Methods = [.. new RegistrationMethods(_accounts).Methods, .. _tools.Methods];
    }

    public string Id => ChannelId;

    public bool CanSend => false;

    public IEnumerable<RpcMethod> Methods { get; }

    /// <inheritdoc/>
    /// <remarks>An agent is offered no tools for a platform that isn't configured.</remarks>
    public IEnumerable<AgentTool> Tools => _accounts.All.Count > 0 ? _tools.Tools : [];

    public string Section => ChannelId;

    public ValueTask StartAsync(CancellationToken cancellationToken)
    {
        // The accounts' work has no beginning that the host could wait for: a broker may be away for days.
        _running = Task.WhenAll(_accounts.All.Select(account => Task.Run(() => account.RunAsync(_stop.Token), CancellationToken.None)));
        return ValueTask.CompletedTask;
    }

    public async ValueTask StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _running.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    public void Dispose()
    {
        foreach (var account in _accounts.All) account.Dispose();
        _http.Dispose();
        _stop.Dispose();
    }

    public IReadOnlyList<ChannelAccountStatus> GetAccounts() => [.. _accounts.All.Select(Status)];

    public ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken) =>
        throw BridgeException.Invalid("InstaClaw only answers: its users can't be written to first, so there is no target to send to");

    public ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken)
    {
        var accounts = new JsonArray();
        foreach (var account in _accounts.All) accounts.Add((JsonNode)Describe(account));
        return ValueTask.FromResult(new JsonObject { ["enabled"] = _accounts.All.Count > 0, ["accounts"] = accounts });
    }

    private static IEnumerable<(string Id, InstaClawAccountOptions Account)> Configured(InstaClawOptions options) =>
        options.Accounts.Count == 0
            ? [(AccountIds.Default, new InstaClawAccountOptions())]
            : options.Accounts.Where(account => account.Value.Enabled).Select(account => (account.Key, account.Value));

    private InstaClawAccount Make(
        string id,
        InstaClawAccountOptions own,
        InstaClawOptions options,
        IBrokerDialer dialer,
        IRecords records,
        IResponseRuns? runs,
        IGatewayAdmission? gateway,
        TimeProvider time,
        Random random,
        IHostClaims claims,
        ILoggerFactory loggers)
    {
        var agent = own.Agent ?? options.Agent;
        var endpoints = Endpoints.Of(options, own);
        var files = new ProfileFiles(BaseFolder(id, own, options), time, loggers.CreateLogger<ProfileFiles>());
        var platform = new PlatformApi(_http, endpoints, options, time);
        var asked = runs is null ? null : new RegistrationAgent(agent, options, runs, time);
        return new InstaClawAccount(
            id,
            options,
            files,
            desk => new BrokerConnection(id, endpoints.Broker, options, dialer, desk, time, random, loggers.CreateLogger<BrokerConnection>()),
            new RequestDesk(id, agent, options, runs, records, time, loggers.CreateLogger<RequestDesk>(), gateway, files.ReadProfile),
            new Registrar(id, options, files, platform, records, asked, time, loggers.CreateLogger<Registrar>()),
            platform,
            () => claims.Take($"{ChannelId}/{AccountIds.Key(id)}"),
            time,
            loggers.CreateLogger<InstaClawAccount>());
    }

    private static string BaseFolder(string id, InstaClawAccountOptions own, InstaClawOptions options)
    {
        if (own.BaseFolder is { } named) return named;
        return AccountIds.Key(id) == AccountIds.Default ? options.BaseFolder : Path.Combine(options.BaseFolder, "accounts", AccountIds.Key(id));
    }

    private static ChannelAccountStatus Status(InstaClawAccount account)
    {
        var connected = account.Connection.State == ConnectionState.Connected;
        return new ChannelAccountStatus
        {
            AccountId = account.Id,
            Connected = connected,
            ActiveConnections = connected ? 1 : 0,
            LastActivityAt = At(account.Connection.LastHeardAt),
            LastInboundAt = At(account.Desk.LastInboundAt),
            LastOutboundAt = At(account.Desk.LastOutboundAt),
            Pending = account.Desk.Open.Count,
        };
    }

    private JsonObject Describe(InstaClawAccount account)
    {
        var (connection, desk) = (account.Connection, account.Desk);
        var open = desk.Open;
        var registration = RegistrationMethods.Describe(account);
        return new JsonObject
        {
            ["accountId"] = account.Id,
            ["state"] = account.ConnectionName,
            ["lastError"] = account.Files.Problem is { } problem ? $"profile.json: {problem}" : connection.LastError,
            ["connectedAt"] = At(connection.ConnectedAt),
            ["lastHeardAt"] = At(connection.LastHeardAt),
            ["reconnectAttempts"] = connection.Attempts,
            ["missedPongs"] = connection.MissedPongs,
            ["registration"] = registration.Status,
            ["registrationError"] = registration.LastError,
            ["slots"] = new JsonObject { ["limit"] = _options.MaxConcurrentRequests, ["taken"] = desk.Slots.Taken },
            ["queue"] = new JsonObject
            {
                ["limit"] = _options.MaxQueuedRequests,
                ["waiting"] = Math.Max(desk.Slots.Waiting, open.Count(request => request.Running) - desk.Slots.Taken),
            },
            ["openResponses"] = open.Count,
            ["eventsWaiting"] = open.Sum(request => request.Unconfirmed),
            ["duplicates"] = desk.Duplicates,
            ["refused"] = desk.Refused,
            ["ignored"] = desk.Malformed,
            ["lastInboundAt"] = At(desk.LastInboundAt),
            ["lastOutboundAt"] = At(desk.LastOutboundAt),
        };
    }

    private static long? At(long time) => time > 0 ? time : null;
}
