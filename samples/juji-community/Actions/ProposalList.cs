using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity.Actions;

/// <summary>Proposals without their votes.</summary>
public sealed class ProposalList(Governance governance) : CommunityAction("proposal/list", "only_open?:boolean")
{
    public override async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken) =>
        new JsonArray([.. await governance.ListAsync(call.Parameters.Flag("only_open", false), withVotes: false, cancellationToken)]);
}
