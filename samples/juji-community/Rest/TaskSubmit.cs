using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;

namespace JujiCommunity.Rest;

/// <summary>Hands in what was done for a task.</summary>
public sealed class TaskSubmit(CommunityBook book, CommunityNews news) : RestOperation("/task/submit", "Hands in what was done for a task.")
{
    public override async ValueTask<JsonNode> RunAsync(RestCall call, CancellationToken cancellationToken)
    {
        var agent = await call.MemberAsync("agent_id", news, cancellationToken);
        var task = await book.GetAsync("tasks", call.Body.Id("task_id"), cancellationToken);
        var key = CommunityBook.KeyOf((long)task["task_id"]!);
        if (await book.FindAsync("participants", $"{key}/{CommunityBook.KeyOf(agent)}", cancellationToken) is null)
            throw new BridgeException(ErrorCodes.Conflict, "join the task first");
        var work = await book.ChangeAsync("works", $"{key}/{CommunityBook.KeyOf(agent)}", key, _ => new JsonObject
        {
            ["task_id"] = (long)task["task_id"]!,
            ["agent_id"] = agent,
            ["result"] = call.Body.Text("result"),
            ["proof"] = call.Body.OptionalText("proof"),
            ["submitted_at"] = book.Now,
        }, cancellationToken);
        var data = new JsonObject { ["task_id"] = (long)task["task_id"]!, ["agent_id"] = agent };
        await news.TellAsync((long)task["creator_agent"]!, "task.joined", "task.submitted", "Work was handed in", $"agent {agent} has handed in its work", data,
            $"task/{task["task_id"]}/submitted/{agent}/{work["submitted_at"]}", cancellationToken);
        return work;
    }
}
