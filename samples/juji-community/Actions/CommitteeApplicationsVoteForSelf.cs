using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity.Actions;

/// <summary>Votes on the own application.</summary>
public sealed class CommitteeApplicationsVoteForSelf(Committee committee) : CommunityAction("committee/applications/vote_for_self", "support:boolean")
{
    public override async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken) =>
        await committee.VoteAsync(call.AgentId, call.AgentId, call.Parameters.Flag("support"), cancellationToken);
}
