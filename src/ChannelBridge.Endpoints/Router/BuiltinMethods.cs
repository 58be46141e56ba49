using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Endpoints.Connections;

namespace ChannelBridge.Endpoints.Router;

/// <summary>The methods of the doors themselves: <c>ping</c>, <c>rpc.discover</c> and <c>auth.authenticate</c>.</summary>
internal sealed class BuiltinMethods(EndpointRuntime runtime, TimeProvider time) : IMethodSource
{
    // Anybody may ask, also before authentication: what it costs to make is paid once. Written out only, never changed.
    private readonly ConcurrentDictionary<(long Version, Scopes Scopes), DiscoveredMethod[]> _discovered = new();

    /// <inheritdoc/>
    public IEnumerable<RpcMethod> Methods =>
    [
        RpcMethod.Create(
            "ping", Scopes.None, "Answers at once; for liveness and round-trip time.",
            EndpointJson.Default.NoParameters, EndpointJson.Default.PingResult,
            (_, _, _) => ValueTask.FromResult(new PingResult(true, time.GetUtcNow().ToUnixTimeMilliseconds()))),
        RpcMethod.Create(
            "rpc.discover", Scopes.None, "Lists the methods with scopes and JSON schemas, the events, and the limits.",
            EndpointJson.Default.NoParameters, EndpointJson.Default.DiscoverResult,
            (_, call, _) => ValueTask.FromResult(Discover(call))),
        RpcMethod.Create(
            "auth.authenticate", Scopes.None, "Shows an access token on a JSON-RPC connection; the connection has its scopes from then on.",
            EndpointJson.Default.AuthenticateParameters, EndpointJson.Default.AuthenticateResult,
            (parameters, call, _) => ValueTask.FromResult(Authenticate(parameters, call))),
    ];

    private DiscoverResult Discover(MethodCall call)
    {
        var limits = runtime.Limits;
        return new DiscoverResult(
            new DiscoveredServer("ChannelBridge", runtime.Options.Version, runtime.BootId, call.Connection.Id),
            Discovered(call.Caller),
            runtime.Router.Events,
            new DiscoveredLimits(
                limits.MaxPayloadBytes, limits.MaxBufferedBytes, limits.MaxRequestsInFlight, limits.MaxBatchItems, limits.MaxJsonDepth, limits.MaxStringBytes));
    }

    private DiscoveredMethod[] Discovered(Caller caller)
    {
        if (caller.Methods is not null || caller.Channels is not null) return Describe(method => runtime.Router.Check(method, caller) is null);
        var version = runtime.Router.Version;
        foreach (var old in _discovered.Keys)
        {
            if (old.Version != version) _discovered.TryRemove(old, out _);
        }

        return _discovered.GetOrAdd((version, caller.Scopes), key => Describe(method => key.Scopes.Covers(method.Scope)));
    }

    private DiscoveredMethod[] Describe(Func<RpcMethod, bool> allowed) =>
    [
        .. runtime.Router.Methods.Select(method => new DiscoveredMethod(
            method.Name, method.Scope.ToNames(), method.Summary, allowed(method), method.ParametersSchema, method.ResultSchema)),
    ];

    private AuthenticateResult Authenticate(AuthenticateParameters parameters, MethodCall call)
    {
        if (call.Connection is not (ClientConnection connection and IReauthenticatable door))
            throw BridgeException.Invalid("auth.authenticate works on JSON-RPC connections; here the token stands in connect.auth.token");
        var audit = new Audit(runtime);
        if (runtime.Tokens.Authenticate(parameters.Token, connection.Origin.Door) is not { } caller)
        {
            // A right token is let in whatever others have tried from the same address.
            if (runtime.Attempts.Check(connection.Origin.Address, null) is { } tooMany) throw tooMany;
            audit.Failed(connection, "json-rpc");
            throw new BridgeException(ErrorCodes.Unauthorized, "invalid token");
        }

        if (caller.Scopes.IsPeerOnly())
        {
            audit.Failed(connection, "json-rpc");
            throw new BridgeException(ErrorCodes.Forbidden, "a token with the scope peer is for its channel's endpoints and allows no method");
        }

        door.SetCaller(caller);
        audit.Authenticated(connection, "json-rpc");
        return new AuthenticateResult(true, caller.Name, caller.Scopes.ToNames(), connection.Id);
    }
}
