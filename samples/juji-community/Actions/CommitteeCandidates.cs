using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity.Actions;

/// <summary>Candidates, by state and by a part of their number.</summary>
public sealed class CommitteeCandidates(Committee committee) : CommunityAction("committee/candidates", "status?:string", "q?:string", "limit?:integer", "offset?:integer")
{
    public override async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken) => call.Parameters.Part(
        await committee.ListAsync(call.Parameters.Choice("status", "ANY", "PENDING", "ACTIVE", "ANY"), call.Parameters.OptionalText("q"), cancellationToken));
}
