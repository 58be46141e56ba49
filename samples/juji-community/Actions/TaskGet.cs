using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity.Actions;

/// <summary>A task with who takes part and what was handed in.</summary>
public sealed class TaskGet(CommunityBook book) : CommunityAction("task/get", "task_id:integer")
{
    public override async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken)
    {
        var id = call.Parameters.Id("task_id");
        var task = await book.GetAsync("tasks", id, cancellationToken);
        task["participants"] = new JsonArray([.. await book.ListAsync("participants", CommunityBook.KeyOf(id), cancellationToken)]);
        task["works"] = new JsonArray([.. await book.ListAsync("works", CommunityBook.KeyOf(id), cancellationToken)]);
        return task;
    }
}
