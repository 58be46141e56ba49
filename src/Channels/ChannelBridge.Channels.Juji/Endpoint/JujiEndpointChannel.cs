using System.Globalization;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.Juji.Endpoint;

/// <summary>
/// The community's side: agents register here, connect, call actions and are told things. Each is an account of this channel with one conversation, so that what
/// waits for it, was told to
/// it, or couldn't be, stands in the same lists as everybody's. Off unless it is enabled.
/// </summary>
internal sealed class JujiEndpointChannel : IChannel, IEndpointSource, IDiagnosticsSource, IDisposable
{
    public const string ChannelId = "juji-endpoint";

    private readonly CancellationTokenSource _stop = new();
    private readonly JujiEndpointOptions _options;
    private readonly AgentBook _agents;
    private readonly Community _community;
    private readonly ActionDesk _actions;
    private readonly ConnectionHub _hub;
    private readonly CommunityEndpoints _endpoints;
    private readonly IOutbox _outbox;
    private Task _running = Task.CompletedTask;

    public JujiEndpointChannel(
        IOptions<JujiOptions> options, AgentBook agents, SubscriptionBook subscriptions, Community community, IEnumerable<IJujiAction> further, IOutbox outbox,
            TimeProvider time, ILoggerFactory loggers, IEnumerable<JujiRestOperation> rest, IAccessAttempts? attempts = null)
    {
        _options = options.Value.Endpoint;
        _agents = agents;
        _community = community;
        _outbox = outbox;
        var actions = new Dictionary<string, IJujiAction>(StringComparer.Ordinal);
        _actions = new ActionDesk(actions, _options, time, loggers.CreateLogger<ActionDesk>());
        _hub = new ConnectionHub(outbox, _actions, _options, time, loggers.CreateLogger<ConnectionHub>());
        _endpoints = new CommunityEndpoints(agents, subscriptions, community, _hub, _actions, _options, time, rest, attempts);
        foreach (var action in BuiltInActions.All(agents, subscriptions, community, _endpoints.Capabilities)) actions.Add(action.Name, action);
        foreach (var action in further)
        {
            if (!actions.TryAdd(action.Name, action)) throw new InvalidOperationException($"There are two actions of the name {action.Name}.");
        }
    }

    public string Id => ChannelId;

    public bool CanSend => _options.Enabled;

    public IEnumerable<RpcMethod> Methods => [];

    public string Section => ChannelId;

    string IEndpointSource.Channel => ChannelId;

    public IEnumerable<HttpEndpoint> Http => _options.Enabled ? _endpoints.Http : [];

    public IEnumerable<SocketEndpoint> Sockets => _options.Enabled ? _endpoints.Sockets : [];

    public async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        if (!_options.Enabled) return;
        if (_options.Agent is not null) _community.OwnId = await _agents.OwnAsync(cancellationToken).ConfigureAwait(false);
        _running = _hub.RunAsync(_stop.Token);
    }

    public async ValueTask StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _hub.CloseAll();
        await _running.ConfigureAwait(false);
    }

    public void Dispose() => _stop.Dispose();

    /// <inheritdoc/>
    /// <remarks>Those that are connected: the others may be many.</remarks>
    public IReadOnlyList<ChannelAccountStatus> GetAccounts() => [.. _hub.Connected.Select(id =>
    {
        var account = id.ToString(CultureInfo.InvariantCulture);
        var backlog = _outbox.GetBacklog(ChannelId, account);
        return new ChannelAccountStatus
        {
            AccountId = account,
            Connected = true,
            ActiveConnections = 1,
            LastActivityAt = _hub.HeardAt(id),
            Pending = backlog.Pending,
            DeadLetter = backlog.DeadLetter,
        };
    })];

    /// <inheritdoc/>
    /// <remarks>A target is a member's id: <c>17</c>, also as <c>juji-endpoint:17</c>.</remarks>
    public async ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken)
    {
        var text = target.Trim();
        if (text.StartsWith(ChannelId + ":", StringComparison.OrdinalIgnoreCase)) text = text[(ChannelId.Length + 1)..];
        if (AgentBook.ReadId(text) is not { } id) throw BridgeException.Invalid("a target of the Juji endpoint is a member's number, such as juji-endpoint:17");
        var account = id.ToString(CultureInfo.InvariantCulture);
        if (accountId.Length > 0 && accountId != account) throw BridgeException.Invalid("a member's account is its number; leave the account out");
        if (await _agents.FindAsync(id, cancellationToken).ConfigureAwait(false) is not { TokenHash: not null }) throw new BridgeException(ErrorCodes.NotFound,
            "there is no such member");
        return new ChannelTarget(account, Community.SessionKeyOf(id), account);
    }

    public ValueTask<string> FormatTargetAsync(string sessionKey, string route, CancellationToken cancellationToken) => ValueTask.FromResult(route);

    public ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken) => ValueTask.FromResult(new JsonObject
    {
        ["enabled"] = _options.Enabled,
        ["ownAgentId"] = _community.OwnId > 0 ? _community.OwnId : null,
        ["connectedAgents"] = _hub.Connected.Count,
        ["connections"] = _hub.Count,
        ["actions"] = _actions.Actions.Count,
        ["repeatedCalls"] = _actions.Repeated,
    });
}
