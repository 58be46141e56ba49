using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Channels.MultiClaws.Agents;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.MultiClaws;

/// <summary>Adds the MultiClaws channel to a host.</summary>
public static class MultiClawsServices
{
    /// <summary>Adds the MultiClaws channel: sessions with agents of other hosts, teams of hosts, and the profile that they show each other.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="configure">Changes what the section <see cref="MultiClawsOptions.Section"/> of the host's configuration says. Faults stop the start.</param>
    public static IChannelBridgeBuilder AddMultiClaws(this IChannelBridgeBuilder builder, Action<MultiClawsOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var services = builder.Services;
        services.AddChannelSettings(MultiClawsSettings.All, configure);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(Random.Shared);
        services.TryAddSingleton(static provider => provider.GetRequiredService<IOptions<MultiClawsOptions>>().Value);
        services.TryAddSingleton<IAgentBook, AgentBook>();
        return builder;
    }
}
