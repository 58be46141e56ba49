using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Channels.Bncr.Routing;

namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>More of an answer that grows.</summary>
internal readonly record struct PartialItem(Guid StreamId, AgentTurn Turn, BncrRoute Route, int Offset, bool Replace, string Text, bool Aborted, long At);

/// <summary>
/// Writes the partial event: <c>{type:"message.partial", streamId, sessionKey, replyToId?, attempt, message{platform, groupId, userId}, offset, delta, replace?,
/// aborted?, ts}</c>.
/// </summary>
internal static class PartialRenderer
{
    private static readonly JsonWriterOptions Options = new() { SkipValidation = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Render(IBufferWriter<byte> output, PartialItem item)
    {
        var message = item.Turn.Message;
        using var json = new Utf8JsonWriter(output, Options);
        json.WriteStartObject();
        json.WriteString("type"u8, "message.partial"u8);
        json.WriteString("streamId"u8, item.StreamId);
        json.WriteString("sessionKey"u8, message.SessionKey);
        if (!string.IsNullOrEmpty(message.MessageId)) json.WriteString("replyToId"u8, message.MessageId);
        json.WriteNumber("attempt"u8, item.Turn.Attempt);
        json.WriteStartObject("message"u8);
        json.WriteString("platform"u8, item.Route.Platform);
        json.WriteString("groupId"u8, item.Route.GroupId);
        json.WriteString("userId"u8, item.Route.UserId);
        json.WriteEndObject();
        json.WriteNumber("offset"u8, item.Offset);
        json.WriteString("delta"u8, item.Text);
        if (item.Replace) json.WriteBoolean("replace"u8, true);
        if (item.Aborted) json.WriteBoolean("aborted"u8, true);
        json.WriteNumber("ts"u8, item.At);
        json.WriteEndObject();
    }
}
