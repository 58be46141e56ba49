using System.Net;
using Microsoft.AspNetCore.Http;

namespace ChannelBridge.Endpoints.Doors;

/// <summary>
/// Which pages a browser may open a WebSocket for. Browsers send an <c>Origin</c> and let any page connect anywhere; other clients send none. Allowed
/// are the host's own pages, those of loopback, and those that the settings name.
/// </summary>
internal static class OriginPolicy
{
    /// <summary>True when the request may go on.</summary>
    public static bool Allows(HttpRequest request, IEnumerable<string> allowed)
    {
        var header = request.Headers.Origin;
        if (header.Count == 0) return true;
        var origin = header.ToString();
        foreach (var entry in allowed)
        {
            if (entry == "*" || string.Equals(entry.TrimEnd('/'), origin, StringComparison.OrdinalIgnoreCase)) return true;
        }

        if (!Uri.TryCreate(origin, UriKind.Absolute, out var page) || page.Scheme is not ("http" or "https")) return false;
        if (page.IsLoopback || (IPAddress.TryParse(page.Host, out var address) && IPAddress.IsLoopback(address))) return true;
        return string.Equals(page.Authority, request.Host.Value, StringComparison.OrdinalIgnoreCase);
    }
}
