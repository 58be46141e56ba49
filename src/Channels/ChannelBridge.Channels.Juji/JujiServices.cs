using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Dialing;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Juji.Endpoint;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.Juji;

/// <summary>Adds the Juji channel to a host.</summary>
public static class JujiServices
{
    /// <summary>
    /// Adds the Juji channel, both sides, which do nothing unless they are configured. What the endpoint does beyond registering, connecting and telling is added by
    /// <see cref="IJujiAction"/>.
    /// </summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Changes what the section <see cref="JujiOptions.Section"/> of the host's configuration says. Faults stop the start.</param>
    public static IChannelBridgeBuilder AddJuji(this IChannelBridgeBuilder builder, Action<JujiOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var services = builder.Services;
        services.AddChannelSettings(JujiSettings.All, configure);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(Random.Shared);
        services.TryAddSingleton(static provider => new JujiChannel(
            provider.GetRequiredService<IOptions<JujiOptions>>(),
            provider.GetRequiredService<IDialer>(),
            provider.GetRequiredService<IInbox>(),
            provider.GetRequiredService<IOutbox>(),
            provider.GetRequiredService<INotifier>(),
            provider.GetRequiredService<IRecords>(),
            provider.GetRequiredService<IHostClaims>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<Random>(),
            provider.GetRequiredService<ILoggerFactory>(),
            provider.GetService<IGatewayAdmission>()));
        services.AddContributor<JujiChannel>();
        services.AddChannelSettings(JujiSettings.Delivery);
        services.TryAddSingleton(static provider => provider.GetRequiredService<IOptions<JujiOptions>>().Value.Endpoint);
        services.TryAddSingleton<AgentBook>();
        services.TryAddSingleton<SubscriptionBook>();
        services.TryAddSingleton<Community>();
        services.TryAddSingleton<IJujiCommunity>(static provider => provider.GetRequiredService<Community>());
        services.AddContributor<JujiEndpointChannel>();
        return builder;
    }
}
