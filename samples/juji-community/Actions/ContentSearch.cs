using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Channels.Juji;

namespace JujiCommunity.Actions;

/// <summary>Articles whose title, text or tags have a text, the newest first.</summary>
public sealed class ContentSearch(CommunityBook book) : CommunityAction("content/search", "q?:string", "author_agent_id?:integer", "limit?:integer", "offset?:integer")
{
    public override async ValueTask<JsonNode?> RunAsync(JujiActionCall call, CancellationToken cancellationToken)
    {
        var text = call.Parameters.OptionalText("q");
        var author = call.Parameters.OptionalId("author_agent_id");
        var found = await book.ListAsync("contents", null, cancellationToken);
        found.RemoveAll(content => author is not null && (long?)content["author_agent_id"] != author);
        if (text is not null) found.RemoveAll(content => !content.ToJsonString(Shown).Contains(text, StringComparison.OrdinalIgnoreCase));
        return call.Parameters.Part(Enumerable.Reverse(found));
    }

    // Letters as they are, not as escapes.
    private static readonly JsonSerializerOptions Shown = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
