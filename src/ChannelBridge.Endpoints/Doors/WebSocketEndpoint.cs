using System.Globalization;
using System.Net;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Endpoints.Connections;
using ChannelBridge.Endpoints.Contributed;
using ChannelBridge.Endpoints.Http;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Endpoints.Doors;

/// <summary>
/// The WebSocket doors of the own listener: the OpenClaw dialect on <c>/</c> and <c>/ws</c>, JSON-RPC on <c>/rpc</c> and with the subprotocol
/// <c>jsonrpc</c> on any path.
/// </summary>
internal sealed partial class WebSocketEndpoint(EndpointRuntime runtime)
{
    private const string JsonRpc = "jsonrpc";

    // Of a proxy that the settings don't trust; what a trusted one says has become the address already.
    private static readonly string[] ForwardingHeaders = ["X-Forwarded-For", "X-Real-IP", "Forwarded"];

    private readonly ILogger _logger = runtime.Logger;

    /// <summary>What a path is for when the client offers no subprotocol.</summary>
    public enum PathDialect
    {
        /// <summary>Nothing.</summary>
        None,

        /// <summary>OpenClaw frames.</summary>
        OpenClaw,

        /// <summary>JSON-RPC.</summary>
        JsonRpc,
    }

    /// <summary>Serves one request for as long as its connection lives.</summary>
    public async Task HandleAsync(HttpContext context, PathDialect dialect)
    {
        var offersJsonRpc = WebSocketHandshake.Offers(context, JsonRpc);
        if (!WebSocketHandshake.IsRequested(context))
        {
            await (dialect == PathDialect.None
                ? RefuseAsync(context, StatusCodes.Status404NotFound, "not found")
                : RefuseAsync(context, StatusCodes.Status426UpgradeRequired,
                    "connect here with a WebSocket: the OpenClaw protocol on / and /ws, JSON-RPC 2.0 on /rpc")).ConfigureAwait(false);
            return;
        }

        if (offersJsonRpc) dialect = PathDialect.JsonRpc;
        if (dialect == PathDialect.None)
        {
            await RefuseAsync(context, StatusCodes.Status404NotFound, "no WebSocket here: use / or /ws, /rpc, or the subprotocol jsonrpc").ConfigureAwait(false);
            return;
        }

        var address = context.Connection.RemoteIpAddress;
        if (WebSocketHandshake.Check(context) is { } fault)
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, fault).ConfigureAwait(false);
            return;
        }

        if (!OriginPolicy.Allows(context.Request, runtime.Options.AllowedOrigins))
        {
            LogForeignOrigin(address);
            Refused("origin");
            await RefuseAsync(context, StatusCodes.Status403Forbidden,
                "this page's origin may not connect; the setting Listen:AllowedOrigins says which may").ConfigureAwait(false);
            return;
        }

        Caller? caller = null;
        if (dialect == PathDialect.JsonRpc && HttpAccess.Bearer(context.Request) is { } token)
        {
            caller = Authenticate(token, address, out var refused);
            if (caller is null)
            {
                Refused(refused.Code == ErrorCodes.RateLimited ? "authentication rate" : "token");
                if (refused.RetryAfter is { } wait) context.Response.Headers.RetryAfter = Math.Ceiling(wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
                if (refused.Code == ErrorCodes.Unauthorized) context.Response.Headers.WWWAuthenticate = "Bearer";
                await RefuseAsync(context, ErrorBody.StatusOf(refused.Code), refused.Message).ConfigureAwait(false);
                return;
            }
        }

        using var place = runtime.Connections.TryEnter(address, runtime.Rates.IsExempt(address), caller is not null, out var refusal);
        if (place is null)
        {
            Refused(refusal);
            context.Response.Headers.RetryAfter = "1";
            await RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, refusal).ConfigureAwait(false);
            return;
        }

        var (socket, stream) = await WebSocketHandshake.AcceptAsync(context, offersJsonRpc ? JsonRpc : null, runtime.Limits).ConfigureAwait(false);
        var forwarded = Array.Exists(ForwardingHeaders, context.Request.Headers.ContainsKey);
        // The request lives as long as its connection; what it brought, a token perhaps, needn't.
        context.Request.Headers.Clear();
        var transport = new WebSocketTransport(socket, stream, runtime.Time, context.Abort);
        var origin = new ConnectionOrigin(Door.Listener, address, place) { IsForwarded = forwarded };
        ClientConnection connection = dialect == PathDialect.JsonRpc
            ? new JsonRpcConnection(runtime, transport, origin, caller)
            : new OpenClawConnection(runtime, transport, origin);
        await connection.RunAsync().ConfigureAwait(false);
        // The server delivers the last bytes and closes; a peer that doesn't read them must not keep the connection for ever.
        if (context.Request.Protocol == HttpProtocol.Http11 && context.Features.Get<IConnectionLifetimeFeature>() is { } lifetime)
            _ = AbortLaterAsync(lifetime);
    }

    private async Task AbortLaterAsync(IConnectionLifetimeFeature lifetime)
    {
        if (lifetime.ConnectionClosed.IsCancellationRequested) return;
        await Task.Delay(2 * runtime.Limits.CloseTimeout, runtime.Time, lifetime.ConnectionClosed).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lifetime.Abort();
    }

    private static void Refused(string reason) => Telemetry.Refused.Add(1, new KeyValuePair<string, object?>("channelbridge.reason", reason));

    private static async Task RefuseAsync(HttpContext context, int status, string text)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        await context.Response.WriteAsync(text + "\n").ConfigureAwait(false);
    }

    private Caller? Authenticate(string token, IPAddress? address, out BridgeException refused)
    {
        var caller = runtime.Tokens.Authenticate(token, Door.Listener);
        refused = null!;
        if (caller is not null && !caller.Scopes.IsPeerOnly()) return caller;
        // A right token was let in above, whatever others have tried from the same address.
        refused = caller is not null
            ? new BridgeException(ErrorCodes.Forbidden, "a token with the scope peer is for its channel's endpoints and allows no method")
            : runtime.Attempts.Check(address, null) ?? new BridgeException(ErrorCodes.Unauthorized, "this host doesn't know the token");
        runtime.Attempts.Failed(Door.Listener, address, caller?.Name, caller is null ? "a wrong token" : "a token without the right");
        LogWrongBearer(address);
        return null;
    }

    [LoggerMessage(EventId = LogEvents.WebSocketEndpointForeignOrigin, Level = LogLevel.Warning, Message = "Refused a WebSocket from {Address}: its Origin isn't allowed")]
    private partial void LogForeignOrigin(IPAddress? address);

    [LoggerMessage(EventId = LogEvents.WebSocketEndpointWrongBearer, Level = LogLevel.Warning, Message = "Failed authentication by bearer header from {Address}")]
    private partial void LogWrongBearer(IPAddress? address);
}
