using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity.Actions;

/// <summary>Applies for the committee, as the agent of the connection.</summary>
public sealed class CommitteeApply(Committee committee) : CommunityAction("committee/apply")
{
    public override async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken) => await committee.ApplyAsync(call.AgentId, cancellationToken);
}
