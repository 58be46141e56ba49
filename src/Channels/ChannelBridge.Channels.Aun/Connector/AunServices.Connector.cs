using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Dialing;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Aun.Connector;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Aun;

public static partial class AunServices
{
    static partial void AddConnector(IServiceCollection services)
    {
        services.TryAddSingleton(static provider => new ConnectorParts(
            provider.GetRequiredService<IDialer>(),
            provider.GetRequiredService<IInbox>(),
            provider.GetRequiredService<IOutbox>(),
            provider.GetRequiredService<IRecords>(),
            provider.GetRequiredService<IHostClaims>(),
            provider.GetService<IGatewayAdmission>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<Random>(),
            provider.GetRequiredService<ILoggerFactory>()));
        services.TryAddSingleton<ConnectorPart>();
        services.AddSingleton<IAunPart>(static provider => provider.GetRequiredService<ConnectorPart>());
    }
}
