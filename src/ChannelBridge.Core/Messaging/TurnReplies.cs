using System.Diagnostics;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Core.Messaging;

/// <summary>Makes a turn's replies ready for the outbox.</summary>
internal sealed class TurnReplies(Outbox outbox, TurnFiles? files)
{
    /// <summary>The ordinal of the notice that a message was given up: one that no agent's reply has, so that what came before the failure keeps its own.</summary>
    public const int FailureNotice = int.MaxValue;

    /// <summary>The ordinal of the notice that the answer is delayed.</summary>
    public const int DelayNotice = int.MaxValue - 1;

    /// <summary>Texts by which an agent says that it has nothing to say; they are not delivered.</summary>
    public static bool IsSilent(string text) => text.AsSpan().Trim() is "NO_REPLY" or "HEARTBEAT_OK";

    /// <summary>Prepares a reply, and sees to it that its file is kept as long as the reply is.</summary>
    public async ValueTask<PreparedReply> PrepareAsync(TurnLane lane, TurnItem item, AgentReply reply, int ordinal, Activity? activity)
    {
        var prepared = Prepare(lane.Claim, item, reply, ordinal, activity);
        if (files is null || reply.Attachment is null) return prepared;
        try
        {
            await files.KeepAsync(prepared.Message, prepared.Append.Id).ConfigureAwait(false);
            return prepared;
        }
        catch
        {
            prepared.Dispose();
            throw;
        }
    }

    public PreparedReply Prepare(long claim, TurnItem item, AgentReply reply, int ordinal, Activity? activity)
    {
        var inbound = item.Message;
        var message = new OutboundMessage
        {
            Channel = inbound.Channel,
            AccountId = inbound.AccountId,
            SessionKey = inbound.SessionKey,
            Route = inbound.Route,
            Text = reply.Text,
            Kind = reply.Kind,
            ReplyToId = inbound.MessageId,
            Attachment = reply.Attachment,
            Type = reply.Attachment is not { } file ? "text" : file.IsVoice ? "voice" : AttachmentType(file.MimeType),
            TraceParent = activity?.Id ?? inbound.TraceParent,
            StreamId = inbound.Stream ? MessageIds.ForReply(inbound.Channel, inbound.AccountId, item.Id, ordinal).ToString("D") : null,
        };
        return outbox.Prepare(message, MessageIds.ReplyKey(item.Id, ordinal), item.Id, claim);
    }

    /// <summary>Tells that a prepared reply is durable.</summary>
    public void Committed(PreparedReply reply) => outbox.Committed(reply.Append, reply.Message);

    /// <summary>The word for a file's kind.</summary>
    public static string AttachmentType(string mimeType) => mimeType.Split('/')[0] switch
    {
        "image" => "image",
        "video" => "video",
        "audio" => "audio",
        _ => "file",
    };
}
