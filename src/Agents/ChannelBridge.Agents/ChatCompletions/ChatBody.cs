using System.Text.Json;
using ChannelBridge.Agents.Responses;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Agents.ChatCompletions;

/// <summary>Writes a chat completion request: items become messages, and what that older protocol has no place for becomes text or goes.</summary>
internal sealed class ChatBody(Utf8JsonWriter json, Conversation conversation, bool newLimit)
{
    private ResponseRequest Request => conversation.Request;

    public void Write()
    {
        json.WriteStartObject();
        json.WriteString("model", conversation.Model);
        json.WriteBoolean("stream", true);
        json.WriteStartObject("stream_options");
        json.WriteBoolean("include_usage", true);
        json.WriteEndObject();
        json.WriteStartArray("messages");
        if (conversation.Instructions is { } instructions) Message("system", instructions);
        Messages();
        json.WriteEndArray();
        Tools();
        Sampling();
        json.WriteEndObject();
    }

    private void Messages()
    {
        var items = conversation.Items;
        for (var i = 0; i < items.Count; i++)
        {
            switch (items[i])
            {
                case MessageItem { Role: "assistant" } message:
                    i = Assistant(message, i + 1);
                    break;
                case FunctionCallItem:
                    i = Assistant(null, i);
                    break;
                // Servers other than OpenAI's don't know the developer.
                case MessageItem { Role: "system" or "developer" } message:
                    Message("system", Plain.Text(message.Content));
                    break;
                case MessageItem message:
                    User(message.Content);
                    break;
                case FunctionCallOutputItem:
                    i = Results(i);
                    break;
            }
        }
    }

