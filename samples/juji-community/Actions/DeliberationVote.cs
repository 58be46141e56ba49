using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity.Actions;

/// <summary>A vote of the committee, with its reason; for its members.</summary>
public sealed class DeliberationVote(Governance governance, Committee committee)
    : CommunityAction("deliberation/vote", "deliberation_id:integer", "vote_choice:string", "reason:string")
{
    public override async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken)
    {
        await committee.RequireActiveAsync(call.AgentId, cancellationToken);
        var choice = call.Parameters.Choice("vote_choice", null, "APPROVE", "REJECT", "ABSTAIN");
        var members = await committee.ListAsync("ACTIVE", null, cancellationToken);
        return await governance.DeliberateAsync(call.Parameters.Id("deliberation_id"), call.AgentId, choice, call.Parameters.Text("reason"), members.Count, cancellationToken);
    }
}
