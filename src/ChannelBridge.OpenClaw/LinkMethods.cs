using System.Buffers;
using System.Collections.Frozen;
using System.Diagnostics;
using System.Reflection;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Access;

namespace ChannelBridge.OpenClaw;

/// <summary>
/// What the OpenClaw plugin may call, see docs/link.md. All but <c>link.hello</c> need the link's scope, which a good hello gives.
/// </summary>
internal sealed class LinkMethods(
    LinkSession session,
    LinkSends sends,
    LinkMediaDesk media,
    LinkTools tools,
    PluginPackage package,
    LinkNotices notices,
    ChannelDirectory channels,
    ITokenAuthority tokens,
    IStore store,
    LinkOptions options,
    TimeProvider time,
    IRegistry registry)
    : IMethodSource, IDisposable
{
    /// <summary>The link's protocol that this host speaks.</summary>
    private const int Protocol = 1;

    // What the host has may change while it runs; the plugin is told to ask anew.
    private readonly IDisposable _changes = registry.OnChange(_ => session.Announce());

    private volatile Tuple<long, FrozenDictionary<string, (RpcMethod Method, string? Channel)>>? _forwarded;

    /// <summary>The methods of the channels, and those of others that clients of the gateway may call.</summary>
    private FrozenDictionary<string, (RpcMethod Method, string? Channel)> Forwarded
    {
        get
        {
            var snapshot = registry.Current;
            if (_forwarded is { } known && known.Item1 == snapshot.Version) return known.Item2;
            var methods = snapshot.Of<IMethodSource>().Where(source => source is IChannel || source.ForGateway)
                .SelectMany(source => source.Methods.Select(method => (Method: method, Channel: source.ForChannel)))
                .ToFrozenDictionary(one => one.Method.Name, StringComparer.Ordinal);
            _forwarded = Tuple.Create(snapshot.Version, methods);
            return methods;
        }
    }

    public IEnumerable<RpcMethod> Methods =>
    [
        RpcMethod.Create(
            "link.hello", Scopes.None, "The plugin's first word: token, versions and accounts. It makes the connection the link.",
            LinkJson.Relaxed.HelloParameters, LinkJson.Relaxed.HelloResult, HelloAsync),
        RpcMethod.Create(
            "link.accounts", Scopes.Link, "The accounts anew, after the gateway's settings have changed.",
            LinkJson.Relaxed.AccountsParameters, LinkJson.Relaxed.Nothing, AccountsChanged),
        RpcMethod.CreateRaw(
            "link.request", Scopes.Link, "A gateway client's request, with its connection and scopes.",
            LinkJson.Relaxed.RequestParameters, LinkJson.Relaxed.Nothing, RequestAsync, actsAfterAnswer: true),
        RpcMethod.Create(
            "link.disconnected", Scopes.Link, "A gateway client is gone.",
            LinkJson.Relaxed.DisconnectedParameters, LinkJson.Relaxed.Nothing, Disconnected),
        RpcMethod.Create(
            "link.turnEvent", Scopes.Link, "Something happened in a turn; done or failed ends it.",
            LinkJson.Relaxed.TurnEventParameters, LinkJson.Relaxed.Nothing, TurnEvent),
        RpcMethod.Create(
            "link.send", Scopes.Link, "A message of the gateway's agent or operator for a bridge; durable when it answers, once per deliveryId and part.",
            LinkJson.Relaxed.SendParameters, LinkJson.Relaxed.SendResult, SendAsync),
        RpcMethod.Create(
            "link.media", Scopes.Link, "A piece of a file of the gateway's agent; the last one answers when the file is on the disk.",
            LinkJson.Relaxed.MediaParameters, LinkJson.Relaxed.MediaResult, MediaAsync),
        RpcMethod.Create(
            "link.reconcile", Scopes.Link, "Whether a link.send arrived.",
            LinkJson.Relaxed.ReconcileParameters, LinkJson.Relaxed.ReconcileResult, ReconcileAsync),
        RpcMethod.Create(
            "link.status", Scopes.Link, "The accounts as they are now.",
            LinkJson.Relaxed.StatusParameters, LinkJson.Relaxed.StatusResult, Status),
    ];

    public void Dispose() => _changes.Dispose();

    private ValueTask<HelloResult> HelloAsync(HelloParameters hello, MethodCall call, CancellationToken cancellationToken)
    {
        if (call.Connection is not IRpcPeer peer || call.Connection is not IReauthenticatable door)
        {
            throw BridgeException.Invalid("link.hello works over a JSON-RPC connection only, such as the host's socket channelbridge.sock.");
        }

        // On the own listener guesses at the token are counted, and that is auth.authenticate's work.
        if (call.Caller.Door == Door.Listener && !call.Caller.Scopes.HasFlag(Scopes.Link))
        {
            throw new BridgeException(
                ErrorCodes.Unauthorized, "Over a WebSocket authenticate first, with a token that has the link role: auth.authenticate {token}, then link.hello.");
        }

        if (tokens.Authenticate(hello.Token, call.Caller.Door) is not { } caller || !caller.Scopes.HasFlag(Scopes.Link))
        {
            throw new BridgeException(
                ErrorCodes.Unauthorized, "The token isn't one with the link role; let the plugin's tokenFile point to the host's DIR/token.");
        }

        if (hello.Protocol != Protocol)
        {
            var older = hello.Protocol < Protocol ? "plugin" : "host";
            throw new BridgeException(
                ErrorCodes.InvalidRequest, $"The plugin speaks link protocol {hello.Protocol}, this host {Protocol}: update the {older}.")
            {
                Details = new JsonObject { ["supported"] = new JsonArray(Protocol) },
            };
        }

        hello = hello.Cleaned();
        door.SetCaller(caller);
        if (!session.Renew(call.Connection, hello))
        {
            var link = new EstablishedLink(call.Connection, peer, hello, session.Traffic, options, time);
            session.Establish(link);
            notices.Begin(link);
        }

        return ValueTask.FromResult(new HelloResult(
            Protocol, Version, store.StoreId.ToString("N"), [LinkFeatures.Binary, .. tools.Names.Select(name => $"tool:{name}")], package.Judge(hello.Package)));
    }

    private ValueTask<Nothing> AccountsChanged(AccountsParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        session.Accounts = Of(call).Accounts(parameters.Accounts);
        return ValueTask.FromResult(Nothing.Instance);
    }

    private ValueTask RequestAsync(ReadOnlyMemory<byte> parameters, MethodCall call, IBufferWriter<byte> result, CancellationToken cancellationToken)
    {
        var request = RequestReader.Read(parameters);
        var link = Of(call);
        if (!Forwarded.TryGetValue(request.Method, out var forwarded))
        {
            throw new BridgeException(ErrorCodes.InvalidRequest, $"unknown method: {request.Method}");
        }

        var (method, channel) = forwarded;
        var connection = link.Of(request.ConnId, Caller(request.Scopes, request.Identity, call.Caller));
        if (!connection.Caller.MayCall(method.Name) || (channel is not null && !connection.Caller.MayUseChannel(channel)))
        {
            throw new BridgeException(ErrorCodes.Forbidden, "The link's token isn't for this method or channel.");
        }

        if (!connection.Caller.Scopes.Covers(method.Scope))
        {
            throw new BridgeException(ErrorCodes.Forbidden, $"missing scope: {string.Join(", ", method.Scope.ToNames())}");
        }

        var trace = request.Traceparent is { } traceparent && ActivityContext.TryParse(traceparent, null, isRemote: true, out var parsed)
            ? parsed
            : call.TraceContext;
        if (method.CarriesBytes)
        {
            var binary = !call.Content.IsEmpty;
            session.Traffic.Count(binary ? call.Content.Length : request.Parameters.Length, binary);
        }

        return method.InvokeAsync(request.Parameters, new MethodCall(connection, trace, call) { Content = call.Content }, result, cancellationToken);
    }

    /// <summary>
    /// The caller behind a gateway connection. Its name says whose token it holds, which lease takeover asks for: the device's own where
    /// the gateway knows one, else the gateway's shared one. What the link's own token is limited to limits them all.
    /// </summary>
    private static Func<Caller> Caller(IReadOnlyList<string> scopeNames, string? identity, Caller link) => () =>
    {
        var scopes = Scopes.None;
        foreach (var name in scopeNames) scopes |= ScopeNames.Parse(name);
        return new Caller($"gateway/{identity ?? "shared"}", scopes & ~Scopes.Link, Door.Gateway)
        {
            Accounts = link.Accounts,
            Channels = link.Channels,
            Platforms = link.Platforms,
            Methods = link.Methods
        };
    };

    private ValueTask<Nothing> Disconnected(DisconnectedParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        Of(call).Disconnected(parameters.ConnId);
        return ValueTask.FromResult(Nothing.Instance);
    }

    private ValueTask<Nothing> TurnEvent(TurnEventParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        Of(call).OnTurnEvent(parameters);
        return ValueTask.FromResult(Nothing.Instance);
    }

    private ValueTask<SendResult> SendAsync(SendParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        return sends.SendAsync(Of(call), parameters, cancellationToken);
    }

    private ValueTask<MediaResult> MediaAsync(MediaParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var link = Of(call);
        var binary = !call.Content.IsEmpty;
        var content = binary ? call.Content : parameters.Content ?? [];
        session.Traffic.Count(content.Length, binary);
        return media.TakeAsync(link, parameters, content, cancellationToken);
    }

    private ValueTask<ReconcileResult> ReconcileAsync(ReconcileParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        return sends.ReconcileAsync(Of(call), parameters, cancellationToken);
    }

    private ValueTask<StatusResult> Status(StatusParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var link = Of(call);
        return ValueTask.FromResult(new StatusResult(
            [.. channels.All.SelectMany(channel => channel.GetAccounts().Where(account => link.MayUse(channel.Id, account.AccountId))
                .Select(account => Describe(channel, account)))]));
    }

    private static LinkAccountStatus Describe(IChannel channel, ChannelAccountStatus account) => new()
    {
        Channel = channel.GatewayId,
        AccountId = account.AccountId,
        Connected = account.Connected,
        ActiveConnections = account.ActiveConnections,
        Pending = account.Pending,
        DeadLetter = account.DeadLetter,
        LastInboundAt = account.LastInboundAt,
        LastOutboundAt = account.LastOutboundAt,
        LastActivityAt = account.LastActivityAt,
        LastSessionKey = account.LastSessionKey,
        LastSessionScope = account.LastSessionScope,
        LastSessionAt = account.LastSessionAt,
    };

    /// <summary>The link that the caller is; a connection that was replaced by a newer link is none any more.</summary>
    private EstablishedLink Of(MethodCall call)
    {
        var current = session.Current;
        if (current is not null && ReferenceEquals(current.Connection, call.Connection)) return current;
        throw new BridgeException(ErrorCodes.Conflict, "Another gateway has taken the link over; this connection is not the link any more.");
    }

    private static string Version { get; } =
        typeof(LinkMethods).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";
}
