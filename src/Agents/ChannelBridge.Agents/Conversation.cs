using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Agents;

/// <summary>What is asked of a provider, whoever asked it: an Open Responses client, or a channel's message with what was said before.</summary>
internal sealed record Conversation(string Model, string? Instructions, IReadOnlyList<ResponseItem> Items, ResponseRequest Request)
{
    private static readonly ResponseRequest Plain = new();

    /// <summary>The functions that may be called: all of the request's, or those that its choice allows. A hard constraint, so no provider has to know it.</summary>
    public IReadOnlyList<FunctionTool> Tools => Request.ToolChoice.AllowedTools is { } allowed
        ? [.. Request.Tools.Where(tool => allowed.Contains(tool.Name, StringComparer.Ordinal))]
        : Request.Tools;

    public static Conversation Of(AgentTurn turn, ProviderOptions options)
    {
        var request = turn.Request ?? Plain;
        IReadOnlyList<ResponseItem> items = turn.Request?.Input ?? [.. turn.History, new MessageItem("user", PartsOf(turn.Message))];
        var told = string.Join("\n\n", new[] { options.Instructions, turn.Instructions, request.Instructions }.Where(static text => !string.IsNullOrEmpty(text)));
        return new Conversation(ModelOf(request, options), told.Length > 0 ? told : null, items, request);
    }

    /// <summary>
    /// The agent's own model goes before what a request names: that is more often the agent's name than a model's. <c>NAME/MODEL</c> asks for another model
    /// of the agent where it has none of its own.
    /// </summary>
    private static string ModelOf(ResponseRequest request, ProviderOptions options)
    {
        if (options.Model is { Length: > 0 } own) return own;
        if (request.Model is not { Length: > 0 } asked || string.Equals(asked, options.Name, StringComparison.OrdinalIgnoreCase)) return "default";
        return asked.StartsWith(options.Name + "/", StringComparison.OrdinalIgnoreCase) && asked.Length > options.Name.Length + 1
            ? asked[(options.Name.Length + 1)..]
            : asked;
    }

    private static List<ContentPart> PartsOf(InboundMessage message)
    {
        var parts = new List<ContentPart>();
        if (message.Text.Length > 0) parts.Add(new InputTextPart(message.Text));
        foreach (var file in message.Attachments ?? [])
        {
            var isImage = file.MimeType.StartsWith("image/", StringComparison.OrdinalIgnoreCase);
            var url = file.Location is { } location && Uri.TryCreate(location, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" ? file.Location : null;
            var data = file.Content is { Length: > 0 } bytes ? $"data:{file.MimeType};base64,{Convert.ToBase64String(bytes)}" : null;
            if (data is null && url is null) parts.Add(new InputTextPart($"[file {file.FileName ?? file.MimeType}: not readable here]"));
            else if (isImage) parts.Add(new InputImagePart(data ?? url));
            else parts.Add(new InputFilePart(file.FileName ?? "file", data, data is null ? url : null));
        }

        if (parts.Count == 0) parts.Add(new InputTextPart($"({message.Type})"));
        return parts;
    }
}

/// <summary>The pieces of a <c>data:</c> URL.</summary>
internal readonly record struct DataUrl(string MimeType, string Base64)
{
    /// <summary>Reads <c>data:TYPE;base64,DATA</c>; a bare base64 text is of no known type. Null when it is some other URL.</summary>
    public static DataUrl? Parse(string? text, string fallbackType = "application/octet-stream")
    {
        if (string.IsNullOrEmpty(text)) return null;
        if (!text.StartsWith("data:", StringComparison.OrdinalIgnoreCase))
            return text.Contains("://", StringComparison.Ordinal) ? null : new DataUrl(fallbackType, text);
        var comma = text.IndexOf(',', StringComparison.Ordinal);
        if (comma < 0 || !text.AsSpan(0, comma).Contains(";base64", StringComparison.OrdinalIgnoreCase)) return null;
        var type = text["data:".Length..comma].Split(';')[0];
        return new DataUrl(type.Length > 0 ? type : fallbackType, text[(comma + 1)..]);
    }
}
