using System.Globalization;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.OpenClaw;

/// <summary>
/// Takes what the gateway sends to bridges: replies of turns, follow-ups, answers after a restart, proactive messages. One way for all.
/// </summary>
internal sealed class LinkSends(IOutbox outbox, IStore store, TurnMemory memory, LinkTargets targets, LateReplies late, LinkSession session, LinkMediaDesk files)
{
    /// <summary>Puts a message into the outbox, once per delivery id and part.</summary>
    public async ValueTask<SendResult> SendAsync(EstablishedLink link, SendParameters send, CancellationToken cancellationToken)
    {
        var key = KeyOf(send.DeliveryId, send.Part);
        var (channel, target) = await targets.ResolveAsync(link, send.Channel, send.AccountId, send.To, cancellationToken).ConfigureAwait(false);
        if (IsUnwantedNotice(send, channel, target.AccountId)) return new SendResult("", target.SessionKey, 0, Duplicate: false);
        if (LateReplies.TryParse(send.To, out var turn)) return await EndTurnAsync(turn, send, channel, target, cancellationToken).ConfigureAwait(false);
        var origin = await memory.FindAsync(send.ReplyToId, cancellationToken).ConfigureAwait(false);
        // A reply belongs to the lane of its message: the target may be written in a form that knows no sub-conversation.
        var sessionKey = origin is not null && origin.Route == target.Route ? origin.SessionKey : target.SessionKey;
        var attachments = await TakeFilesAsync(send, channel, target.AccountId, cancellationToken).ConfigureAwait(false);
        var text = WithPlaceholders(send.Text, send.Media);
        if (attachments.Count == 0 && IsSilent(text)) return new SendResult("", sessionKey, 0, Duplicate: false);
        var message = new OutboundMessage
        {
            Channel = channel,
            AccountId = target.AccountId,
            SessionKey = sessionKey,
            Route = target.Route,
            Text = text,
            Kind = send.Kind ?? (send.ReplyToId is null ? null : "final"),
            ReplyToId = origin?.MessageId,
            TraceParent = System.Diagnostics.Activity.Current?.Id,
            StreamId = origin is { Stream: true } ? StreamIdOf(send, target.AccountId) : null,
        };
        var receipt = await SendOneAsync(message, attachments.Count > 0 ? attachments[0] : null, key, cancellationToken).ConfigureAwait(false);
        // A message carries one file; the others follow it.
        for (var i = 1; i < attachments.Count; i++)
            await SendOneAsync(message with { Text = "" }, attachments[i], string.Create(CultureInfo.InvariantCulture, $"{key}/file{i}"), cancellationToken).ConfigureAwait(false);
        session.CountSend(receipt.Duplicate);
        return new SendResult(receipt.Id.ToString("D"), sessionKey, receipt.Seq, receipt.Duplicate);
    }

    /// <summary>The answer of a turn that waits for it: it ends the turn, and goes where the turn's answers go.</summary>
    private async ValueTask<SendResult> EndTurnAsync(Guid turn, SendParameters send, string channel, ChannelTarget target, CancellationToken cancellationToken)
    {
        var attachments = await TakeFilesAsync(send, channel, target.AccountId, cancellationToken).ConfigureAwait(false);
        var part = new LatePart(WithPlaceholders(send.Text, send.Media), attachments);
        var known = await late.TakeAsync(turn, send, part, cancellationToken).ConfigureAwait(false);
        session.CountSend(known);
        return new SendResult(turn.ToString("D"), target.SessionKey, 0, known);
    }

    /// <summary>
    /// The notice with which the gateway's core announces that it resumes an interrupted turn. No agent has written it, and nobody has
    /// asked for it.
    /// </summary>
    private bool IsUnwantedNotice(SendParameters send, string channel, string accountId) =>
        send.Direct
        && send.Text.StartsWith("I'm continuing your interrupted request now", StringComparison.Ordinal)
        && session.Find(channel, accountId) is not { RestartNotice: true };

