using ChannelBridge.Endpoints.Contributed;

namespace ChannelBridge.Endpoints;

/// <summary>What the doors are, beside their <see cref="EndpointLimits"/>.</summary>
public sealed class EndpointOptions
{
    /// <summary>
    /// The path of the Unix socket, or null for none. On Windows a named pipe is opened instead: its name is the path's file name and a hash of the
    /// whole path, see <see cref="GetPipeName"/>.
    /// </summary>
    public string? SocketPath { get; set; }

    /// <summary>True to speak JSON-RPC on standard input and output; the end of input stops the host. Nothing else may write there then.</summary>
    public bool Stdio { get; set; }

    /// <summary>
    /// Origins of browser pages that may open a WebSocket beside those of the host itself and of loopback, e.g. <c>https://ops.example.org</c>;
    /// <c>*</c> allows every page.
    /// </summary>
    public IList<string> AllowedOrigins { get; } = [];

    /// <summary>Names of this host that clients may ask for on a loopback address beside those of loopback itself; <c>*</c> allows every name.</summary>
    public IList<string> AllowedHosts { get; } = [];

    /// <summary>The addresses on which only some channels' endpoints answer; see <see cref="ListenAddress"/>.</summary>
    public IList<ListenAddress> Addresses { get; } = [];

    /// <summary>The version in <c>hello-ok.server.version</c> and <c>rpc.discover</c>; default: that of this assembly.</summary>
    public string Version { get; set; } = typeof(EndpointOptions).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";

    /// <summary>The name of the pipe that stands in for a socket path on Windows.</summary>
    public static string GetPipeName(string socketPath)
    {
        ArgumentException.ThrowIfNullOrEmpty(socketPath);
        var hash = System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(Path.GetFullPath(socketPath)));
        return $"channelbridge-{Convert.ToHexStringLower(hash.AsSpan(0, 8))}";
    }
}
