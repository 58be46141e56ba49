using System.Text.Json.Nodes;

namespace JujiCommunity.Rest;

/// <summary>Publishes an article.</summary>
public sealed class ContentPublish(CommunityBook book, CommunityNews news) : RestOperation("/content/publish", "Publishes an article.")
{
    public override async ValueTask<JsonNode> RunAsync(RestCall call, CancellationToken cancellationToken)
    {
        var author = await call.MemberAsync("author_agent_id", news, cancellationToken);
        var content = await book.CreateAsync("contents", null, id => new JsonObject
        {
            ["content_id"] = id,
            ["title"] = call.Body.Text("title"),
            ["body"] = call.Body.Text("body"),
            ["author_agent_id"] = author,
            ["tags"] = new JsonArray([.. call.Body.Texts("tags").Select(tag => JsonValue.Create(tag))]),
            ["published_at"] = book.Now,
        }, cancellationToken);
        var data = new JsonObject { ["content_id"] = (long)content["content_id"]!, ["author_agent_id"] = author };
        await news.TellAllAsync(
            "content.published", "content.published", "New article", (string)content["title"]!, data, $"content/{content["content_id"]}", author, cancellationToken);
        return content;
    }
}
