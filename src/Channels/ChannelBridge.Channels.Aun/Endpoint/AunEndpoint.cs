using System.Security.Cryptography;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Aun.Messages;
using ChannelBridge.Channels.Aun.Pki;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.Aun.Endpoint;

/// <summary>
/// The gateway's side of the channel: AIDs register, log in and write to each other here, and agents of this host are AIDs among them. Its keys are opened when the host
/// is put together, since the doors ask for its endpoints before anything is started; its books need the store and are made then, too, but read nothing yet.
/// </summary>
internal sealed partial class AunEndpoint : IAunPart, IEndpointSource, IDisposable
{
    /// <summary>Where the WebSocket is.</summary>
    public const string SocketPath = "/aun";

    private const int MaxFrame = 4 * 1024 * 1024;
    private const int MaxFrameBefore = 64 * 1024;

    private readonly CancellationTokenSource _stop = new();
    private readonly AunOptions _options;
    private readonly Room? _room;
    private readonly IOutbox _outbox;
    private Task _running = Task.CompletedTask;

    public AunEndpoint(
        IOptions<AunOptions> options, IRecords records, IInbox inbox, IOutbox outbox, IAccessAttempts attempts, TimeProvider time, ILoggerFactory loggers,
        IGatewayAdmission? gateway = null, bool isShared = false)
    {
        _options = options.Value;
        _outbox = outbox;
        if (_options.IsEndpointOn) _room = new Room(_options, records, inbox, outbox, attempts, time, loggers, gateway, isShared);
        var methods = new EndpointMethods(() => _room?.Identities, () => _room?.Pairing);
        Methods = [.. methods.Methods];
    }

    public string Name => "endpoint";

    public bool IsOn => _room is not null;

    public IEnumerable<RpcMethod> Methods { get; }

    string IEndpointSource.Channel => AunChannel.ChannelId;

    public IEnumerable<HttpEndpoint> Http => _room?.Http.Http ?? [];

    public IEnumerable<SocketEndpoint> Sockets => _room is { } room ? [Socket(room, SocketPath, EndpointPlace.Both), Socket(room, "/", EndpointPlace.Own)] : [];

