namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>Where a gateway is: its WebSocket, and HTTP on the same host and port.</summary>
internal static class GatewayAddress
{
    /// <summary>A gateway's WebSocket; null when the text is none.</summary>
    public static Uri? TryParse(string? text) =>
        text is { Length: <= 1024 } && Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "ws" or "wss" && url.UserInfo.Length == 0 && url.Query.Length == 0
        && url.Fragment.Length == 0
            ? url
            : null;

    /// <summary>A path of the gateway over HTTP.</summary>
    public static Uri Http(Uri gateway, string path) => new UriBuilder(gateway) { Scheme = gateway.Scheme == "wss" ? "https" : "http", Path = "" }.Uri is { } root
        ? new Uri(root, path)
        : gateway;

    /// <summary>Where a gateway may be asked for by an AID's name, in order.</summary>
    /// <param name="aid">The AID.</param>
    /// <param name="port">The port, or null.</param>
    /// <param name="isDevelopment">True: the gateway's own name first, as the AID's has no address of its own there.</param>
    public static IReadOnlyList<Uri> Discovery(string aid, int? port, bool isDevelopment)
    {
        var issuer = aid[(aid.IndexOf('.', StringComparison.Ordinal) + 1)..];
        string[] hosts = isDevelopment ? [$"gateway.{issuer}", aid] : [aid, $"gateway.{issuer}"];
        return [.. hosts.Select(host => new UriBuilder("https", host, port ?? 443, "/.well-known/aun-gateway").Uri)];
    }
}
