using System.Net;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Net;

namespace ChannelBridge.Core.Net;

/// <summary>Where a request may go: the public internet, named networks, or both.</summary>
internal sealed class AllowedNetworks
{
    private const int Most = 128;

    private readonly bool _public;
    private readonly IPNetwork[] _networks;

    private AllowedNetworks(bool isPublic, IPNetwork[] networks)
    {
        _public = isPublic;
        _networks = networks;
    }

    /// <summary>Reads the names.</summary>
    /// <exception cref="BridgeException">One of them is no network.</exception>
    public static AllowedNetworks Parse(IReadOnlyList<string> names)
    {
        if (names.Count is 0 or > Most) throw BridgeException.Invalid($"A request names 1 to {Most} networks.");
        var networks = new List<IPNetwork>();
        foreach (var name in names)
        {
            if (name == GuardedRequest.Public) continue;
            if (IPAddress.TryParse(name, out var address)) networks.Add(new IPNetwork(address, address.GetAddressBytes().Length * 8));
            else if (IPNetwork.TryParse(name, out var network)) networks.Add(network);
            else throw BridgeException.Invalid($"'{name}' is no network; write {GuardedRequest.Public}, 10.1.0.0/16 or 127.0.0.1.");
        }

        return new AllowedNetworks(names.Contains(GuardedRequest.Public), [.. networks]);
    }

    /// <summary>True when an address lies in them.</summary>
    public bool Allows(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        return (_public && PublicAddresses.IsPublic(address)) || Array.Exists(_networks, network => network.Contains(address));
    }
}
