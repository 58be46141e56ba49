using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Authentication;

namespace ChannelBridge.Client.Internal;

/// <summary>Says in plain words why a connection couldn't be opened: the system's own words are about its calls, not about hosts.</summary>
internal static class ConnectFaults
{
    /// <summary>True when the address is a socket that another user alone may open.</summary>
    public static bool IsForbidden(Exception fault) => Find<SocketException>(fault) is { SocketErrorCode: SocketError.AccessDenied };

    /// <summary>The reason.</summary>
    public static string Describe(Exception fault, Endpoint endpoint)
    {
        if (endpoint.Kind == EndpointKind.UnixSocket)
        {
            if (!Path.Exists(endpoint.Address)) return "there is no such socket";
            if (Find<SocketException>(fault) is { SocketErrorCode: SocketError.ConnectionRefused }) return "no host listens on this socket";
        }

        if (Find<AuthenticationException>(fault) is { } tls)
        {
            // A handshake that fails on its first bytes was answered by something that doesn't speak TLS.
            return Find<IOException>(tls) is not null || tls.Message.Contains("frame", StringComparison.OrdinalIgnoreCase)
                ? "the server there doesn't speak TLS; for a host without https write ws:// instead of wss://"
                : $"its certificate isn't accepted: {Deepest(tls).Message}";
        }

        if (Find<HttpIOException>(fault) is not null && endpoint.Address.StartsWith("ws:", StringComparison.OrdinalIgnoreCase))
            return $"{Deepest(fault).Message} (for a host with https write wss:// instead of ws://)";
        if (Find<WebSocketException>(fault) is { WebSocketErrorCode: WebSocketError.NotAWebSocket or WebSocketError.HeaderError } odd)
            return $"the server there is not a ChannelBridge host or an OpenClaw gateway: {Deepest(odd).Message}";
        return Deepest(fault).Message;
    }

    private static T? Find<T>(Exception fault)
        where T : Exception
    {
        for (Exception? cause = fault; cause is not null; cause = cause.InnerException)
        {
            if (cause is T found) return found;
        }

        return null;
    }

    private static Exception Deepest(Exception fault)
    {
        while (fault.InnerException is { } cause) fault = cause;
        return fault;
    }
}
