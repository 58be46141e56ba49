namespace ChannelBridge.Plugins.Manifest;

/// <summary>How the things of a manifest are named in a handshake.</summary>
public static class PluginNames
{
    /// <summary>The word that stands for the verb of a socket.</summary>
    public const string Socket = "SOCKET";

    /// <summary>The endpoints and sockets of a manifest: <c>POST /mychat/say</c>, <c>SOCKET /mychat/live</c>.</summary>
    public static IEnumerable<string> OfEndpoints(PluginManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        return manifest.Endpoints.SelectMany(endpoint => endpoint.Verbs.Select(verb => $"{verb} {endpoint.Path}"))
            .Concat(manifest.Sockets.Select(socket => $"{Socket} {socket.Path}"));
    }
}
