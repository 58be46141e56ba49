using System.Net;
using System.Net.Sockets;

namespace ChannelBridge.A2A.Client;

/// <summary>
/// Connects for the client's own handler: an address that an operator named may lead anywhere but to link-local addresses, where clouds hand out their
/// machines' secrets. It is checked where the connection is made, so that a name can't change its mind in between.
/// </summary>
/// <param name="mayConnect">A further condition, or null.</param>
internal sealed class GuardedConnect(Func<IPAddress, bool>? mayConnect = null)
{
    private static readonly IPAddress CloudMetadataV6 = IPAddress.Parse("fd00:ec2::254");

    public async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var host = context.DnsEndPoint.Host;
        var found = IPAddress.TryParse(host.Trim('[', ']'), out var written)
            ? [written]
            : await Dns.GetHostAddressesAsync(host, cancellationToken).ConfigureAwait(false);
        var addresses = Array.FindAll(found, IsAllowed);
        if (addresses.Length > 0 && mayConnect is not null)
        {
            addresses = Array.FindAll(addresses, address => mayConnect(address));
            if (addresses.Length == 0) throw new A2AException(A2AFault.AddressRefused, $"{host} leads to an address where this agent may not be called.");
        }

        if (addresses.Length == 0 && found.Length > 0)
        {
            throw new A2AException(A2AFault.AddressRefused, $"{host} is a link-local address: agents aren't called there.");
        }

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

    internal static bool IsAllowed(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        if (address.AddressFamily is AddressFamily.InterNetworkV6) return !address.IsIPv6LinkLocal && !address.Equals(CloudMetadataV6);
        var bytes = address.GetAddressBytes();
        return !(bytes[0] == 169 && bytes[1] == 254);
    }
}
