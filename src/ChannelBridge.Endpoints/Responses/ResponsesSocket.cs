using ChannelBridge.Abstractions.Access;
using ChannelBridge.Core.Responses;
using ChannelBridge.Endpoints.Connections;
using ChannelBridge.Endpoints.Doors;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;

namespace ChannelBridge.Endpoints.Responses;

/// <summary>The WebSocket on <c>/v1/responses</c>: lets clients in and serves each for as long as its connection lives.</summary>
internal sealed class ResponsesSocket(EndpointRuntime runtime, ResponseRuns runs, ResponseOptions options, ResponseAccess access, IHostApplicationLifetime lifetime)
{
    /// <summary>Serves one request.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        if (!WebSocketHandshake.IsRequested(context))
        {
            context.Response.Headers.Allow = "POST";
            const string Ways = "POST a request here, or connect with a WebSocket.";
            await new ResponseFault(405, "invalid_request", Ways, null, "method_not_allowed").WriteAsync(context).ConfigureAwait(false);
            return;
        }

        if (WebSocketHandshake.Check(context) is { } wrong)
        {
            await new ResponseFault(400, "invalid_request", wrong).WriteAsync(context).ConfigureAwait(false);
            return;
        }

        if (access.Enter(context, Scopes.Write, out var fault) is not { } caller)
        {
            await fault!.WriteAsync(context).ConfigureAwait(false);
            return;
        }

        var address = context.Connection.RemoteIpAddress;
        using var place = runtime.Connections.TryEnter(address, runtime.Rates.IsExempt(address), authenticated: true, out var refusal);
        if (place is null)
        {
            var busy = new ResponseFault(503, "server_error", refusal, null, "unavailable") { RetryAfter = TimeSpan.FromSeconds(1) };
            await busy.WriteAsync(context).ConfigureAwait(false);
            return;
        }

        var (socket, stream) = await WebSocketHandshake.AcceptAsync(context, null, runtime.Limits).ConfigureAwait(false);
        context.Request.Headers.Clear();
        Trace.LeaveRequest();
        await using (stream.ConfigureAwait(false))
        {
            using (socket)
            {
                using var connection = new ResponsesConnection(socket, context, caller, runtime, runs, options, access);
                await connection.RunAsync(lifetime.ApplicationStopping).ConfigureAwait(false);
            }
        }
    }
}
