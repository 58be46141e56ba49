using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Plugins.Protocol;

namespace ChannelBridge.Plugins.Sdk;

/// <summary>The channel's records as they stand on the pipe, and back.</summary>
internal static class SdkMapping
{
    public static PluginInbound ToWire(InboundMessage message, IReadOnlyList<string> agents) => new()
    {
        Channel = message.Channel,
        AccountId = message.AccountId,
        SessionKey = message.SessionKey,
        Route = message.Route,
        SenderId = message.SenderId,
        Subject = message.Subject,
        // Which agent answers is the operator's to say, unless the manifest asks for one.
        Agent = agents.Contains(message.Agent, StringComparer.Ordinal) ? message.Agent : null,
        IsGroup = message.IsGroup,
        MessageId = message.MessageId,
        Text = message.Text,
        Type = message.Type,
        Attachments = message.Attachments is { } files ? [.. files.Select(ToWire)] : null,
        Stream = message.Stream,
    };

    public static PluginOutbound ToWire(OutboundMessage message) => new()
    {
        Channel = message.Channel,
        AccountId = message.AccountId,
        SessionKey = message.SessionKey,
        Route = message.Route,
        Text = message.Text,
        Type = message.Type,
        ReplyToId = message.ReplyToId,
        Attachment = message.Attachment is { } attachment ? ToWire(attachment) : null,
    };

    public static PushItem ToPush(Guid id, long seq, int attempt, long createdAt, PluginOutbound message) => new(id, seq, FromWire(message), createdAt, attempt)
    {
        Skipped = [.. (message.Skipped ?? []).Select(range => new SkippedMessages(
            range.From, range.To, range.Reason == "expired" ? DeliveryState.Expired : DeliveryState.Dead))],
    };

    public static OutboundMessage FromWire(PluginOutbound message) => new()
    {
        Channel = message.Channel,
        AccountId = message.AccountId,
        SessionKey = message.SessionKey,
        Route = message.Route,
        Text = message.Text,
        Type = message.Type,
        Kind = message.Kind,
        ReplyToId = message.ReplyToId,
        Attachment = message.Attachment is { } attachment ? FromWire(attachment) : null,
        StreamId = message.StreamId,
    };

    public static MethodCall ToCall(PluginCaller caller)
    {
        var scopes = caller.Scopes.Aggregate(Scopes.None, (all, name) => all | ScopeNames.Parse(name));
        var door = Enum.TryParse<Door>(caller.Door, ignoreCase: true, out var known) ? known : Door.Local;
        return new MethodCall(new RemoteConnection(caller.ConnectionId, new Caller(caller.Name, scopes, door)));
    }

    public static void Tell(ITurnListener listener, PluginTurnEvent happened)
    {
        var message = new InboundMessage
        {
            Channel = happened.SessionKey is { } key && key.IndexOf(':') is > 0 and var colon ? key[..colon] : "",
            AccountId = happened.AccountId ?? "",
            SessionKey = happened.SessionKey ?? "",
            Agent = "",
            Route = happened.Route ?? "",
            SenderId = "",
            Stream = true,
        };
        var turn = new AgentTurn(happened.Turn, message, Attempt: 1);
        var text = happened.Text ?? "";
        switch (happened.Kind)
        {
            case "partial": listener.OnTurnEvent(turn, happened.Ordinal, new AgentPartial(text)); break;
            case "rewrite": listener.OnTurnEvent(turn, happened.Ordinal, new AgentRewrite(text)); break;
            case "typing": listener.OnTurnEvent(turn, happened.Ordinal, AgentTyping.Instance); break;
            case "reasoning": listener.OnTurnEvent(turn, happened.Ordinal, new AgentReasoning(text)); break;
            case "reply": listener.OnTurnEvent(turn, happened.Ordinal, new AgentReply(text)); break;
            case "ended" or "failed": listener.OnTurnEnded(turn, happened.Kind == "failed"); break;
        }
    }

    private static PluginAttachment ToWire(Attachment attachment) => new()
    {
        MimeType = attachment.MimeType,
        FileName = attachment.FileName,
        Content = attachment.Content,
        Location = attachment.Location,
        IsVoice = attachment.IsVoice,
    };

    private static Attachment FromWire(PluginAttachment attachment) => new()
    {
        MimeType = attachment.MimeType,
        FileName = attachment.FileName,
        Content = attachment.Content,
        Location = attachment.Location,
        File = attachment.File,
        IsVoice = attachment.IsVoice,
        Size = attachment.Size,
        Sha256 = attachment.Sha256,
    };

    /// <summary>A caller of a method whose connection is the host's: it can't be reached from here.</summary>
    private sealed class RemoteConnection(string id, Caller caller) : IClientConnection
    {
        public string Id => id;

        public Caller Caller => caller;

        public CancellationToken Closed => CancellationToken.None;

        public bool ClosedByClient => false;

        public DateTimeOffset LastReceivedAt => DateTimeOffset.UnixEpoch;

        public ValueTask<PushOutcome> PushAsync(
            string eventName, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default) =>
            new(PushOutcome.Gone);
    }
}
