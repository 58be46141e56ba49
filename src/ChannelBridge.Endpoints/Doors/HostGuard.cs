using System.Net;
using Microsoft.AspNetCore.Http;

namespace ChannelBridge.Endpoints.Doors;

/// <summary>
/// A page can make a name of its own resolve to 127.0.0.1 and then ask whatever listens there, as if it were its own server. So what comes in by a loopback address
/// must have asked for one by name, or for a host that the settings allow.
/// </summary>
internal static class HostGuard
{
    /// <summary>What a client is told that asked for another host.</summary>
    public const string Refusal = "this host doesn't answer to that name on a loopback address; the setting Listen:AllowedHosts says to which it does";

    /// <summary>True when the request may go on.</summary>
    public static bool Allows(HttpContext context, IList<string> allowed)
    {
        if (context.Connection.LocalIpAddress is not { } local || !IPAddress.IsLoopback(local)) return true;
        var host = context.Request.Host.Host.AsSpan();
        // No browser leaves it out.
        if (host.IsEmpty || host.SequenceEqual("127.0.0.1") || host.Equals("localhost", StringComparison.OrdinalIgnoreCase)) return true;
        if (host.Length > 2 && host[0] == '[' && host[^1] == ']') host = host[1..^1];
        if (IPAddress.TryParse(host, out var address) ? IPAddress.IsLoopback(address) : host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase)) return true;
        foreach (var name in allowed)
        {
            if (name == "*" || host.Equals(name, StringComparison.OrdinalIgnoreCase)) return true;
        }

        return false;
    }
}
