using System.Net;
using System.Net.Sockets;
using ChannelBridge.Abstractions.Net;
using ChannelBridge.Channels.MultiClaws.Agents;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>
/// Where members may be. An operator who joins a team lets it lead into private networks; never to this machine itself (unless we are on it only, as the others
/// then are), and never where machines of a cloud are told their secrets.
/// </summary>
internal static class MemberUrls
{
    /// <summary>The longest address.</summary>
    public const int MaxLength = AgentUrls.MaxLength;

    private static readonly IPNetwork s_shared = IPNetwork.Parse("100.64.0.0/10");

    private static readonly IPNetwork[] s_private =
    [
        IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("172.16.0.0/12"), IPNetwork.Parse("192.168.0.0/16"), s_shared, IPNetwork.Parse("fc00::/7"),
    ];

    // Inside networks that are allowed else.
    private static readonly IPNetwork[] s_metadata = [IPNetwork.Parse("100.100.100.200/32"), IPNetwork.Parse("fd00:ec2::/32"), IPNetwork.Parse("fd20:ce::/32")];

    private static readonly string[] s_loopback = ["127.0.0.0/8", "::1/128"];

    /// <summary>Where members may be, for <see cref="IGuardedHttp"/>.</summary>
    public static IReadOnlyList<string> Networks { get; } = [GuardedRequest.Public, .. s_private.SelectMany(WithoutMetadata).Select(static network => network.ToString())];

    /// <summary>The same with this machine.</summary>
    public static IReadOnlyList<string> NetworksWithLoopback { get; } = [.. Networks, .. s_loopback];

    /// <summary>An address as it is compared; null: it is none that a member could have.</summary>
    public static string? Normalise(string? text)
    {
        if (AgentUrls.Normalise(text) is not { } url || text!.AsSpan().IndexOfAny('?', '#') >= 0) return null;
        return url.Any(char.IsControl) ? null : url;
    }

    /// <summary>True when an address names this machine.</summary>
    public static bool IsLoopback(string url) => new Uri(url).IsLoopback;

    /// <summary>True when it can be told from the address alone that no member may have it. What a name leads to is looked at with each connection.</summary>
    public static bool IsRefused(string url, bool withLoopback)
    {
        var parsed = new Uri(url);
        if (parsed.IsLoopback) return !withLoopback;
        return IPAddress.TryParse(parsed.IdnHost, out var address) && !MayConnect(address, withLoopback);
    }

    /// <summary>True when a member may be at an address.</summary>
    public static bool MayConnect(IPAddress address, bool withLoopback)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        if (IPAddress.IsLoopback(address)) return withLoopback;
        if (Array.Exists(s_metadata, network => network.Contains(address))) return false;
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            if (address.IsIPv6LinkLocal || address.IsIPv6Multicast || address.IsIPv6SiteLocal || address.Equals(IPAddress.IPv6Any)) return false;
            // IPv4 in disguise (NAT64, 6to4, IPv4-compatible) leads where it wants.
            var bytes = address.GetAddressBytes();
            return bytes[0] != 0 && !(bytes[0] == 0x20 && bytes[1] == 0x02);
        }

        var first = address.GetAddressBytes();
        return first[0] is not 0 and < 224 && !(first[0] == 169 && first[1] == 254);
    }

    /// <summary>True for an address that only machines of one network, or of one tailnet, reach.</summary>
    public static bool IsPrivate(IPAddress address) => Array.Exists(s_private, network => network.Contains(address));

    /// <summary>True for an address as Tailscale gives.</summary>
    public static bool IsTailnet(IPAddress address) => s_shared.Contains(address);

    /// <summary>The parts of a network in which no metadata address lies.</summary>
    private static IEnumerable<IPNetwork> WithoutMetadata(IPNetwork network)
    {
        if (Array.Exists(s_metadata, refused => refused == network)) return [];
        if (!Array.Exists(s_metadata, refused => network.Contains(refused.BaseAddress))) return [network];

        // Halved again and again: what remains is everything but those addresses.
        var length = network.PrefixLength;
        var upper = network.BaseAddress.GetAddressBytes();
        upper[length / 8] |= (byte)(0x80 >> (length % 8));
        IPNetwork[] halves = [new(network.BaseAddress, length + 1), new(new IPAddress(upper), length + 1)];
        return halves.SelectMany(WithoutMetadata);
    }
}
