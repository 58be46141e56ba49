using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Aun.Endpoint;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.Aun;

/// <summary>Adds the Aun channel to a host.</summary>
public static partial class AunServices
{
    /// <summary>Adds the Aun channel, which does nothing unless it is configured.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Changes what the section <see cref="AunOptions.Section"/> of the host's configuration says. Faults stop the start.</param>
    public static IChannelBridgeBuilder AddAun(this IChannelBridgeBuilder builder, Action<AunOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var services = builder.Services;
        services.AddChannelSettings(AunSettings.All, configure);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(Random.Shared);
        services.TryAddSingleton(static provider => new AunEndpoint(
            provider.GetRequiredService<IOptions<AunOptions>>(),
            provider.GetRequiredService<IRecords>(),
            provider.GetRequiredService<IInbox>(),
            provider.GetRequiredService<IOutbox>(),
            provider.GetRequiredService<IAccessAttempts>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILoggerFactory>(),
            provider.GetService<IGatewayAdmission>(),
            provider.GetService<ILaneClaims>()?.IsShared is true));
        services.AddContributor<AunEndpoint>();
        services.AddSingleton<IAunPart>(static provider => provider.GetRequiredService<AunEndpoint>());
        AddConnector(services);
        services.AddContributor<AunChannel>();
        return builder;
    }

    // Sealing and the connector add their parts here: ISealer, and an IAunPart.
    static partial void AddConnector(IServiceCollection services);
}
