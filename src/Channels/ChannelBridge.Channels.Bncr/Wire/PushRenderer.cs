using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Channels.Bncr.Routing;

namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>
/// Writes the push event: <c>{type:"message.outbound", messageId, idempotencyKey, sessionKey, replyToId?, streamId?, message{platform, groupId, userId, type, kind?,
/// msg, path, base64, fileName, mimeType?, transferMode?}, seq, skipped?[{from, to, reason}], cursor, traceparent?, ts}</c>.
/// </summary>
internal static class PushRenderer
{
    private static readonly JsonWriterOptions Options = new() { SkipValidation = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <param name="output">Where to.</param>
    /// <param name="item">The message.</param>
    /// <param name="storeId">The store, for the cursor.</param>
    /// <param name="clientPath">Where the client has put the file that was sent before, or null.</param>
    /// <param name="inline">The file's bytes, when they go inside the message; null: those of the message itself, if any.</param>
    public static void Render(IBufferWriter<byte> output, PushItem item, Guid storeId, string? clientPath = null, byte[]? inline = null)
    {
        var message = item.Message;
        if (!BncrRoute.TryParseScope(message.Route, out var route))
        {
            throw new BridgeException(ErrorCodes.Internal, $"message {item.Id} has no bncr route");
        }

        using var json = new Utf8JsonWriter(output, Options);
        json.WriteStartObject();
        json.WriteString("type"u8, "message.outbound"u8);
        json.WriteString("messageId"u8, item.Id);
        json.WriteString("idempotencyKey"u8, item.Id);
        json.WriteString("sessionKey"u8, message.SessionKey);
        if (!string.IsNullOrEmpty(message.ReplyToId)) json.WriteString("replyToId"u8, message.ReplyToId);
        if (message.StreamId is { } streamId) json.WriteString("streamId"u8, streamId);

        json.WriteStartObject("message"u8);
        json.WriteString("platform"u8, route.Platform);
        json.WriteString("groupId"u8, route.GroupId);
        json.WriteString("userId"u8, route.UserId);
        json.WriteString("type"u8, TypeOf(message));
        if (message.Kind is "tool" or "block" or "final") json.WriteString("kind"u8, message.Kind);
        json.WriteString("msg"u8, message.Text);
        WriteAttachment(json, message.Attachment, clientPath, inline);
        json.WriteEndObject();

        json.WriteNumber("seq"u8, item.Seq);
        if (item.Skipped.Count > 0) WriteSkipped(json, item.Skipped);
        Span<byte> cursor = stackalloc byte[PushCursor.MaxLength];
        json.WriteString("cursor"u8, cursor[..PushCursor.Of(item, storeId).Write(cursor)]);
        if (!string.IsNullOrEmpty(message.TraceParent)) json.WriteString("traceparent"u8, message.TraceParent);
        json.WriteNumber("ts"u8, item.CreatedAt);
        json.WriteEndObject();
    }

    /// <summary>The numbers before this one whose messages don't come: a hole in <c>seq</c> that this explains.</summary>
    private static void WriteSkipped(Utf8JsonWriter json, IReadOnlyList<SkippedMessages> skipped)
    {
        json.WriteStartArray("skipped"u8);
        foreach (var range in skipped)
        {
            json.WriteStartObject();
            json.WriteNumber("from"u8, range.From);
            json.WriteNumber("to"u8, range.To);
            json.WriteString("reason"u8, range.State == DeliveryState.Expired ? "expired"u8 : "dead"u8);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>
    /// The file's fields. <c>path</c> is for the client: a URL that it may load, never a path on the agent's machine. Bytes go inline in <c>base64</c>
    /// with <c>transferMode:"base64"</c>.
    /// </summary>
    private static void WriteAttachment(Utf8JsonWriter json, Attachment? file, string? clientPath, byte[]? inline)
    {
        if (clientPath is not null)
        {
            json.WriteString("path"u8, clientPath);
            json.WriteString("base64"u8, ""u8);
            json.WriteString("fileName"u8, file!.FileName ?? "");
            json.WriteString("mimeType"u8, file.MimeType);
            json.WriteString("transferMode"u8, "chunk"u8);
            return;
        }

        inline ??= file?.Content;
        var isUrl = file?.Location is { } location
            && (location.StartsWith("https://", StringComparison.OrdinalIgnoreCase) || location.StartsWith("http://", StringComparison.OrdinalIgnoreCase));
        json.WriteString("path"u8, isUrl ? file!.Location : "");
        if (inline is { Length: > 0 } bytes) json.WriteBase64String("base64"u8, bytes);
        else json.WriteString("base64"u8, ""u8);
        json.WriteString("fileName"u8, file?.FileName ?? "");
        if (file is null) return;
        json.WriteString("mimeType"u8, file.MimeType);
        if (inline is { Length: > 0 }) json.WriteString("transferMode"u8, "base64"u8);
    }

    private static string TypeOf(OutboundMessage message)
    {
        if (message.Type is not "text" || message.Attachment is not { } file) return message.Type;
        var mime = file.MimeType;
        if (mime.StartsWith("image/", StringComparison.OrdinalIgnoreCase)) return "image";
        if (mime.StartsWith("video/", StringComparison.OrdinalIgnoreCase)) return "video";
        return mime.StartsWith("audio/", StringComparison.OrdinalIgnoreCase) ? "audio" : "file";
    }
}
