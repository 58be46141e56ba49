using ChannelBridge.Abstractions.Hosting;
using Microsoft.Extensions.Hosting;

namespace ChannelBridge.Endpoints;

/// <summary>Opens and closes the doors of a host without the durable core, as tests of the wire have it.</summary>
internal sealed class DoorsAlone(IRegistry registry, IEnumerable<IContributor> contributors, EndpointDoors doors) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        registry.Add([.. contributors]);
        return doors.OpenAsync(cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => doors.CloseAsync(cancellationToken);
}
