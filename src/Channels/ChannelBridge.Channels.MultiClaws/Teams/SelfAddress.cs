using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Settings;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>An address of an interface of this machine.</summary>
/// <param name="Address">The address.</param>
/// <param name="HasGateway">True when the interface leads further than its own network.</param>
internal sealed record InterfaceAddress(IPAddress Address, bool HasGateway);

/// <summary>
/// Finds by which address others reach this host: the one that the operator names (<c>Channels:A2A:SelfUrl</c>), else one of this machine's at which the host listens: a
/// tailnet's, else a private one of an interface with a gateway. Interfaces are only looked at; nothing is run and nobody is asked.
/// </summary>
internal sealed class SelfAddress(ISettingsSource settings, IHostAddresses? host, Func<IReadOnlyList<InterfaceAddress>> interfaces)
{
    private const string Key = "Channels:A2A:SelfUrl";

    /// <summary>The address; null: the host listens nowhere.</summary>
    public string? Find()
    {
        if (MemberUrls.Normalise(settings.Get(Key)) is { } named) return named;
        string? loopback = null;
        foreach (var text in host?.Listening ?? [])
        {
            // http://+:80 and http://*:80 are written so for every address.
            if (!Uri.TryCreate(text.Replace("://+", "://0.0.0.0", StringComparison.Ordinal).Replace("://*", "://0.0.0.0", StringComparison.Ordinal), UriKind.Absolute, out var url)
                || url.Port <= 0)
                continue;
            var bound = IPAddress.TryParse(url.IdnHost, out var address) ? address : null;
            if (url.IsLoopback || (bound is not null && IPAddress.IsLoopback(bound)))
            {
                loopback ??= Write(url.Scheme, bound is null ? "127.0.0.1" : url.Host, url.Port);
                continue;
            }

            if (bound is not null && !bound.Equals(IPAddress.Any) && !bound.Equals(IPAddress.IPv6Any)) return Write(url.Scheme, url.Host, url.Port);
            if (Best(interfaces()) is { } found) return Write(url.Scheme, found.ToString(), url.Port);
            loopback ??= Write(url.Scheme, "127.0.0.1", url.Port);
        }

        return loopback;
    }

    /// <summary>The addresses of this machine's interfaces.</summary>
    public static IReadOnlyList<InterfaceAddress> OfMachine()
    {
        try
        {
            return
            [
                .. NetworkInterface.GetAllNetworkInterfaces().Where(IsUp).SelectMany(static one =>
                {
                    var properties = one.GetIPProperties();
                    var leads = properties.GatewayAddresses.Any(static gateway => !gateway.Address.Equals(IPAddress.Any) && !gateway.Address.Equals(IPAddress.IPv6Any));
                    return properties.UnicastAddresses.Select(address => new InterfaceAddress(address.Address, leads));
                }),
            ];
        }
        catch (NetworkInformationException)
        {
            // A machine that doesn't let one look.
            return [];
        }
    }

    private static bool IsUp(NetworkInterface one) => one.OperationalStatus is OperationalStatus.Up or OperationalStatus.Unknown;

    private static IPAddress? Best(IReadOnlyList<InterfaceAddress> all)
    {
        var v4 = all.Where(static one => one.Address.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(one.Address)).ToList();
        return v4.Find(static one => MemberUrls.IsTailnet(one.Address))?.Address
            ?? v4.Find(static one => one.HasGateway && MemberUrls.IsPrivate(one.Address))?.Address
            ?? v4.Find(static one => one.HasGateway)?.Address
            ?? v4.Find(static one => MemberUrls.IsPrivate(one.Address))?.Address;
    }

    private static string Write(string scheme, string host, int port) => MemberUrls.Normalise($"{scheme}://{host}:{port}")!;
}
