using System.Net;
using ChannelBridge.Abstractions.Settings;

namespace ChannelBridge.Host.Settings;

/// <summary>Reads <c>Listen:TrustedProxies</c> and <c>Listen:AllowedHosts</c>.</summary>
internal static class ProxySettings
{
    private const string ProxiesKey = "Listen:TrustedProxies";
    private const string HostsKey = "Listen:AllowedHosts";

    /// <summary>The keys.</summary>
    public static readonly IReadOnlyList<Setting> Keys =
    [
        new(ProxiesKey, "none", "Addresses or networks of proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed.",
            "127.0.0.1, 10.0.0.0/8") { Kind = SettingKind.List },
        new(HostsKey, "loopback",
            "Further host names that clients may ask for on a loopback address, as behind a proxy on this machine; `*` for every name.",
            "bridge.example.org") { Kind = SettingKind.List },
    ];

    /// <summary>The networks of trusted proxies.</summary>
    public static IReadOnlyList<IPNetwork> ReadProxies(SettingsReader reader)
    {
        var result = new List<IPNetwork>();
        foreach (var text in reader.List(ProxiesKey) ?? [])
        {
            if (IPAddress.TryParse(text, out var address)) result.Add(new IPNetwork(address, address.GetAddressBytes().Length * 8));
            else if (IPNetwork.TryParse(text, out var network)) result.Add(network);
            else reader.Problem(ProxiesKey, $"{SettingText.Show(text)} is no address and no network", "127.0.0.1, 10.0.0.0/8");
        }

        return result;
    }

    /// <summary>The further host names.</summary>
    public static IReadOnlyList<string> ReadHosts(SettingsReader reader)
    {
        var result = new List<string>();
        foreach (var text in reader.List(HostsKey) ?? [])
        {
            if (text == "*" || Uri.CheckHostName(text) != UriHostNameType.Unknown) result.Add(text);
            else reader.Problem(HostsKey, $"{SettingText.Show(text)} is no host name; it has no scheme and no port", "bridge.example.org");
        }

        return result;
    }
}
