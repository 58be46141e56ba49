using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Channels.Juji.Connector;

/// <summary>A community's base address. Everything that is called lies below it.</summary>
internal sealed class CommunityAddress
{
    private readonly Uri _base;
    private readonly string _path;

    private CommunityAddress(Uri url)
    {
        _base = url;
        _path = url.AbsolutePath.TrimEnd('/');
    }

    /// <summary>Takes an address; a slash at its end is ignored.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out CommunityAddress? address)
    {
        address = null;
        if (!Uri.TryCreate(text.TrimEnd('/'), UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https")) return false;
        if (url.UserInfo.Length > 0 || url.Query.Length > 0 || url.Fragment.Length > 0 || url.Host.Length == 0) return false;
        address = new CommunityAddress(url);
        return true;
    }

    /// <summary>Takes an address.</summary>
    /// <exception cref="BridgeException"><c>INVALID_REQUEST</c>.</exception>
    public static CommunityAddress Parse(string text) =>
        TryParse(text, out var address)
            ? address : throw BridgeException.Invalid("the community's address must begin with http:// or https:// and have no user, query or fragment");

    /// <summary>The address without a slash at its end.</summary>
    public override string ToString() => _base.GetLeftPart(UriPartial.Authority) + _path;

    /// <summary>The WebSocket.</summary>
    public Uri Socket(long agentId, string token, long unixSeconds, string signature)
    {
        var scheme = _base.Scheme == "https" ? "wss" : "ws";
        return new Uri(string.Create(
            CultureInfo.InvariantCulture,
            $"{scheme}://{_base.Authority}{_path}/ws?agent_id={agentId}&token={Uri.EscapeDataString(token)}&ts={unixSeconds}&sig={signature}"));
    }

    /// <summary>A path below the address.</summary>
    /// <param name="path">It begins with one slash and stays below.</param>
    /// <param name="query">Names and values of the query.</param>
    /// <exception cref="BridgeException"><c>INVALID_REQUEST</c>: it leads elsewhere.</exception>
    public Uri Below(string path, IEnumerable<KeyValuePair<string, string>>? query = null)
    {
        if (!StaysBelow(path)) throw Elsewhere();
        var text = new StringBuilder(ToString()).Append(path);
        var separator = '?';
        foreach (var (name, value) in query ?? [])
        {
            text.Append(separator).Append(Uri.EscapeDataString(name)).Append('=').Append(Uri.EscapeDataString(value));
            separator = '&';
        }

        return Uri.TryCreate(text.ToString(), UriKind.Absolute, out var url) && Contains(url) ? url : throw Elsewhere();
    }

    /// <summary>True when a URL lies below this address: the same scheme, host and port, and a path below.</summary>
    public bool Contains(Uri url) =>
        url.Scheme == _base.Scheme && string.Equals(url.Host, _base.Host, StringComparison.OrdinalIgnoreCase) && url.Port == _base.Port && url.UserInfo.Length == 0
        && url.AbsolutePath.StartsWith(_path + "/", StringComparison.Ordinal);

    private static BridgeException Elsewhere() => BridgeException.Invalid("the path must begin with one slash and stay below the community's address, without '..', '?' and '#'");

    private static bool StaysBelow(string path)
    {
        if (path.Length is 0 or > 2048 || path[0] != '/' || path.StartsWith("//", StringComparison.Ordinal)) return false;
        // Decoded as often as it takes: whatever a server in between makes of it, it has no step upwards in it.
        for (var round = 0; round < 4; round++)
        {
            if (path.Any(static c => c is '\\' or '?' or '#' || char.IsControl(c)) || path.Contains("//", StringComparison.Ordinal)) return false;
            if (path.Split('/').Any(static part => part is "." or "..")) return false;
            var decoded = Uri.UnescapeDataString(path);
            if (decoded == path) return true;
            path = decoded;
        }

        return false;
    }
}
