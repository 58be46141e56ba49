using System.Text.Json;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Agents.Responses;

/// <summary>Writes <c>CreateResponseBody</c>. Only what was asked for is written: every field more is one that some server refuses.</summary>
internal sealed class ResponsesBody(Utf8JsonWriter json, Conversation conversation, bool openClaw)
{
    private ResponseRequest Request => conversation.Request;

    public void Write()
    {
        json.WriteStartObject();
        json.WriteString("model", conversation.Model);
        json.WriteBoolean("stream", true);
        // The host keeps its own responses; the provider has no reason to.
        if (!openClaw) json.WriteBoolean("store", false);
        if (!openClaw && Request.IncludeSealedReasoning)
        {
            json.WriteStartArray("include");
            json.WriteStringValue("reasoning.encrypted_content");
            json.WriteEndArray();
        }

        if (conversation.Instructions is { } instructions) json.WriteString("instructions", instructions);
        json.WriteStartArray("input");
        foreach (var item in conversation.Items) Item(item);
        json.WriteEndArray();
        Tools();
        Sampling();
        Rest();
        json.WriteEndObject();
    }

    private void Item(ResponseItem item)
    {
        switch (item)
        {
            case MessageItem message:
                json.WriteStartObject();
                json.WriteString("type", "message");
                json.WriteString("role", message.Role);
                if (message.Phase is { } phase && message.Role == "assistant") json.WriteString("phase", phase);
                json.WriteStartArray("content");
                foreach (var part in message.Content) Part(part, message.Role);
                json.WriteEndArray();
                json.WriteEndObject();
                break;
            case FunctionCallItem call:
                json.WriteStartObject();
                json.WriteString("type", "function_call");
                json.WriteString("call_id", call.CallId);
                json.WriteString("name", call.Name);
                json.WriteString("arguments", call.Arguments);
                if (!openClaw && call.Extra is { ValueKind: JsonValueKind.Object } extra)
                {
                    foreach (var member in extra.EnumerateObject()) member.WriteTo(json);
                }

                json.WriteEndObject();
                break;
            case FunctionCallOutputItem output:
                json.WriteStartObject();
                json.WriteString("type", "function_call_output");
                json.WriteString("call_id", output.CallId);
                if (output.Text is not null || openClaw) json.WriteString("output", output.Text ?? Plain.Text(output.Parts));
                else
                {
                    json.WriteStartArray("output");
                    foreach (var part in output.Parts ?? []) Part(part, "user");
                    json.WriteEndArray();
                }

                json.WriteEndObject();
                break;
            // Reasoning without the provider's own sealed form is of no use to it, and by id only it isn't there: nothing is stored.
            case ReasoningItem { EncryptedContent: { } sealedContent } reasoning when !openClaw:
                json.WriteStartObject();
                json.WriteString("type", "reasoning");
                json.WriteStartArray("summary");
                foreach (var part in reasoning.Summary) Part(part, "assistant");
                json.WriteEndArray();
                json.WriteString("encrypted_content", sealedContent);
                json.WriteEndObject();
                break;
            case CompactionItem compaction when !openClaw:
                json.WriteStartObject();
                json.WriteString("type", "compaction");
                json.WriteString("encrypted_content", compaction.EncryptedContent);
                json.WriteEndObject();
                break;
        }
    }

    private void Part(ContentPart part, string role)
    {
        switch (part)
        {
            case InputTextPart or TextPart or ReasoningTextPart or OutputTextPart when role != "assistant":
            case OutputTextPart or InputTextPart or TextPart:
                json.WriteStartObject();
                json.WriteString("type", role == "assistant" ? "output_text" : "input_text");
                json.WriteString("text", Plain.Text(part));
                if (role == "assistant" && !openClaw)
                {
                    json.WriteStartArray("annotations");
                    json.WriteEndArray();
                }

                json.WriteEndObject();
                break;
            case SummaryTextPart summary:
                json.WriteStartObject();
                json.WriteString("type", "summary_text");
                json.WriteString("text", summary.Text);
                json.WriteEndObject();
                break;
            case RefusalPart refusal:
                json.WriteStartObject();
                json.WriteString("type", openClaw ? "output_text" : "refusal");
                json.WriteString(openClaw ? "text" : "refusal", refusal.Refusal);
                json.WriteEndObject();
                break;
            case InputImagePart { ImageUrl: { } url } image:
                if (openClaw) Source("input_image", url, "image/png", null);
                else
                {
                    json.WriteStartObject();
                    json.WriteString("type", "input_image");
                    json.WriteString("image_url", url);
                    if (image.Detail is { } detail) json.WriteString("detail", detail);
                    json.WriteEndObject();
                }

                break;
            case InputFilePart file:
                if (openClaw) Source("input_file", file.FileData ?? file.FileUrl, "application/octet-stream", file.FileName);
                else
                {
                    json.WriteStartObject();
                    json.WriteString("type", "input_file");
                    if (file.FileName is { } name) json.WriteString("filename", name);
                    if (file.FileData is { } data) json.WriteString("file_data", data);
                    if (file.FileUrl is { } fileUrl) json.WriteString("file_url", fileUrl);
                    json.WriteEndObject();
                }

                break;
            case InputVideoPart video when !openClaw:
                json.WriteStartObject();
                json.WriteString("type", "input_video");
                json.WriteString("video_url", video.VideoUrl);
                json.WriteEndObject();
                break;
        }
    }

