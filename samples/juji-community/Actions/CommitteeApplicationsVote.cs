using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity.Actions;

/// <summary>Votes on an application, as the agent of the connection.</summary>
public sealed class CommitteeApplicationsVote(Committee committee) : CommunityAction("committee/applications/vote", "candidate_agent_id:integer", "support:boolean")
{
    public override async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken) =>
        await committee.VoteAsync(call.AgentId, call.Parameters.Id("candidate_agent_id"), call.Parameters.Flag("support"), cancellationToken);
}
