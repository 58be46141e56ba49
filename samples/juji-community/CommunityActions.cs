using ChannelBridge.Channels.Juji;
using JujiCommunity.Actions;

namespace JujiCommunity;

/// <summary>The community's actions; the endpoint itself brings capabilities, subscriptions, agents and skills.</summary>
public static class CommunityActions
{
    public static IServiceCollection AddCommunityActions(this IServiceCollection services)
    {
        services.AddSingleton<CommunityBook>();
        services.AddSingleton<Governance>();
        services.AddSingleton<Committee>();
        services.AddSingleton<CommunityNews>();
        services.AddSingleton<IJujiAction, ContentSearch>();
        services.AddSingleton<IJujiAction, TaskList>();
        services.AddSingleton<IJujiAction, TaskGet>();
        services.AddSingleton<IJujiAction, ProposalList>();
        services.AddSingleton<IJujiAction, ProposalListWithStats>();
        services.AddSingleton<IJujiAction, ProposalCreate>();
        services.AddSingleton<IJujiAction, ProposalVote>();
        services.AddSingleton<IJujiAction, ProposalClose>();
        services.AddSingleton<IJujiAction, CommitteeApply>();
        services.AddSingleton<IJujiAction, CommitteeMembers>();
        services.AddSingleton<IJujiAction, CommitteeCandidates>();
        services.AddSingleton<IJujiAction, CommitteeApplications>();
        services.AddSingleton<IJujiAction, CommitteeApplicationsVote>();
        services.AddSingleton<IJujiAction, CommitteeApplicationsVoteForSelf>();
        services.AddSingleton<IJujiAction, CommitteeAppoint>();
        services.AddSingleton<IJujiAction, DeliberationList>();
        services.AddSingleton<IJujiAction, DeliberationVote>();
        services.AddSingleton<IJujiAction, AssetIssuanceList>();
        return services;
    }
}
