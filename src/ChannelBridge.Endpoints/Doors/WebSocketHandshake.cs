using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using ChannelBridge.Core.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace ChannelBridge.Endpoints.Doors;

/// <summary>
/// Turns a request into a WebSocket (RFC 6455, and RFC 8441 over HTTP/2). Done here and not by the framework's middleware, so that the stream below
/// the WebSocket can be a <see cref="CorkedStream"/>. No compression: the gateway's protocol has none.
/// </summary>
internal static class WebSocketHandshake
{
    private const string Version = "13";

    /// <summary>True when the request asks for a WebSocket.</summary>
    public static bool IsRequested(HttpContext context)
    {
        if (IsExtendedConnect(context)) return true;
        return context.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true }
            && HttpMethods.IsGet(context.Request.Method)
            && HasToken(context.Request.Headers.Connection, "upgrade")
            && HasToken(context.Request.Headers.Upgrade, "websocket");
    }

    /// <summary>True when the client offers this subprotocol.</summary>
    public static bool Offers(HttpContext context, string subprotocol) => HasToken(context.Request.Headers.SecWebSocketProtocol, subprotocol);

    /// <summary>What is wrong with the request, or null.</summary>
    public static string? Check(HttpContext context)
    {
        var headers = context.Request.Headers;
        if (headers.SecWebSocketVersion.ToString() != Version) return "Sec-WebSocket-Version must be 13";
        if (IsExtendedConnect(context)) return null;
        Span<byte> key = stackalloc byte[16];
        return Convert.TryFromBase64String(headers.SecWebSocketKey.ToString(), key, out var length) && length == 16
            ? null
            : "Sec-WebSocket-Key must be 16 bytes in base64";
    }

    /// <summary>Accepts the request.</summary>
    public static async Task<(WebSocket Socket, CorkedStream Stream)> AcceptAsync(
        HttpContext context, string? subprotocol, EndpointLimits limits, Func<Stream, Stream>? wrap = null)
    {
        var headers = context.Response.Headers;
        if (subprotocol is not null) headers.SecWebSocketProtocol = subprotocol;
        Stream stream;
        if (IsExtendedConnect(context))
        {
            context.Response.StatusCode = StatusCodes.Status200OK;
            stream = await context.Features.GetRequiredFeature<IHttpExtendedConnectFeature>().AcceptAsync().ConfigureAwait(false);
        }
        else
        {
            headers.Connection = "Upgrade";
            headers.Upgrade = "websocket";
            headers.SecWebSocketAccept = Accept(context.Request.Headers.SecWebSocketKey.ToString());
            stream = await context.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync().ConfigureAwait(false);
        }

        var corked = new CorkedStream(wrap is null ? stream : wrap(stream));
        var socket = WebSocket.CreateFromStream(corked, new WebSocketCreationOptions
        {
            IsServer = true,
            SubProtocol = subprotocol,
            KeepAliveInterval = limits.KeepAliveInterval,
            KeepAliveTimeout = limits.KeepAliveTimeout,
        });
        return (socket, corked);
    }

    private static bool IsExtendedConnect(HttpContext context) =>
        context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } connect
        && string.Equals(connect.Protocol, "websocket", StringComparison.OrdinalIgnoreCase);

    private static bool HasToken(Microsoft.Extensions.Primitives.StringValues values, string token)
    {
        foreach (var value in values)
        {
            foreach (var range in value.AsSpan().Split(','))
            {
                if (value.AsSpan()[range].Trim().Equals(token, StringComparison.OrdinalIgnoreCase)) return true;
            }
        }

        return false;
    }

    // RFC 6455 §4.2.2: SHA-1 is the protocol's checksum, not a protection.
#pragma warning disable CA5350
    private static string Accept(string key) =>
        Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
#pragma warning restore CA5350
}
