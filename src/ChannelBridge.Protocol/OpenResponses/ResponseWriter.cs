using System.Text.Json;

namespace ChannelBridge.Protocol.OpenResponses;

/// <summary>
/// Writes items, parts and snapshots by hand: what is required but may be null is written as null, what is optional is left out, which one setting of a
/// serializer can't do.
/// </summary>
public static class ResponseWriter
{
    /// <summary>The member of a call that a provider wants back as it was; some clients give it back themselves.</summary>
    internal const string ExtraContent = "extra_content";

    /// <summary>The member of kept items for what no client is shown.</summary>
    internal const string KeptExtra = "channelbridge:extra";

    /// <summary>Writes the snapshot of a response, the 31 members of the spec and what OpenAI's types ask for besides.</summary>
    public static void WriteResponse(Utf8JsonWriter writer, ResponseState response)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(response);
        var request = response.Request;
        writer.WriteStartObject();
        writer.WriteString("id"u8, response.Id);
        writer.WriteString("object"u8, "response"u8);
        writer.WriteNumber("created_at"u8, response.CreatedAt);
        if (response.CompletedAt is { } completed) writer.WriteNumber("completed_at"u8, completed);
        else writer.WriteNull("completed_at"u8);
        writer.WriteString("status"u8, response.Status);
        WriteOutcome(writer, response);
        writer.WriteString("model"u8, response.Model);
        writer.WriteString("previous_response_id"u8, request.PreviousResponseId);
        writer.WriteString("instructions"u8, request.Instructions);
        writer.WriteStartArray("output"u8);
        foreach (var item in response.Output) WriteItem(writer, item);
        writer.WriteEndArray();
        RequestWriter.WriteSettings(writer, request);
        WriteUsage(writer, response.Usage);
        // Not a member of the spec; OpenAI's types require it.
        writer.WriteNull("access_programs"u8);
        writer.WriteEndObject();
    }

    /// <summary>Writes one item.</summary>
    public static void WriteItem(Utf8JsonWriter writer, ResponseItem item) => Write(writer, item, kept: false);

    /// <summary>Writes one item with what clients aren't shown, for this side to read again.</summary>
    public static void WriteKept(Utf8JsonWriter writer, ResponseItem item) => Write(writer, item, kept: true);

    private static void Write(Utf8JsonWriter writer, ResponseItem item, bool kept)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStartObject();
        switch (item)
        {
            case MessageItem message:
                Begin(writer, "message"u8, item);
                writer.WriteString("role"u8, message.Role);
                if (message.Phase is { } phase) writer.WriteString("phase"u8, phase);
                WriteParts(writer, "content"u8, message.Content);
                break;
            case FunctionCallItem call:
                Begin(writer, call.IsCustom ? "custom_tool_call"u8 : "function_call"u8, item);
                writer.WriteString("call_id"u8, call.CallId);
                writer.WriteString("name"u8, call.Name);
                if (call.Namespace is { } space) writer.WriteString("namespace"u8, space);
                writer.WriteString(call.IsCustom ? "input"u8 : "arguments"u8, call.Arguments);
                WriteExtra(writer, call.Extra, kept);
                break;
            case FunctionCallOutputItem output:
                Begin(writer, output.IsCustom ? "custom_tool_call_output"u8 : "function_call_output"u8, item);
                writer.WriteString("call_id"u8, output.CallId);
                if (output.Parts is { } parts) WriteParts(writer, "output"u8, parts);
                else writer.WriteString("output"u8, output.Text ?? "");
                break;
            case ReasoningItem reasoning:
                Begin(writer, "reasoning"u8, item);
                WriteParts(writer, "summary"u8, reasoning.Summary);
                if (reasoning.Content is { } content) WriteParts(writer, "content"u8, content);
                if (reasoning.EncryptedContent is { } hidden) writer.WriteString("encrypted_content"u8, hidden);
                if (kept) WriteExtra(writer, reasoning.Extra, kept);
                break;
            case CompactionItem compaction:
                Begin(writer, "compaction"u8, item);
                writer.WriteString("encrypted_content"u8, compaction.EncryptedContent);
                break;
            case ItemReference:
                Begin(writer, "item_reference"u8, item);
                break;
            default:
                throw new ArgumentException($"an item of type {item?.GetType().Name} can't be written", nameof(item));
        }

        writer.WriteEndObject();
    }

    /// <summary>Writes one part.</summary>
    public static void WritePart(Utf8JsonWriter writer, ContentPart part)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStartObject();
        switch (part)
        {
            case OutputTextPart text:
                writer.WriteString("type"u8, "output_text"u8);
                writer.WriteString("text"u8, text.Text);
                writer.WriteStartArray("annotations"u8);
                foreach (var annotation in text.Annotations) annotation.WriteTo(writer);
                writer.WriteEndArray();
                break;
            case InputTextPart text:
                writer.WriteString("type"u8, "input_text"u8);
                writer.WriteString("text"u8, text.Text);
                break;
            case InputImagePart image:
                writer.WriteString("type"u8, "input_image"u8);
                writer.WriteString("image_url"u8, image.ImageUrl);
                writer.WriteString("detail"u8, image.Detail ?? "auto");
                break;
            case InputFilePart file:
                writer.WriteString("type"u8, "input_file"u8);
                if (file.FileName is { } name) writer.WriteString("filename"u8, name);
                if (file.FileData is { } data) writer.WriteString("file_data"u8, data);
                if (file.FileUrl is { } url) writer.WriteString("file_url"u8, url);
                break;
            case InputVideoPart video:
                writer.WriteString("type"u8, "input_video"u8);
                writer.WriteString("video_url"u8, video.VideoUrl);
                break;
            case RefusalPart refusal:
                writer.WriteString("type"u8, "refusal"u8);
                writer.WriteString("refusal"u8, refusal.Refusal);
                break;
            case ReasoningTextPart text:
                writer.WriteString("type"u8, "reasoning_text"u8);
                writer.WriteString("text"u8, text.Text);
                break;
            case SummaryTextPart text:
                writer.WriteString("type"u8, "summary_text"u8);
                writer.WriteString("text"u8, text.Text);
                break;
            case TextPart text:
                writer.WriteString("type"u8, "text"u8);
                writer.WriteString("text"u8, text.Text);
                break;
            default:
                throw new ArgumentException($"a part of type {part?.GetType().Name} can't be written", nameof(part));
        }

        writer.WriteEndObject();
    }

    /// <summary>Writes <c>usage</c>, null when it isn't known.</summary>
    public static void WriteUsage(Utf8JsonWriter writer, ResponseUsage? usage)
    {
        ArgumentNullException.ThrowIfNull(writer);
        if (usage is null)
        {
            writer.WriteNull("usage"u8);
            return;
        }

        writer.WriteStartObject("usage"u8);
        writer.WriteNumber("input_tokens"u8, usage.InputTokens);
        writer.WriteStartObject("input_tokens_details"u8);
        writer.WriteNumber("cached_tokens"u8, usage.CachedTokens);
        // OpenAI's types require it; no provider's count of it reaches us.
        writer.WriteNumber("cache_write_tokens"u8, 0);
        writer.WriteEndObject();
        writer.WriteNumber("output_tokens"u8, usage.OutputTokens);
        writer.WriteStartObject("output_tokens_details"u8);
        writer.WriteNumber("reasoning_tokens"u8, usage.ReasoningTokens);
        writer.WriteEndObject();
        writer.WriteNumber("total_tokens"u8, usage.InputTokens + usage.OutputTokens);
        writer.WriteEndObject();
    }

    private static void WriteExtra(Utf8JsonWriter writer, JsonElement? extra, bool kept)
    {
        if (extra is not { ValueKind: JsonValueKind.Object } members) return;
        if (kept)
        {
            writer.WritePropertyName(KeptExtra);
            members.WriteTo(writer);
        }
        else if (members.TryGetProperty(ExtraContent, out var content))
        {
            writer.WritePropertyName(ExtraContent);
            content.WriteTo(writer);
        }
    }

    private static void Begin(Utf8JsonWriter writer, ReadOnlySpan<byte> type, ResponseItem item)
    {
        writer.WriteString("type"u8, type);
        if (item.Id is { } id) writer.WriteString("id"u8, id);
        if (item.Status is { } status) writer.WriteString("status"u8, status);
    }

    private static void WriteParts(Utf8JsonWriter writer, ReadOnlySpan<byte> name, IReadOnlyList<ContentPart> parts)
    {
        writer.WriteStartArray(name);
        foreach (var part in parts) WritePart(writer, part);
        writer.WriteEndArray();
    }

    private static void WriteOutcome(Utf8JsonWriter writer, ResponseState response)
    {
        if (response.IncompleteReason is { } reason)
        {
            writer.WriteStartObject("incomplete_details"u8);
            writer.WriteString("reason"u8, reason);
            writer.WriteEndObject();
        }
        else
        {
            writer.WriteNull("incomplete_details"u8);
        }

        if (response.Error is not { } error)
        {
            writer.WriteNull("error"u8);
            return;
        }

        writer.WriteStartObject("error"u8);
        writer.WriteString("code"u8, error.Code);
        writer.WriteString("message"u8, error.Message);
        writer.WriteEndObject();
    }
}
