using ChannelBridge.Abstractions.Hosting;

namespace ChannelBridge.Abstractions.Endpoints;

/// <summary>
/// Contributes HTTP and WebSocket endpoints, usually a channel itself. The doors read both lists when the host starts and whenever the source is added or
/// replaced; a source that answers differently later isn't noticed.
/// </summary>
public interface IEndpointSource : IContributor
{
    /// <summary>
    /// The id of the channel whose endpoints these are. A token with <see cref="Access.ScopeNames.Peer"/> is let in only where it may use this channel, and
    /// <c>Listen:Addresses:&lt;name&gt;:Channels</c> names it.
    /// </summary>
    string Channel { get; }

    /// <summary>The HTTP endpoints.</summary>
    IEnumerable<HttpEndpoint> Http { get; }

    /// <summary>The WebSocket endpoints.</summary>
    IEnumerable<SocketEndpoint> Sockets { get; }
}
