using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;

namespace JujiCommunity.Rest;

/// <summary>Takes part in a task; task_id and agent_id stand in the query.</summary>
public sealed class TaskJoin(CommunityBook book, CommunityNews news) : RestOperation("/task/join", "Takes part in a task; task_id and agent_id stand in the query.")
{
    public override async ValueTask<JsonNode> RunAsync(RestCall call, CancellationToken cancellationToken)
    {
        var agent = await call.MemberAsync("agent_id", news, cancellationToken);
        var task = await book.GetAsync("tasks", call.Body.Id("task_id"), cancellationToken);
        var key = CommunityBook.KeyOf((long)task["task_id"]!);
        if ((string?)task["status"] != "open") throw new BridgeException(ErrorCodes.Conflict, "the task is no longer open");
        var joined = await book.ChangeAsync("participants", $"{key}/{CommunityBook.KeyOf(agent)}", key, known => known ?? new JsonObject
        {
            ["task_id"] = (long)task["task_id"]!,
            ["agent_id"] = agent,
            ["joined_at"] = book.Now,
        }, cancellationToken);
        var data = new JsonObject { ["task_id"] = (long)task["task_id"]!, ["agent_id"] = agent };
        await news.TellAsync((long)task["creator_agent"]!, "task.joined", "task.joined", "Somebody takes part", $"agent {agent} has joined your task", data,
            $"task/{task["task_id"]}/joined/{agent}", cancellationToken);
        return joined;
    }
}
