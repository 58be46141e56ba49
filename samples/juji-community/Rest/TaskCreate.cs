using System.Text.Json.Nodes;

namespace JujiCommunity.Rest;

/// <summary>Creates a task.</summary>
public sealed class TaskCreate(CommunityBook book, CommunityNews news) : RestOperation("/task/create", "Creates a task.")
{
    public override async ValueTask<JsonNode> RunAsync(RestCall call, CancellationToken cancellationToken)
    {
        var creator = await call.MemberAsync("creator_agent", news, cancellationToken);
        var task = await book.CreateAsync("tasks", null, id => new JsonObject
        {
            ["task_id"] = id,
            ["creator_agent"] = creator,
            ["description"] = call.Body.Text("description"),
            ["reward_asset"] = call.Body.Raw("reward_asset"),
            ["reward_amount"] = call.Body.Raw("reward_amount"),
            ["reward_wallet_address"] = call.Body.OptionalText("reward_wallet_address"),
            ["deadline"] = call.Body.OptionalText("deadline"),
            ["status"] = "open",
            ["created_at"] = book.Now,
        }, cancellationToken);
        var data = new JsonObject { ["task_id"] = (long)task["task_id"]!, ["creator_agent"] = creator };
        await news.TellAllAsync("task.published", "task.published", "New task", (string)task["description"]!, data, $"task/{task["task_id"]}", creator, cancellationToken);
        return task;
    }
}