    private async ValueTask<OutboxReceipt> SendOneAsync(OutboundMessage message, Attachment? file, string key, CancellationToken cancellationToken)
    {
        if (file is not null)
        {
            message = message with { Attachment = file, Type = file.IsVoice ? "voice" : TypeOf(file.MimeType) };
            await files.KeepAsync(file, MessageIds.ForOutbox(message.Channel, message.AccountId, key)).ConfigureAwait(false);
        }

        return await outbox.SendAsync(message, key, cancellationToken: cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask<List<Attachment>> TakeFilesAsync(SendParameters send, string channel, string account, CancellationToken cancellationToken)
    {
        var taken = new List<Attachment>();
        foreach (var media in send.Media ?? [])
        {
            if (await files.FindAsync(channel, account, media, cancellationToken).ConfigureAwait(false) is not { } file) continue;
            taken.Add(file with { IsVoice = media.Voice });
        }

        return taken;
    }

    private static string TypeOf(string mimeType) => mimeType.Split('/')[0] switch
    {
        "image" => "image",
        "video" => "video",
        "audio" => "audio",
        _ => "file",
    };

    /// <summary>Tells whether a message of that delivery id and part was taken.</summary>
    public async ValueTask<ReconcileResult> ReconcileAsync(EstablishedLink link, ReconcileParameters parameters, CancellationToken cancellationToken)
    {
        var key = KeyOf(parameters.DeliveryId, parameters.Part);
        if (LateReplies.TryParse(parameters.To, out var turn))
        {
            return await late.HasAsync(turn, parameters.DeliveryId, parameters.Part, cancellationToken).ConfigureAwait(false)
                ? new ReconcileResult("sent", turn.ToString("D"))
                : new ReconcileResult("not_sent");
        }

        var (channel, target) = await targets.ResolveAsync(link, parameters.Channel, parameters.AccountId, parameters.To, cancellationToken).ConfigureAwait(false);
        var id = MessageIds.ForOutbox(channel, target.AccountId, key);
        var entry = await store.GetOutboxAsync(id, cancellationToken).ConfigureAwait(false);
        return entry is null ? new ReconcileResult("not_sent") : new ReconcileResult("sent", id.ToString("D"));
    }

    /// <summary>The id under which the message was shown while it grew. Tool results and blocks aren't shown so.</summary>
    private string? StreamIdOf(SendParameters send, string accountId)
    {
        if (send.Kind is not (null or "final") || !Guid.TryParse(send.ReplyToId, out var turn)) return null;
        return memory.OrdinalOf(turn, KeyOf(send.DeliveryId, send.Part)) is { } ordinal
            ? MessageIds.ForReply(send.Channel, accountId, turn, ordinal).ToString("D")
            : null;
    }

    private static string KeyOf(string deliveryId, int part)
    {
        if (deliveryId.Length is 0 or > 400) throw BridgeException.Invalid("link.send: deliveryId must have 1 to 400 characters.");
        return string.Create(CultureInfo.InvariantCulture, $"link/{deliveryId}/{part}");
    }

    /// <summary>Texts by which an agent says that it has nothing to say.</summary>
    private static bool IsSilent(string text) => text.AsSpan().Trim() is "" or "NO_REPLY" or "HEARTBEAT_OK";

    /// <summary>
    /// Of a file that the gateway couldn't read the reader is told that there was one, by its name alone: a message that pretends to
    /// carry a file, or a path of the gateway's machine, would be worse.
    /// </summary>
    private static string WithPlaceholders(string text, IReadOnlyList<LinkMedia>? media)
    {
        if (media is null || media.Count == 0) return text;
        var lines = media.Where(file => file.File is null).Select(file => $"[file {NameOf(file)}: {file.Reason ?? "it couldn't be read"}]").ToList();
        if (lines.Count == 0) return text;
        return text.Length == 0 ? string.Join('\n', lines) : $"{text}\n{string.Join('\n', lines)}";
    }

    private static string NameOf(LinkMedia file)
    {
        var source = file.FileName ?? file.Path ?? file.Url?.Split('?', '#')[0] ?? "";
        var name = source[(source.LastIndexOfAny(['/', '\\']) + 1)..];
        return name.Length is 0 or > 80 ? "without a name" : name;
    }
}
