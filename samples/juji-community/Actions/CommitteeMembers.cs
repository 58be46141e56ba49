using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity.Actions;

/// <summary>The committee.</summary>
public sealed class CommitteeMembers(Committee committee) : CommunityAction("committee/members", "include_pending?:boolean")
{
    public override async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken) =>
        new JsonArray([.. await committee.ListAsync(call.Parameters.Flag("include_pending", false) ? "ANY" : "ACTIVE", null, cancellationToken)]);
}
