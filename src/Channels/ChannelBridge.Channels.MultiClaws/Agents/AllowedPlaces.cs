using System.Net;
using ChannelBridge.Abstractions.Net;
using ChannelBridge.Channels.MultiClaws.Teams;

namespace ChannelBridge.Channels.MultiClaws.Agents;

/// <summary>Where agents may be: what <c>Channels:MultiClaws:Networks</c> names, or anywhere but where machines are told secrets.</summary>
internal sealed class AllowedPlaces
{
    private readonly bool _everywhere;
    private readonly bool _public;
    private readonly IPNetwork[] _networks;

    /// <summary>Reads the setting.</summary>
    public AllowedPlaces(IReadOnlyList<string> networks)
    {
        _everywhere = networks.Count == 0;
        _public = networks.Contains(GuardedRequest.Public);
        _networks = [.. networks.Where(static name => name != GuardedRequest.Public).Select(static name => IPAddress.TryParse(name, out var address)
            ? new IPNetwork(address, address.GetAddressBytes().Length * 8)
            : IPNetwork.Parse(name))];
    }

    /// <summary>What is wrong with one of the names; null: nothing.</summary>
    public static string? FaultOf(string name) =>
        name == GuardedRequest.Public || IPAddress.TryParse(name, out _) || IPNetwork.TryParse(name, out _)
            ? null
            : $"'{name}' is no network; write public, 10.1.0.0/16 or 127.0.0.1";

    /// <summary>True when an agent may be at an address.</summary>
    /// <param name="address">The address.</param>
    /// <param name="withLoopback">True when it may be on this machine.</param>
    public bool Allows(IPAddress address, bool withLoopback)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        if (!MemberUrls.MayConnect(address, withLoopback)) return false;
        if (_everywhere) return true;
        return Array.Exists(_networks, network => network.Contains(address)) || (_public && !MemberUrls.IsPrivate(address) && !IPAddress.IsLoopback(address));
    }
}
