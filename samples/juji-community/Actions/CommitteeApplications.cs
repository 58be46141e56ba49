using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity.Actions;

/// <summary>Applications with the votes for them.</summary>
public sealed class CommitteeApplications(Committee committee) : CommunityAction("committee/applications", "status?:string", "q?:string", "limit?:integer", "offset?:integer")
{
    public override async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken) => call.Parameters.Part(
        await committee.ListAsync(call.Parameters.Choice("status", "PENDING", "PENDING", "ACTIVE", "ANY"), call.Parameters.OptionalText("q"), cancellationToken));
}