    /// <summary>OpenClaw's shape of images and files.</summary>
    private void Source(string type, string? content, string fallbackType, string? fileName)
    {
        if (content is null) return;
        json.WriteStartObject();
        json.WriteString("type", type);
        json.WriteStartObject("source");
        if (DataUrl.Parse(content, fallbackType) is { } data)
        {
            json.WriteString("type", "base64");
            json.WriteString("media_type", data.MimeType);
            json.WriteString("data", data.Base64);
            if (fileName is not null) json.WriteString("filename", fileName);
        }
        else
        {
            json.WriteString("type", "url");
            json.WriteString("url", content);
        }

        json.WriteEndObject();
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
            FunctionBody.Write(json, tool);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        var choice = Request.ToolChoice;
        if (choice.Function is { } function)
        {
            json.WriteStartObject("tool_choice");
            json.WriteString("type", "function");
            json.WriteString("name", function);
            json.WriteEndObject();
        }
        else if (choice.Mode != "auto")
        {
            json.WriteString("tool_choice", choice.Mode);
        }

        if (!openClaw && Request.ParallelToolCalls is { } parallel) json.WriteBoolean("parallel_tool_calls", parallel);
        if (Request.MaxToolCalls is { } most) json.WriteNumber("max_tool_calls", most);
    }

    private void Sampling()
    {
        if (Request.Temperature is { } temperature) json.WriteNumber("temperature", temperature);
        if (Request.TopP is { } topP) json.WriteNumber("top_p", topP);
        if (Request.MaxOutputTokens is { } most) json.WriteNumber("max_output_tokens", most);
        if (Request.ReasoningEffort is not null || Request.ReasoningSummary is not null)
        {
            json.WriteStartObject("reasoning");
            if (Request.ReasoningEffort is { } effort && (!openClaw || effort is "low" or "medium" or "high")) json.WriteString("effort", effort);
            if (Request.ReasoningSummary is { } summary) json.WriteString("summary", summary);
            json.WriteEndObject();
        }

        if (openClaw) return;
        if (Request.PresencePenalty is { } presence and not 0) json.WriteNumber("presence_penalty", presence);
        if (Request.FrequencyPenalty is { } frequency and not 0) json.WriteNumber("frequency_penalty", frequency);
        if (Request.Text is { ValueKind: JsonValueKind.Object } text)
        {
            json.WritePropertyName("text");
            text.WriteTo(json);
        }
    }

    private void Rest()
    {
        if (Request.Truncation is { } truncation) json.WriteString("truncation", truncation);
        if (Request.User is { } user) json.WriteString("user", user);
        if (openClaw) return;
        if (Request.ServiceTier is { } tier) json.WriteString("service_tier", tier);
        if (Request.SafetyIdentifier is { } safety) json.WriteString("safety_identifier", safety);
        if (Request.PromptCacheKey is { } cache) json.WriteString("prompt_cache_key", cache);
    }
}

/// <summary>Content as text, where something takes no more.</summary>
internal static class Plain
{
    public static string Text(IEnumerable<ContentPart>? parts) => string.Join('\n', (parts ?? []).Select(Text).Where(text => text.Length > 0));

    public static string Text(ContentPart part) => part switch
    {
        InputTextPart text => text.Text,
        OutputTextPart text => text.Text,
        TextPart text => text.Text,
        ReasoningTextPart text => text.Text,
        SummaryTextPart text => text.Text,
        RefusalPart refusal => refusal.Refusal,
        InputImagePart => "[image]",
        InputFilePart file => $"[file {file.FileName ?? "without a name"}]",
        InputVideoPart => "[video]",
        _ => "",
    };
}
