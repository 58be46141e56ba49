using ChannelBridge.Abstractions.Events;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.MultiClaws.Agents;
using ChannelBridge.Channels.MultiClaws.Sessions;
using ChannelBridge.Channels.MultiClaws.Teams;
using ChannelBridge.Channels.MultiClaws.Tools;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
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
        services.AddTeams();
        services.TryAddSingleton<SessionBook>();
        services.TryAddSingleton<SessionNotices>();
        services.TryAddSingleton(static provider => new SessionWriter(
            provider.GetRequiredService<IRecords>(),
            provider.GetRequiredService<INotifier>(),
            provider.GetRequiredService<SessionNotices>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<SessionWriter>>(),
            provider.GetService<IEventHub>()));
        services.TryAddSingleton<AgentClients>();
        services.TryAddSingleton<SessionRunner>();
        services.TryAddSingleton(static provider => new SessionDesk(
            provider.GetRequiredService<SessionBook>(),
            provider.GetRequiredService<SessionWriter>(),
            provider.GetRequiredService<SessionRunner>(),
            provider.GetRequiredService<IAgentBook>(),
            provider.GetRequiredService<IHostClaims>(),
            provider.GetRequiredService<MultiClawsOptions>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<SessionDesk>>(),
            provider.GetService<IOwnPlace>()));
        services.TryAddSingleton(static provider => new SessionCalls(provider.GetRequiredService<SessionDesk>(), provider.GetService<IOwnPlace>()));
        services.AddContributor<MultiClawsChannel>();
        services.AddContributor<ImportCalls>();
        return builder;
    }
}
