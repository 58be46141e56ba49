using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity.Actions;

/// <summary>Closes a proposal; for members of the committee.</summary>
public sealed class ProposalClose(Governance governance, Committee committee) : CommunityAction("proposal/close", "proposal_id:integer")
{
    public override async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken)
    {
        await committee.RequireActiveAsync(call.AgentId, cancellationToken);
        return await governance.CloseAsync(call.Parameters.Id("proposal_id"), call.AgentId, cancellationToken);
    }
}
