using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Transfers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.Bncr;

/// <summary>Adds the bncr channel to a host.</summary>
public static class BncrServices
{
    /// <summary>
    /// Adds the bncr channel. It needs <see cref="IInbox"/>, <see cref="IOutbox"/>, <see cref="IRecords"/> and <see cref="TimeProvider"/>, and uses
    /// <see cref="IGatewayAdmission"/> where there is one: without it, messages of the gateway door are answered <c>UNAVAILABLE</c>. Files need
    /// <see cref="ITransfers"/> and <see cref="ISpool"/>.
    /// </summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Changes what the section <see cref="BncrOptions.Section"/> of the host's configuration says. Faults stop the start.</param>
    public static IChannelBridgeBuilder AddBncr(this IChannelBridgeBuilder builder, Action<BncrOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddBncrChannel(configure);
        return builder;
    }

    /// <summary>The same on a container, for tests.</summary>
    internal static IServiceCollection AddBncrChannel(this IServiceCollection services, Action<BncrOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddChannelSettings(BncrSettings.All, configure);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(provider => new BncrChannel(
            provider.GetRequiredService<IInbox>(),
            provider.GetRequiredService<IOutbox>(),
            provider.GetRequiredService<IRecords>(),
            provider.GetRequiredService<IDeliveries>(),
            provider.GetRequiredService<IOptions<BncrOptions>>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILoggerFactory>(),
            provider.GetService<IGatewayAdmission>(),
            provider.GetService<IDeadLetters>(),
            provider.GetService<ITransfers>(),
            provider.GetService<ISpool>(),
            provider.GetService<IFileSender>(),
            [.. provider.GetServices<IAgent>().Select(agent => agent.Name)]));
        return services.AddContributor<BncrChannel>();
    }
}