    public async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        var room = _room!;
        await room.Agents.RegisterAsync(room.Identities, cancellationToken).ConfigureAwait(false);
        _running = Task.WhenAll(room.Hub.RunAsync(_stop.Token), room.Agents.RunAsync(room.Identities, _stop.Token), room.ListenAsync(_stop.Token));
    }

    public async ValueTask StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _room!.Hub.CloseAll();
        await _running.ConfigureAwait(false);
    }

    public void Dispose()
    {
        _stop.Dispose();
        _room?.Dispose();
    }

    public IReadOnlyList<ChannelAccountStatus> GetAccounts() => [.. _options.Agents.Keys.Select(aid =>
    {
        var backlog = _outbox.GetBacklog(AunChannel.ChannelId, aid);
        return new ChannelAccountStatus
        {
            AccountId = aid,
            Connected = true,
            ActiveConnections = 1,
            Pending = backlog.Pending,
            DeadLetter = backlog.DeadLetter,
        };
    })];

    public bool Owns(string accountId) => accountId.Length == 0 ? _options.Agents.Count == 1 : _options.Agents.ContainsKey(accountId);

    public async ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken)
    {
        var own = accountId.Length == 0 ? _options.Agents.Keys.Single() : accountId.ToLowerInvariant();
        if (await _room!.Identities.FindAsync(target, cancellationToken).ConfigureAwait(false) is not { RevokedAt: 0, Held: false })
            throw new BridgeException(ErrorCodes.NotFound, "there is no such AID at this gateway");
        return new ChannelTarget(own, AunChannel.SessionKeyOf(own, target), target);
    }

    public ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken)
    {
        var room = _room!;
        var agents = new JsonObject();
        foreach (var agent in room.Agents.Agents.Values) agents[agent.Aid] = new JsonObject { ["agent"] = agent.Agent, ["sealing"] = agent.Sealer.Counts.ToJson() };
        return ValueTask.FromResult(new JsonObject
        {
            ["issuers"] = new JsonArray([.. _options.AllIssuers.Select(static issuer => (JsonNode?)issuer)]),
            ["issuerValidUntil"] = room.Authority.IssuerEnds.ToUnixTimeMilliseconds(),
            ["connections"] = room.Hub.Count,
            ["unauthenticated"] = room.Hub.WaitingCount,
            ["aids"] = room.Hub.Aids,
            ["agents"] = agents,
        });
    }

    /// <summary>Revokes an identity; false when there is none.</summary>
    internal ValueTask<bool> RevokeAsync(string aid, CancellationToken cancellationToken) => _room!.Identities.RevokeAsync(aid, cancellationToken);

    private static SocketEndpoint Socket(Room room, string path, EndpointPlace place) => new()
    {
        Path = path,
        Access = EndpointAccess.Anonymous,
        Place = place,
        MaxMessageBytes = MaxFrame,
        MaxMessageBytesBefore = MaxFrameBefore,
        // Told by the protocol's own code, see Hub.
        AuthenticationTimeout = Timeout.InfiniteTimeSpan,
        Operation = "aun.ws",
        AnyOrigin = true,
        Handler = room.Server.ServeAsync,
    };

    /// <summary>All parts of the endpoint; there is none where it is off.</summary>
    private sealed class Room : IDisposable
    {
        public Room(
            AunOptions options, IRecords records, IInbox inbox, IOutbox outbox, IAccessAttempts attempts, TimeProvider time, ILoggerFactory loggers, IGatewayAdmission? gateway,
            bool isShared)
        {
            Authority = Open(options, time);
            if (Authority.IsNew) LogPkiMade(loggers.CreateLogger<AunEndpoint>(), options.PkiFolder!);
            Identities = new IdentityBook(records, Authority, options, time);
            Pairing = new PairingDesk(records, time);
            var prekeys = new PrekeyDesk(records, Identities, time, isShared);
            var queues = new QueueBook(options, time);
            var recalls = new RecallDesk(records, time);
            News = new HostNews(records, isShared, time, loggers.CreateLogger<HostNews>());
            var messages = new MessageDesk(records, Identities, prekeys, new WaitingBook(records, options, time), queues, recalls, News, options, time);
            Hub = new Hub(aid => new Mailbox(aid, records, queues, loggers.CreateLogger<Mailbox>()), options, time, loggers.CreateLogger<Hub>());
            Agents = new AgentDesk(
                HeldAgents.Make(options, Authority, prekeys, records, time), inbox, outbox, records, messages, prekeys, time, loggers.CreateLogger<AgentDesk>(), gateway);
            Hub.Entered = News.TellSlot;
            messages.Hub = Hub;
            messages.Agents = Agents;
            var logins = new LoginDesk(Identities, new TokenDesk(Authority, records, options, time), Pairing, Authority, records, attempts, options, time);
            Server = new GatewayServer(Hub, logins, messages, prekeys, options, time, loggers.CreateLogger<GatewayServer>());
            Http = new PkiEndpoints(Authority, Identities, options);
            Identities.Revoked = aid =>
            {
                CloseRevoked(aid);
                News.TellRevoked(aid);
            };
        }

        public Authority Authority { get; }

        public IdentityBook Identities { get; }

        public PairingDesk Pairing { get; }

        public Hub Hub { get; }

        public AgentDesk Agents { get; }

        public GatewayServer Server { get; }

        public PkiEndpoints Http { get; }

        public HostNews News { get; }

        public Task ListenAsync(CancellationToken stop) => News.RunAsync((aid, number) => Hub.Find(aid)?.Wake(number), CloseRevoked, Hub.Replace, stop);

        private static Authority Open(AunOptions options, TimeProvider time)
        {
            try
            {
                return Authority.Open(options.PkiFolder!, GatewayName(options), time);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or CryptographicException)
            {
                throw new OptionsValidationException(AunOptions.Section, typeof(AunOptions),
                    [$"{AunOptions.Section}:PkiFolder: the keys in {options.PkiFolder} can't be used ({fault.Message.ReplaceLineEndings(" ")}); "
                        + "example: /var/lib/channelbridge/aun"]);
            }
        }

        private void CloseRevoked(string aid) => Hub.Close(aid, Hub.Revoked, "the certificate was revoked");

        public void Dispose()
        {
            Agents.Dispose();
            Authority.Dispose();
        }
    }

    /// <summary>The gateway's own name in its certificate.</summary>
    internal static string GatewayName(AunOptions options) => options.AllIssuers is [var first, ..] && first.Length <= 56 ? "gateway." + first : "gateway";

    [LoggerMessage(LogEvents.EndpointPkiMade, LogLevel.Information,
        "The AUN endpoint has made its keys and its root certificate in {Folder}; clients must trust the root: channelbridge aun root")]
    private static partial void LogPkiMade(ILogger logger, string folder);
}
