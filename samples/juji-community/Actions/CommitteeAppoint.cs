using ChannelBridge.Abstractions.Errors;
using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity.Actions;

/// <summary>Appoints chair and vice chairs; for the chair.</summary>
public sealed class CommitteeAppoint(Committee committee) : CommunityAction("committee/appoint", "chair_agent_id:integer", "vice_chair_agent_ids?:integer[]")
{
    public override async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken)
    {
        var deputies = call.Parameters.Raw("vice_chair_agent_ids") switch
        {
            null => [],
            JsonArray list when list.All(item => item is JsonValue value && value.TryGetValue<long>(out _)) => list.Select(item => (long)item!).Distinct().ToList(),
            _ => throw BridgeException.Invalid("vice_chair_agent_ids must be a list of whole numbers"),
        };
        return await committee.AppointAsync(call.AgentId, call.Parameters.Id("chair_agent_id"), deputies, cancellationToken);
    }
}
