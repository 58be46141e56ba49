using System.Net;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;
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
        Attachment = message.Attachment is { } attachment ? FromWire(attachment, message.Channel, message.AccountId) : null,
        StreamId = message.StreamId,
    };

    public static MethodCall ToCall(PluginCaller caller) => new(new RemoteConnection(caller.ConnectionId, FromWire(caller)!));

    public static Caller? FromWire(PluginCaller? caller)
    {
        if (caller is null) return null;
        var scopes = caller.Scopes.Aggregate(Scopes.None, (all, name) => all | ScopeNames.Parse(name));
        return new Caller(caller.Name, scopes, Enum.TryParse<Door>(caller.Door, ignoreCase: true, out var known) ? known : Door.Listener);
    }

    public static EndpointRequest FromWire(PluginRequest request) => new()
    {
        Id = request.Id,
        Verb = request.Verb,
        Path = request.Path,
        QueryText = request.Query ?? "",
        Origin = request.Origin,
        Template = request.Endpoint,
        Address = request.Address,
        RemoteAddress = IPAddress.TryParse(request.Remote, out var address) ? address : null,
        PathValues = request.Values,
        Query = ParseQuery(request.Query),
        Headers = request.Headers.ToDictionary(header => header.Key, header => header.Value, StringComparer.OrdinalIgnoreCase),
    };

    private static Dictionary<string, IReadOnlyList<string>> ParseQuery(string? query)
    {
        var values = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        foreach (var part in (query ?? "").TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var name = Decode(part.Split('=', 2)[0]);
            var value = part.Contains('=', StringComparison.Ordinal) ? Decode(part.Split('=', 2)[1]) : "";
            values[name] = values.TryGetValue(name, out var others) ? [.. others, value] : [value];
        }

        return values;
    }

    private static string Decode(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));

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

    /// <summary>Whose a file of the host is, and its name there.</summary>
    public static (string Channel, string Account, string Name) SplitFile(Attachment file)
    {
        var name = file.File ?? "";
        var first = name.IndexOf('/', StringComparison.Ordinal);
        var last = name.LastIndexOf('/');
        return first > 0 && last > first ? (name[..first], name[(first + 1)..last], name[(last + 1)..])
            : throw new BridgeException(ErrorCodes.NotFound, "it isn't a file of the host");
    }

    private static PluginAttachment ToWire(Attachment attachment) => new()
    {
        MimeType = attachment.MimeType,
        FileName = attachment.FileName,
        Content = attachment.Content,
        Location = attachment.Location,
        File = attachment.File is null ? null : SplitFile(attachment).Name,
        IsVoice = attachment.IsVoice,
    };

    public static Attachment FromWire(PluginAttachment attachment, string channel, string account) => new()
    {
        MimeType = attachment.MimeType,
        FileName = attachment.FileName,
        Content = attachment.Content,
        Location = attachment.Location,
        File = attachment.File is { } name ? $"{channel}/{account}/{name}" : null,
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
