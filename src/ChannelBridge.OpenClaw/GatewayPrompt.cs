using System.Text;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.OpenClaw;

/// <summary>
/// What the gateway's agent is told of an Open Responses request. The gateway keeps conversations by itself, by session; a request brings its own.
/// So a request gets a session for itself and is told what was said before, unless a channel stands behind it whose session the gateway knows.
/// </summary>
/// <param name="SessionKey">The gateway's session.</param>
/// <param name="Text">What the user says.</param>
/// <param name="Instructions">What the model is told beside it, or null.</param>
internal readonly record struct GatewayPrompt(string SessionKey, string Text, string? Instructions)
{
    /// <summary>The channel of requests that came by no channel.</summary>
    private const string NoChannel = "responses";

    /// <summary>The prompt of a turn with a request.</summary>
    /// <param name="turn">The turn.</param>
    /// <param name="request">Its request.</param>
    /// <param name="agentId">The gateway's agent for the account; a model that names one goes before it.</param>
    public static GatewayPrompt Of(AgentTurn turn, ResponseRequest request, string agentId = "main")
    {
        var message = turn.Message;
        var isKnown = message.Channel != NoChannel || GatewaySession.IsNamed(message.SessionKey);
        var sessionKey = GatewaySession.KeyOf(AgentOf(request.Model) ?? agentId, isKnown ? message.SessionKey : $"responses:{turn.Id:N}");
        var rules = request.Input.OfType<MessageItem>().Where(item => item.Role is "system" or "developer").Select(item => TextOf(item.Content));
        var instructions = string.Join("\n\n", rules.Prepend(request.Instructions ?? "").Where(text => text.Length > 0));
        var said = request.Input.Where(item => item is FunctionCallItem or FunctionCallOutputItem or MessageItem { Role: "user" or "assistant" }).ToList();
        // In a session that the gateway knows, only what came after the last answer is new.
        if (isKnown) said = said[(said.FindLastIndex(item => item is MessageItem { Role: "assistant" }) + 1)..];
        return new GatewayPrompt(sessionKey, Render(said, message), instructions.Length > 0 ? instructions : null);
    }

    /// <summary><c>openclaw/AGENT</c> or <c>openclaw:AGENT</c> names one of the gateway's agents; anything else names none.</summary>
    private static string? AgentOf(string? model)
    {
        if (model is null || !model.StartsWith("openclaw", StringComparison.OrdinalIgnoreCase) || model.Length < 10 || model[8] is not ('/' or ':')) return null;
        var id = model[9..];
        return id.Length <= 64 && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_') ? id.ToLowerInvariant() : null;
    }

    private static string Render(List<ResponseItem> said, InboundMessage message)
    {
        if (said is [] or [MessageItem { Role: "user" }]) return message.Text;
        var text = new StringBuilder("What was said before:\n");
        var last = said[^1] is MessageItem { Role: "user" } ? said.Count - 1 : said.Count;
        foreach (var item in said.Take(last))
        {
            text.Append(item switch
            {
                MessageItem { Role: "assistant" } answer => $"Assistant: {TextOf(answer.Content)}\n",
                MessageItem asked => $"User: {TextOf(asked.Content)}\n",
                FunctionCallItem call => $"Assistant called {call.Name}({call.Arguments})\n",
                FunctionCallOutputItem output => $"Result: {output.Text ?? TextOf(output.Parts ?? [])}\n",
                _ => "",
            });
        }

        if (last == said.Count) text.Append("\nGo on from there.");
        else text.Append("\nWhat to answer now:\n").Append(TextOf(((MessageItem)said[^1]).Content));
        return text.ToString();
    }

    private static string TextOf(IEnumerable<ContentPart> parts) => string.Join('\n', parts.Select(part => part switch
    {
        InputTextPart text => text.Text,
        OutputTextPart text => text.Text,
        TextPart text => text.Text,
        RefusalPart refusal => refusal.Refusal,
        InputImagePart => "[image]",
        InputFilePart file => $"[file {file.FileName ?? "without a name"}]",
        _ => "",
    }).Where(text => text.Length > 0));
}
