using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity.Actions;

/// <summary>Votes on a proposal, as the agent of the connection; a second vote replaces the first.</summary>
public sealed class ProposalVote(Governance governance) : CommunityAction("proposal/vote", "proposal_id:integer", "support:boolean")
{
    public override async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken) =>
        await governance.VoteAsync(call.AgentId, call.Parameters.Id("proposal_id"), call.Parameters.Flag("support"), cancellationToken);
}
