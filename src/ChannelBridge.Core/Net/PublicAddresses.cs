using System.Net;
using System.Net.Sockets;

namespace ChannelBridge.Core.Net;

/// <summary>Tells addresses of the public internet from those that a stranger's URL must not reach: loopback, private, link-local, and what leads there.</summary>
internal static class PublicAddresses
{
    private static readonly IPNetwork[] Closed =
    [
        IPNetwork.Parse("0.0.0.0/8"), IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("100.64.0.0/10"), IPNetwork.Parse("127.0.0.0/8"), IPNetwork.Parse("169.254.0.0/16"),
        IPNetwork.Parse("172.16.0.0/12"), IPNetwork.Parse("192.0.0.0/24"), IPNetwork.Parse("192.0.2.0/24"), IPNetwork.Parse("192.88.99.0/24"), IPNetwork.Parse("192.168.0.0/16"),
        IPNetwork.Parse("198.18.0.0/15"), IPNetwork.Parse("198.51.100.0/24"), IPNetwork.Parse("203.0.113.0/24"), IPNetwork.Parse("224.0.0.0/4"), IPNetwork.Parse("240.0.0.0/4"),
    ];

    // Of IPv6 only what is handed out as global unicast; within it, what isn't or what carries an IPv4 address inside.
    private static readonly IPNetwork Global = IPNetwork.Parse("2000::/3");
    private static readonly IPNetwork[] ClosedV6 = [IPNetwork.Parse("2001::/23"), IPNetwork.Parse("2001:db8::/32"), IPNetwork.Parse("2002::/16"), IPNetwork.Parse("3fff::/20")];

    /// <summary>True for an address of the public internet.</summary>
    public static bool IsPublic(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        return address.AddressFamily switch
        {
            AddressFamily.InterNetwork => !Array.Exists(Closed, network => network.Contains(address)),
            AddressFamily.InterNetworkV6 => Global.Contains(address) && !Array.Exists(ClosedV6, network => network.Contains(address)),
            _ => false,
        };
    }

    /// <summary>
    /// True when a URL's host is, as it stands, none that a stranger may name: a private address in any notation, or a name that means one. Whether another
    /// name leads to one shows when it is connected to; see <see cref="PublicHttp"/>.
    /// </summary>
    public static bool IsPlainlyPrivate(Uri url)
    {
        ArgumentNullException.ThrowIfNull(url);
        var host = url.IdnHost.TrimEnd('.');
        if (IPAddress.TryParse(host, out var address)) return !IsPublic(address);
        return url.IsLoopback || !host.Contains('.', StringComparison.Ordinal)
            || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase)
            || host.EndsWith(".local", StringComparison.OrdinalIgnoreCase)
            || host.EndsWith(".internal", StringComparison.OrdinalIgnoreCase);
    }
}
