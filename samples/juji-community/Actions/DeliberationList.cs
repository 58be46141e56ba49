using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity.Actions;

/// <summary>What the committee deliberates.</summary>
public sealed class DeliberationList(CommunityBook book) : CommunityAction("deliberation/list", "only_pending?:boolean")
{
    public override async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken)
    {
        var onlyPending = call.Parameters.Flag("only_pending", false);
        var found = await book.ListAsync(Governance.Deliberations, null, cancellationToken);
        return new JsonArray([.. found.Where(one => !onlyPending || (string?)one["status"] == "PENDING")]);
    }
}
