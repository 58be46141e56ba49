using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Core.Messaging;
using ChannelBridge.OpenClaw;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the link to the OpenClaw plugin.</summary>
public static class LinkServices
{
    /// <summary>
    /// Adds the host's side of the link: the methods <c>link.*</c>, the agent <c>openclaw</c>, admission by the gateway's resolver
    /// (<see cref="IGatewayAdmission"/>) and the section <c>link</c> of the diagnostics. The caller adds the durable core, a store, a token
    /// authority and the channels.
    /// </summary>
    public static IChannelBridgeBuilder AddOpenClaw(this IChannelBridgeBuilder builder, Action<LinkOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddOpenClawLink(configure);
        return builder;
    }

    /// <summary>The same on a container, for tests.</summary>
    internal static IServiceCollection AddOpenClawLink(this IServiceCollection services, Action<LinkOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddSettingGroup(LinkSettings.Keys, configure);
        services.TryAddSingleton(provider => provider.GetRequiredService<IOptions<LinkOptions>>().Value);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<PluginPackage>();
        services.TryAddSingleton<ChannelDirectory>();
        services.TryAddSingleton<TurnMemory>();
        services.TryAddSingleton<LateReplies>();
        services.TryAddSingleton<LinkNotices>();
        services.TryAddSingleton<ISessionNotices>(static provider => provider.GetRequiredService<LinkNotices>());
        services.TryAddSingleton<LinkTargets>();
        services.TryAddSingleton(provider => new LinkMediaDesk(
            provider.GetRequiredService<LinkTargets>(), provider.GetRequiredService<TimeProvider>(), provider.GetService<ISpool>()));
        services.TryAddSingleton<LinkSends>();
        services.TryAddSingleton<IGatewayAdmission, GatewayAdmission>();
        services.AddRegistry();
        services.AddContributor<LinkSession>();
        services.AddContributor<LinkMethods>();
        services.AddContributor<LinkTools>();
        services.AddSingleton<IAgent, OpenClawAgent>();
        return services;
    }
}
