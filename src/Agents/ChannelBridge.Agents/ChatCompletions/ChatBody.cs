using System.Text.Json;
using ChannelBridge.Agents.Responses;
using ChannelBridge.Agents.Streams;
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
        // All of it first and in one: templates of several models refuse a second one.
        var system = conversation.Items.OfType<MessageItem>().Where(item => item.Role is "system" or "developer").Select(
            item => Plain.Text(item.Content));
        if (string.Join("\n\n", system.Prepend(conversation.Instructions ?? "").Where(text => text.Length > 0)) is { Length: > 0 } told)
            Message("system", told);
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
                case MessageItem { Role: "assistant" } or FunctionCallItem or ReasoningItem:
                    i = Assistant(i);
                    break;
                case MessageItem { Role: "system" or "developer" }:
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

    /// <summary>
    /// One message of the assistant with the calls that follow it: apart from each other the protocol doesn't allow them. Reasoning goes
    /// back with calls, where thinking models demand it; without them nobody wants it.
    /// </summary>
    /// <returns>The index of the last item that was taken.</returns>
    private int Assistant(int next)
    {
        var items = conversation.Items;
        MessageItem? message = null;
        var calls = new List<FunctionCallItem>();
        var thoughts = new List<ReasoningItem>();
        for (; next < items.Count; next++)
        {
            if (items[next] is ReasoningItem thought && (calls.Count == 0 || !thoughts.Exists(IsRaw))) thoughts.Add(thought);
            else if (items[next] is FunctionCallItem call) calls.Add(call);
            else if (items[next] is MessageItem { Role: "assistant" } said && message is null && calls.Count == 0) message = said;
            else if (items[next] is not ReasoningItem) break;
        }

        if (message is null && calls.Count == 0) return next - 1;
        json.WriteStartObject();
        json.WriteString("role", "assistant");
        var refusal = message?.Content.OfType<RefusalPart>().FirstOrDefault();
        var text = message is null ? "" : Plain.Text(message.Content.Where(part => part is not RefusalPart));
        if (text.Length > 0 || message is not null) json.WriteString("content", text.Length > 0 ? text : refusal?.Refusal ?? "");
        else json.WriteNull("content");
        if (calls.Count > 0)
        {
            Thoughts(thoughts);
            json.WriteStartArray("tool_calls");
            foreach (var call in calls) Call(call);
            json.WriteEndArray();
        }

        json.WriteEndObject();
        return next - 1;
    }

    private static bool IsRaw(ReasoningItem item) => item.Content is { Count: > 0 } || item.Extra is not null;

    private void Thoughts(List<ReasoningItem> thoughts)
    {
        var text = string.Concat(thoughts.SelectMany(item => item.Content ?? []).Select(Plain.Text));
        var extra = thoughts.Find(item => item.Extra is not null)?.Extra ?? default;
        // By the name by which it came; without one, by the one that the servers know that demand it.
        if (text.Length > 0)
            json.WriteString(extra.Text(ReasoningExtra.FieldMember) is "reasoning" ? "reasoning" : "reasoning_content", text);
        if (extra.Member(ReasoningExtra.DetailsMember) is not { ValueKind: JsonValueKind.Array } details) return;
        json.WritePropertyName(ReasoningExtra.DetailsMember);
        details.WriteTo(json);
    }

    private void Call(FunctionCallItem call)
    {
        json.WriteStartObject();
        json.WriteString("id", call.CallId);
        json.WriteString("type", "function");
        json.WriteStartObject("function");
        json.WriteString("name", call.Name);
        json.WriteString("arguments", call.Arguments);
        json.WriteEndObject();
        if (call.Extra is { ValueKind: JsonValueKind.Object } extra)
        {
            foreach (var member in extra.EnumerateObject()) member.WriteTo(json);
        }

        json.WriteEndObject();
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
