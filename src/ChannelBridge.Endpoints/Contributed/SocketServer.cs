using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Endpoints.Connections;
using ChannelBridge.Endpoints.Doors;
using ChannelBridge.Endpoints.Http;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Endpoints.Contributed;

/// <summary>Serves the WebSocket endpoints of channels.</summary>
internal sealed partial class SocketServer(EndpointRuntime runtime, HttpAccess access)
{
    private readonly ILogger _logger = runtime.Logger;

    /// <summary>Serves one request for as long as its connection lives.</summary>
    public async Task ServeAsync(HttpContext context, RouteTable.Route route, string[] values, string? address)
    {
        var endpoint = route.Socket!;
        if (WebSocketHandshake.Check(context) is { } wrong)
        {
            await DoorExchange.RefuseAsync(context, 400, BridgeException.Invalid(wrong)).ConfigureAwait(false);
            return;
        }

        var subprotocol = endpoint.Subprotocols.FirstOrDefault(name => WebSocketHandshake.Offers(context, name));
        if (subprotocol is null && endpoint.NeedsSubprotocol)
        {
            await DoorExchange.RefuseAsync(
                context, 400, BridgeException.Invalid($"Offer one of the subprotocols {string.Join(", ", endpoint.Subprotocols)}."))
                .ConfigureAwait(false);
            return;
        }

        var request = RequestViews.Read(context, route, values, address, lasts: true);
        EndpointEntry.Entered? entered;
        try
        {
            entered = await new EndpointEntry(runtime, access).EnterAsync(context, route, request, endpoint.Access, endpoint.AnyOrigin, endpoint.Rate).ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            LogFault(fault, route.Channel, route.Template.Text);
            await DoorExchange.RefuseAsync(context, 500, new BridgeException(ErrorCodes.Internal, "The host has a fault; its log says more.")).ConfigureAwait(false);
            return;
        }

        if (entered is null) return;
        var remote = context.Connection.RemoteIpAddress;
        using var place = runtime.Connections.TryEnter(remote, runtime.Rates.IsExempt(remote), entered.Caller is not null, out var refusal);
        if (place is null)
        {
            await DoorExchange.RefuseAsync(
                context, 503, BridgeException.Unavailable($"No further connection is served: {refusal}.", TimeSpan.FromSeconds(1)))
                .ConfigureAwait(false);
            return;
        }

        HeardStream? heard = null;
        var (socket, stream) = await WebSocketHandshake.AcceptAsync(
            context, subprotocol, runtime.Limits, inner => heard = new HeardStream(inner, runtime.Time)).ConfigureAwait(false);
        // The request lives as long as its connection; what it brought, a token perhaps, needn't.
        context.Request.Headers.Clear();
        var transport = new WebSocketTransport(socket, stream, runtime.Time, context.Abort);
        var peer = new SocketPeer(runtime, transport, heard!, place, route, request, subprotocol, entered.Caller);
        await peer.RunAsync(_logger).ConfigureAwait(false);
        // The server delivers the last bytes and closes; a peer that doesn't read them must not keep the connection for ever.
        if (context.Request.Protocol == HttpProtocol.Http11 && context.Features.Get<IConnectionLifetimeFeature>() is { } lifetime) _ = AbortLaterAsync(lifetime);
    }

    private async Task AbortLaterAsync(IConnectionLifetimeFeature lifetime)
    {
        if (lifetime.ConnectionClosed.IsCancellationRequested) return;
        await Task.Delay(2 * runtime.Limits.CloseTimeout, runtime.Time, lifetime.ConnectionClosed).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lifetime.Abort();
    }

    [LoggerMessage(LogEvents.SocketServerFault, LogLevel.Error, "A connection to the endpoint {Path} of the channel {Channel} failed")]
    private partial void LogFault(Exception fault, string channel, string path);
}
