using System.Net;
using System.Net.Sockets;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Core.Net;

/// <summary>
/// Makes handlers whose every connection is checked when it is made: the name is looked up there, all its addresses must be allowed, and one of those is connected to.
/// No cookies, no credentials, no proxy, no redirects.
/// </summary>
internal static class GuardedHandler
{
    /// <summary>Makes one.</summary>
    /// <param name="allows">Which addresses are allowed.</param>
    /// <param name="resolve">Looks a name up; null: the system.</param>
    /// <param name="refusal">The error for an address that isn't.</param>
    public static SocketsHttpHandler Create(
        Func<IPAddress, bool> allows, Func<string, CancellationToken, Task<IPAddress[]>>? resolve, Func<BridgeException> refusal)
    {
        return new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            Credentials = null,
            AutomaticDecompression = DecompressionMethods.None,
            MaxResponseHeadersLength = 64,
            ConnectCallback = (context, cancellationToken) => ConnectAsync(context, allows, resolve ?? Dns.GetHostAddressesAsync, refusal, cancellationToken),
            // A connection is checked when it is made; it must not be kept for longer than what was known then.
            PooledConnectionLifetime = TimeSpan.FromMinutes(1),
        };
    }

    private static async ValueTask<Stream> ConnectAsync(
        SocketsHttpConnectionContext context, Func<IPAddress, bool> allows, Func<string, CancellationToken, Task<IPAddress[]>> resolve,
        Func<BridgeException> refusal, CancellationToken cancellationToken)
    {
        var host = context.DnsEndPoint.Host;
        var addresses = IPAddress.TryParse(host, out var literal) ? [literal] : await resolve(host, cancellationToken).ConfigureAwait(false);
        // One address among several that isn't allowed is enough to refuse: who mixes them has something in mind.
        if (addresses.Length == 0 || !Array.TrueForAll(addresses, address => allows(address))) throw refusal();
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, context.DnsEndPoint.Port, cancellationToken).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
