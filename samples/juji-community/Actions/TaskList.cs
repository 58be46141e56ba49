using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity.Actions;

/// <summary>Tasks, the oldest first.</summary>
public sealed class TaskList(CommunityBook book) : CommunityAction("task/list", "status?:string", "creator_agent?:integer", "limit?:integer", "offset?:integer")
{
    public override async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken)
    {
        var status = call.Parameters.OptionalText("status");
        var creator = call.Parameters.OptionalId("creator_agent");
        var found = await book.ListAsync("tasks", null, cancellationToken);
        return call.Parameters.Part(found.Where(task =>
            (status is null || string.Equals((string?)task["status"], status, StringComparison.OrdinalIgnoreCase))
            && (creator is null || (long?)task["creator_agent"] == creator)));
    }
}
