using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Hosting;

namespace ChannelBridge.Abstractions.Access;

/// <summary>
/// Knows callers of channels' endpoints that show something else than a token of the host: hosts that sign their requests. The doors ask it where an endpoint needs
/// a scope and <c>Authorization</c> names its scheme; a request without that scheme is none of its business.
/// </summary>
public interface IRequestAuthenticator : IContributor
{
    /// <summary>The scheme in <c>Authorization</c>, compared without case; never <c>Bearer</c>.</summary>
    string Scheme { get; }

    /// <summary>Decides about one request before its body is read. The caller that it names still needs the endpoint's scope and the right to its channel.</summary>
    /// <param name="credentials">What stands behind the scheme.</param>
    /// <param name="channel">The channel whose endpoint is asked.</param>
    /// <param name="request">The request without its body.</param>
    /// <param name="cancellationToken">The client has left or the host stops.</param>
    ValueTask<AccessVerdict> AuthenticateAsync(string credentials, string channel, EndpointRequest request, CancellationToken cancellationToken);
}
