using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity.Actions;

/// <summary>Proposes something.</summary>
public sealed class ProposalCreate(Governance governance) : CommunityAction("proposal/create", "title:string", "description:string")
{
    public override async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken) => await governance.ProposeAsync(
        call.AgentId, call.Parameters.Text("title"), call.Parameters.Text("description"), "GENERAL", null, $"proposal/{call.AgentId}/{call.RequestId}", cancellationToken);
}
