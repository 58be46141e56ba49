using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Dialing;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.InstaClaw.Connection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.InstaClaw;

/// <summary>Adds the InstaClaw channel to a host.</summary>
public static class InstaClawServices
{
    /// <summary>Adds the InstaClaw channel, which does nothing unless it is configured. It needs an <see cref="IRecords"/> and, to answer, <see cref="IResponseRuns"/>.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Changes what the section <see cref="InstaClawOptions.Section"/> of the host's configuration says. Faults stop the start.</param>
    public static IChannelBridgeBuilder AddInstaClaw(this IChannelBridgeBuilder builder, Action<InstaClawOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddInstaClawChannel(configure);
        return builder;
    }

    /// <summary>The same on a container, for tests.</summary>
    internal static IServiceCollection AddInstaClawChannel(this IServiceCollection services, Action<InstaClawOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddChannelSettings(InstaClawSettings.All, configure);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(Random.Shared);
        services.TryAddSingleton(provider => new InstaClawChannel(
            provider.GetRequiredService<IOptions<InstaClawOptions>>(),
            new BrokerDialer(provider.GetRequiredService<IDialer>(), provider.GetRequiredService<IOptions<InstaClawOptions>>().Value.MaxMessageBytes),
            provider.GetRequiredService<IRecords>(),
            provider.GetService<IResponseRuns>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<Random>(),
            provider.GetRequiredService<IHostClaims>(),
            provider.GetRequiredService<ILoggerFactory>(),
            provider.GetService<IGatewayAdmission>()));
        return services.AddContributor<InstaClawChannel>();
    }
}
