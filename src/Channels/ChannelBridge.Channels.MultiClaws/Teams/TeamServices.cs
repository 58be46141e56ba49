using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Settings;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.MultiClaws.Agents;
using ChannelBridge.Channels.MultiClaws.Profile;
using ChannelBridge.Channels.MultiClaws.Tools;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.MultiClaws.Teams;

/// <summary>Adds agents, teams and the profile.</summary>
internal static class TeamServices
{
    /// <summary>Adds them.</summary>
    public static IServiceCollection AddTeams(this IServiceCollection services)
    {
        services.TryAddSingleton<HostKey>();
        services.TryAddSingleton<TeamBook>();
        services.TryAddSingleton<NonceBook>();
        services.TryAddSingleton<TeamClient>();
        services.TryAddSingleton<TeamSpread>();
        services.TryAddSingleton(static provider => new SelfAddress(
            provider.GetRequiredService<ISettingsSource>(), provider.GetService<IHostAddresses>(), SelfAddress.OfMachine));
        services.TryAddSingleton<TeamDesk>();
        services.TryAddSingleton<IOwnPlace>(static provider => provider.GetRequiredService<TeamDesk>());
        services.TryAddSingleton<AgentBook>();
        services.TryAddSingleton<IAgentBook>(static provider => provider.GetRequiredService<AgentBook>());
        services.TryAddSingleton<CardFetcher>();
        services.TryAddSingleton(static provider => new TeamLife(
            provider.GetRequiredService<TeamBook>(),
            provider.GetRequiredService<TeamSpread>(),
            provider.GetRequiredService<TeamDesk>(),
            provider.GetRequiredService<OwnProfile>(),
            provider.GetRequiredService<Onboarding>(),
            provider.GetService<IHostAddresses>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<TeamLife>>(),
            provider.GetService<ILaneClaims>(),
            provider.GetService<IHostClaims>(),
            provider.GetService<IGatewayAdmission>()));
        services.AddContributor<OwnProfile>();
        services.AddContributor<Onboarding>();
        services.AddContributor<TeamEndpoints>();
        services.AddContributor<MemberGate>();
        services.AddContributor<TeamCalls>();
        services.AddContributor<TeamLife>();
        return services;
    }
}
