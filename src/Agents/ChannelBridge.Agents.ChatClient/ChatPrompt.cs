using System.Text.Json;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Protocol.OpenResponses;
using Microsoft.Extensions.AI;

namespace ChannelBridge.Agents.ChatClient;

/// <summary>A turn in the words of Microsoft.Extensions.AI.</summary>
internal static class ChatPrompt
{
    /// <summary>The conversation.</summary>
    public static List<ChatMessage> Messages(AgentTurn turn)
    {
        if (turn.Request is { } request) return [.. request.Input.Select(Message).OfType<ChatMessage>()];
        List<ChatMessage> messages = [.. turn.History.Select(Message).OfType<ChatMessage>()];
        List<AIContent> said = [];
        if (turn.Message.Text.Length > 0) said.Add(new TextContent(turn.Message.Text));
        foreach (var file in turn.Message.Attachments ?? []) said.Add(Content(file));
        if (said.Count == 0) said.Add(new TextContent($"({turn.Message.Type})"));
        messages.Add(new ChatMessage(ChatRole.User, said));
        return messages;
    }

    /// <summary>Everything else.</summary>
    public static ChatOptions Options(AgentTurn turn, ChatClientAgentOptions options)
    {
        var request = turn.Request ?? new ResponseRequest();
        var instructions = string.Join("\n\n", new[] { options.Instructions, turn.Instructions, request.Instructions }.Where(text => !string.IsNullOrEmpty(text)));
        var chat = new ChatOptions
        {
            Instructions = instructions.Length > 0 ? instructions : null,
            ModelId = options.Model,
            Temperature = (float?)request.Temperature,
            TopP = (float?)request.TopP,
            MaxOutputTokens = request.MaxOutputTokens,
            FrequencyPenalty = (float?)request.FrequencyPenalty,
            PresencePenalty = (float?)request.PresencePenalty,
        };
        var tools = request.ToolChoice.AllowedTools is { } allowed ? request.Tools.Where(tool => allowed.Contains(tool.Name, StringComparer.Ordinal)) : request.Tools;
        chat.Tools = [.. tools.Select(tool => AIFunctionFactory.CreateDeclaration(tool.Name, tool.Description, tool.Parameters ?? EmptySchema))];
        if (chat.Tools.Count == 0)
        {
            chat.Tools = null;
        }
        else
        {
            chat.AllowMultipleToolCalls = request.ParallelToolCalls;
            chat.ToolMode = request.ToolChoice switch
            {
                { Function: { } function } => ChatToolMode.RequireSpecific(function),
                { Mode: "required" } => ChatToolMode.RequireAny,
                { Mode: "none" } => ChatToolMode.None,
                _ => ChatToolMode.Auto,
            };
        }

        if (request.Text is { ValueKind: JsonValueKind.Object } text && text.TryGetProperty("format", out var format)) chat.ResponseFormat = Format(format);
        return chat;
    }

    private static readonly JsonElement EmptySchema = JsonDocument.Parse("""{"type":"object","properties":{}}""").RootElement;

    private static ChatResponseFormatJson? Format(JsonElement format)
    {
        if (format.ValueKind != JsonValueKind.Object || !format.TryGetProperty("type", out var type)) return null;
        if (type.ValueEquals("json_object"u8)) return ChatResponseFormat.Json;
        return type.ValueEquals("json_schema"u8) && format.TryGetProperty("schema", out var schema)
            ? ChatResponseFormat.ForJsonSchema(schema, format.TryGetProperty("name", out var name) ? name.GetString() : null)
            : null;
    }

    private static ChatMessage? Message(ResponseItem item) => item switch
    {
        MessageItem message => new ChatMessage(
            message.Role switch { "assistant" => ChatRole.Assistant, "system" or "developer" => ChatRole.System, _ => ChatRole.User }, [.. message.Content.Select(Content)]),
        FunctionCallItem call => new ChatMessage(ChatRole.Assistant, [new FunctionCallContent(call.CallId, call.Name, Arguments(call.Arguments))]),
        FunctionCallOutputItem output => new ChatMessage(
            ChatRole.Tool, [new FunctionResultContent(output.CallId, output.Text ?? string.Join('\n', (output.Parts ?? []).OfType<InputTextPart>().Select(part => part.Text)))]),
        // What the client can't be told: reasoning of another model, and what was compacted.
        _ => null,
    };

    private static Dictionary<string, object?>? Arguments(string json)
    {
        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, object?>>(json, AIJsonUtilities.DefaultOptions);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static AIContent Content(ContentPart part) => part switch
    {
        InputTextPart text => new TextContent(text.Text),
        OutputTextPart text => new TextContent(text.Text),
        TextPart text => new TextContent(text.Text),
        RefusalPart refusal => new TextContent(refusal.Refusal),
        InputImagePart { ImageUrl: { } url } => Media(url, "image/png"),
        InputFilePart { FileData: { } data } file => Media(
            data.StartsWith("data:", StringComparison.OrdinalIgnoreCase) ? data : $"data:application/octet-stream;base64,{data}",
            "application/octet-stream", file.FileName),
        InputFilePart { FileUrl: { } url } => Media(url, "application/octet-stream"),
        _ => new TextContent("[content of another kind]"),
    };

    private static AIContent Content(Attachment file)
    {
        if (file.Content is { Length: > 0 } bytes) return new DataContent(bytes, file.MimeType) { Name = file.FileName };
        return file.Location is { } location && location.StartsWith("http", StringComparison.OrdinalIgnoreCase) && Uri.TryCreate(location, UriKind.Absolute, out var uri)
            ? new UriContent(uri, file.MimeType)
            : new TextContent($"[file {file.FileName ?? file.MimeType}: not readable here]");
    }

    private static AIContent Media(string url, string type, string? name = null)
    {
        if (url.StartsWith("data:", StringComparison.OrdinalIgnoreCase)) return new DataContent(url) { Name = name };
        return Uri.TryCreate(url, UriKind.Absolute, out var uri) ? new UriContent(uri, type) : new TextContent($"[{url}]");
    }
}
