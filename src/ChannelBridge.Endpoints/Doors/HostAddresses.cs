using ChannelBridge.Abstractions.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Endpoints.Doors;

/// <summary>Asks the web server where it listens. The server is asked for late: it is made after the channels.</summary>
internal sealed class HostAddresses(IServiceProvider provider) : IHostAddresses
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Listening =>
        provider.GetService<IServer>()?.Features.Get<IServerAddressesFeature>() is { } feature ? [.. feature.Addresses] : [];
}