    /// <summary>One message of the assistant with the calls that follow it: apart from each other the protocol doesn't allow them.</summary>
    /// <returns>The index of the last item that was taken.</returns>
    private int Assistant(MessageItem? message, int next)
    {
        var items = conversation.Items;
        json.WriteStartObject();
        json.WriteString("role", "assistant");
        var refusal = message?.Content.OfType<RefusalPart>().FirstOrDefault();
        var text = message is null ? "" : Plain.Text(message.Content.Where(part => part is not RefusalPart));
        if (text.Length > 0 || message is not null) json.WriteString("content", text.Length > 0 ? text : refusal?.Refusal ?? "");
        else json.WriteNull("content");
        var calls = false;
        while (next < items.Count && items[next] is FunctionCallItem or ReasoningItem)
        {
            if (items[next++] is not FunctionCallItem call) continue;
            if (!calls) json.WriteStartArray("tool_calls");
            calls = true;
            json.WriteStartObject();
            json.WriteString("id", call.CallId);
            json.WriteString("type", "function");
            json.WriteStartObject("function");
            json.WriteString("name", call.Name);
            json.WriteString("arguments", call.Arguments);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        if (calls) json.WriteEndArray();
        json.WriteEndObject();
        return next - 1;
    }

    /// <summary>
    /// Results of calls that stand together. A tool's message holds text only, so images and files of the results follow as a message of the user, after the
    /// last of them: between them no other message is allowed.
    /// </summary>
    private int Results(int next)
    {
        var items = conversation.Items;
        var media = new List<ContentPart>();
        for (; next < items.Count && items[next] is FunctionCallOutputItem output; next++)
        {
            json.WriteStartObject();
            json.WriteString("role", "tool");
            json.WriteString("tool_call_id", output.CallId);
            json.WriteString("content", output.Text ?? Plain.Text(output.Parts));
            json.WriteEndObject();
            if (output.Parts is { } parts) media.AddRange(parts.Where(part => part is InputImagePart or InputFilePart));
        }

        if (media.Count > 0) User(media);
        return next - 1;
    }

    private void Message(string role, string text)
    {
        json.WriteStartObject();
        json.WriteString("role", role);
        json.WriteString("content", text);
        json.WriteEndObject();
    }

    private void User(IReadOnlyList<ContentPart> parts)
    {
        // A plain text as a plain string: some servers take nothing else.
        if (!parts.Any(part => part is InputImagePart or InputFilePart))
        {
            Message("user", Plain.Text(parts));
            return;
        }

        json.WriteStartObject();
        json.WriteString("role", "user");
        json.WriteStartArray("content");
        foreach (var part in parts) Part(part);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private void Part(ContentPart part)
    {
        json.WriteStartObject();
        switch (part)
        {
            case InputImagePart { ImageUrl: { } url } image:
                json.WriteString("type", "image_url");
                json.WriteStartObject("image_url");
                json.WriteString("url", url);
                if (image.Detail is { } detail) json.WriteString("detail", detail);
                json.WriteEndObject();
                break;
            case InputFilePart { FileData: { } data } file:
                json.WriteString("type", "file");
                json.WriteStartObject("file");
                json.WriteString("filename", file.FileName ?? "file");
                json.WriteString("file_data", data.StartsWith("data:", StringComparison.OrdinalIgnoreCase) ? data : $"data:application/octet-stream;base64,{data}");
                json.WriteEndObject();
                break;
            case InputFilePart { FileUrl: { } fileUrl } file:
                // The protocol has no files by address.
                json.WriteString("type", "text");
                json.WriteString("text", $"[file {file.FileName ?? "without a name"}: {fileUrl}]");
                break;
            default:
                json.WriteString("type", "text");
                json.WriteString("text", Plain.Text(part));
                break;
        }

        json.WriteEndObject();
    }

    private void Tools()
    {
        var tools = conversation.Tools;
        if (tools.Count == 0) return;
        json.WriteStartArray("tools");
        foreach (var tool in tools)
        {
            json.WriteStartObject();
            json.WriteString("type", "function");
            json.WriteStartObject("function");
            FunctionBody.Write(json, tool);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        var choice = Request.ToolChoice;
        if (choice.Function is { } function)
        {
            json.WriteStartObject("tool_choice");
            json.WriteString("type", "function");
            json.WriteStartObject("function");
            json.WriteString("name", function);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        else if (choice.Mode != "auto")
        {
            json.WriteString("tool_choice", choice.Mode);
        }

        if (Request.ParallelToolCalls is { } parallel) json.WriteBoolean("parallel_tool_calls", parallel);
    }

    private void Sampling()
    {
        if (Request.Temperature is { } temperature) json.WriteNumber("temperature", temperature);
        if (Request.TopP is { } topP) json.WriteNumber("top_p", topP);
        if (Request.PresencePenalty is { } presence and not 0) json.WriteNumber("presence_penalty", presence);
        if (Request.FrequencyPenalty is { } frequency and not 0) json.WriteNumber("frequency_penalty", frequency);
        if (Request.MaxOutputTokens is { } most) json.WriteNumber(newLimit ? "max_completion_tokens" : "max_tokens", most);
        if (Request.ReasoningEffort is { } effort) json.WriteString("reasoning_effort", effort);
        if (Request.ServiceTier is { } tier) json.WriteString("service_tier", tier);
        if (Request.User is { } user) json.WriteString("user", user);
        Format();
    }

    /// <summary><c>text.format</c> is <c>response_format</c> here, with the schema one level deeper.</summary>
    private void Format()
    {
        if (Request.Text is not { ValueKind: JsonValueKind.Object } text || !text.TryGetProperty("format", out var format)
            || format.ValueKind != JsonValueKind.Object || !format.TryGetProperty("type", out var type)) return;
        if (type.ValueEquals("json_object"u8))
        {
            json.WriteStartObject("response_format");
            json.WriteString("type", "json_object");
            json.WriteEndObject();
        }
        else if (type.ValueEquals("json_schema"u8))
        {
            json.WriteStartObject("response_format");
            json.WriteString("type", "json_schema");
            json.WriteStartObject("json_schema");
            foreach (var member in format.EnumerateObject())
            {
                if (!member.NameEquals("type"u8)) member.WriteTo(json);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }
    }
}
