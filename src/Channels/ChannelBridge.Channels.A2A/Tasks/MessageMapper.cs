using System.Text;
using System.Text.Json;
using ChannelBridge.A2A;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Transfers;

namespace ChannelBridge.Channels.A2A.Tasks;

/// <summary>Makes the host's messages of the protocol's, and the protocol's results of what an agent has said.</summary>
internal sealed class MessageMapper(ISpool? spool, A2AOptions options)
{
    // More than that isn't carried along with the message; the task keeps all of it.
    private const int MaxMetadata = 8 * 1024;
    private const string Octets = "application/octet-stream";

    /// <summary>The lane of a conversation.</summary>
    public static string LaneOf(string peer, string contextId) => $"a2a:{peer}:{contextId}";

    /// <summary>A peer's message as the inbox keeps it.</summary>
    /// <param name="client">The peer as its token is called.</param>
    /// <param name="task">The task that it belongs to.</param>
    /// <param name="agent">Who answers.</param>
    /// <param name="message">The message.</param>
    /// <param name="waits">True when the peer waits for the answer: then nothing is tried again in vain.</param>
    /// <param name="cancellationToken">The peer has left.</param>
    public async ValueTask<InboundMessage> ToInboundAsync(
        string client, A2ATask task, string agent, A2AMessage message, bool waits, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        var files = new List<Attachment>();
        foreach (var part in message.Parts)
        {
            if (part.Text is { } words) Add(text, words);
            else if (part.Data is { } data) Add(text, data.GetRawText());
            else if (part.Url is { } url) files.Add(new Attachment { MimeType = part.MediaType ?? Octets, FileName = part.Filename, Location = url });
            else if (part.Raw is { } bytes) files.Add(await FileAsync(client, part, bytes, cancellationToken).ConfigureAwait(false));
        }

        return new InboundMessage
        {
            Channel = A2AChannel.ChannelId,
            AccountId = client,
            SessionKey = LaneOf(client.ToLowerInvariant(), task.ContextId),
            Agent = agent,
            Route = task.Id,
            SenderId = client,
            Subject = client.ToLowerInvariant(),
            Door = Door.Channel,
            MessageId = message.MessageId,
            Text = text.ToString(),
            Attachments = files.Count > 0 ? files : null,
            Stream = true,
            Metadata = message.Metadata is { ValueKind: JsonValueKind.Object } said && said.GetRawText().Length <= MaxMetadata ? said : null,
            // A peer is an agent: two that answer each other for ever are held.
            Rules = new TurnRules { Patience = waits ? TimeSpan.Zero : null, FailureNotice = "", Commands = false, Replies = ReplyWay.Channel, SenderIsAgent = true },
        };
    }

    /// <summary>The result that a message of the answer is; null when there is nothing in it.</summary>
    public async ValueTask<A2AArtifact?> ToArtifactAsync(Guid turn, int ordinal, AgentReply reply, CancellationToken cancellationToken)
    {
        var parts = new List<A2APart>(2);
        var text = reply.Text.Length > 0 ? reply.Text : reply.Refusal ?? "";
        if (text.Length > 0) parts.Add(A2APart.OfText(text));
        if (reply.Attachment is { } file) parts.Add(await PartAsync(file, cancellationToken).ConfigureAwait(false));
        return parts.Count == 0
            ? null
            : new A2AArtifact { ArtifactId = RunView.ArtifactIdOf(turn, ordinal), Name = reply.Attachment?.FileName, Parts = parts };
    }

    /// <summary>A part of a result.</summary>
    public async ValueTask<A2APart> ToPartAsync(AgentArtifact artifact, CancellationToken cancellationToken)
    {
        if (artifact.File is { } file) return await PartAsync(file, cancellationToken).ConfigureAwait(false);
        return artifact.Json is { } json ? new A2APart { Data = json } : A2APart.OfText(artifact.Text ?? "");
    }

    private async ValueTask<A2APart> PartAsync(Attachment file, CancellationToken cancellationToken)
    {
        var part = new A2APart { MediaType = file.MimeType, Filename = file.FileName };
        if (file.Content is { } bytes) return part with { Raw = bytes };
        if (file.File is not null && spool is not null)
            return part with { Raw = await spool.ReadAsync(file, (int)Math.Min(int.MaxValue, options.MaxArtifactBytes), cancellationToken).ConfigureAwait(false) };
        // A path of this machine is nobody else's business.
        return Uri.TryCreate(file.Location, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
            ? part with { Url = file.Location }
            : A2APart.OfText($"[file {file.FileName ?? "without a name"}: it can't be sent]");
    }

    private async ValueTask<Attachment> FileAsync(string client, A2APart part, byte[] bytes, CancellationToken cancellationToken)
    {
        if (bytes.Length <= options.InlineBytes || spool is null)
            return new Attachment { MimeType = part.MediaType ?? Octets, FileName = part.Filename, Content = bytes, Size = bytes.Length };
        using var content = new MemoryStream(bytes, writable: false);
        return await spool.ImportAsync(A2AChannel.ChannelId, client, content, part.Filename, part.MediaType, bytes.Length, cancellationToken).ConfigureAwait(false);
    }

    private static void Add(StringBuilder text, string more)
    {
        if (text.Length > 0) text.Append('\n');
        text.Append(more);
    }
}
