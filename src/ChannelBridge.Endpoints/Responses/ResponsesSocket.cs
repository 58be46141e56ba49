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
            await RefuseAsync(context, new ResponseFault(405, "invalid_request", "POST a request here, or connect with a WebSocket.", null, "method_not_allowed")).ConfigureAwait(false);
            return;
        }

        if (WebSocketHandshake.Check(context) is { } wrong)
        {
            await RefuseAsync(context, new ResponseFault(400, "invalid_request", wrong)).ConfigureAwait(false);
            return;
        }

        if (access.Enter(context, Scopes.Write, out var fault) is not { } caller)
        {
            await RefuseAsync(context, fault!).ConfigureAwait(false);
            return;
        }

        var address = context.Connection.RemoteIpAddress;
        using var place = runtime.Connections.TryEnter(address, runtime.Rates.IsExempt(address), authenticated: true, out var refusal);
        if (place is null)
        {
            await RefuseAsync(context, new ResponseFault(503, "server_error", refusal, null, "unavailable") { RetryAfter = TimeSpan.FromSeconds(1) }).ConfigureAwait(false);
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

    private static Task RefuseAsync(HttpContext context, ResponseFault fault)
    {
        if (fault.RetryAfter is { } wait) context.Response.Headers.RetryAfter = Math.Ceiling(Math.Max(1, wait.TotalSeconds)).ToString(System.Globalization.CultureInfo.InvariantCulture);
        if (fault.Status == StatusCodes.Status401Unauthorized) context.Response.Headers.WWWAuthenticate = "Bearer";
        var body = fault.ToBody();
        context.Response.StatusCode = fault.Status;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        return context.Response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }
}
