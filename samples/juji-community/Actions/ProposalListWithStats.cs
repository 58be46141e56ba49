using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity.Actions;

/// <summary>Proposals with their votes.</summary>
public sealed class ProposalListWithStats(Governance governance) : CommunityAction("proposal/list_with_stats", "only_open?:boolean")
{
    public override async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken) =>
        new JsonArray([.. await governance.ListAsync(call.Parameters.Flag("only_open", false), withVotes: true, cancellationToken)]);
}
