using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Plugins.Protocol;

namespace ChannelBridge.Plugins.Hosting;

/// <summary>The host's records as they stand on the pipe, and back.</summary>
internal static class PluginMapping
{
    public static PluginOutbound ToWire(PushItem item) => ToWire(item.Message) with
    {
        Skipped = item.Skipped.Count == 0
            ? null
            : [.. item.Skipped.Select(range => new PluginSkipped(range.From, range.To, range.State == DeliveryState.Expired ? "expired" : "dead"))],
    };

    public static PluginOutbound ToWire(OutboundMessage message) => new()
    {
        Channel = message.Channel,
        AccountId = message.AccountId,
        SessionKey = message.SessionKey,
        Route = message.Route,
        Text = message.Text,
        Type = message.Type,
        Kind = message.Kind,
        ReplyToId = message.ReplyToId,
        Attachment = message.Attachment is { } attachment ? ToWire(attachment) : null,
        StreamId = message.StreamId,
    };

    public static InboundMessage FromWire(PluginInbound message, string account, string agent, string? traceParent) => new()
    {
        Channel = message.Channel,
        AccountId = account,
        SessionKey = message.SessionKey,
        Agent = agent,
        Route = message.Route,
        IsGroup = message.IsGroup,
        SenderId = message.SenderId,
        Subject = message.Subject,
        Door = Door.Listener,
        MessageId = message.MessageId,
        Text = message.Text ?? "",
        Type = message.Type ?? "text",
        Attachments = message.Attachments is { Count: > 0 } files ? [.. files.Select(FromWire)] : null,
        Stream = message.Stream,
        TraceParent = traceParent,
    };

    public static OutboundMessage FromWire(PluginOutbound message, string account) => new()
    {
        Channel = message.Channel,
        AccountId = account,
        SessionKey = message.SessionKey,
        Route = message.Route,
        Text = message.Text ?? "",
        Type = message.Type ?? "text",
        ReplyToId = message.ReplyToId,
        Attachment = message.Attachment is { } attachment ? FromWire(attachment) : null,
    };

    public static Ack ToAck(PluginAck ack, string channel, string account) => new(
        ack.Id, channel, account, ack.Ok, ack.Fatal, ack.Delivered, ack.Error,
        ack.RetryAfterMs is >= 0 and var wait ? TimeSpan.FromMilliseconds(Math.Min(wait, int.MaxValue)) : null);

    public static PluginCaller ToWire(MethodCall call) => new(
        call.Caller.Name, call.Caller.Scopes.ToNames(), call.Caller.Door.ToString().ToLowerInvariant(), call.Connection.Id);

    /// <summary>A request to an endpoint.</summary>
    public static PluginRequest ToWire(EndpointRequest request, PluginCaller? caller) => new()
    {
        Id = request.Id,
        Endpoint = request.Template,
        Verb = request.Verb,
        Path = request.Path,
        Query = request.QueryText.Length > 0 ? request.QueryText : null,
        Origin = request.Origin,
        Values = request.PathValues,
        Headers = request.Headers.ToDictionary(header => header.Key.ToLowerInvariant(), header => header.Value, StringComparer.Ordinal),
        Address = request.Address,
        Remote = request.RemoteAddress?.ToString(),
        Caller = caller,
    };

    /// <summary>Who a plugin's own check found, as the host knows them: apart from tokens and other channels' people.</summary>
    public static string CallerName(string channel, string name) => $"{channel}:{name}";

    /// <summary>The caller of an endpoint; whom the plugin named it gets under that name again.</summary>
    public static PluginCaller? ToWire(string channel, Caller? caller, string request) => caller is null ? null : new PluginCaller(
        caller.Door == Door.Channel && caller.Name.StartsWith(channel + ":", StringComparison.Ordinal) ? caller.Name[(channel.Length + 1)..] : caller.Name,
        caller.Scopes.ToNames(), caller.Door.ToString().ToLowerInvariant(), request);

    /// <summary>The key of a message, apart from those of other channels and accounts.</summary>
    public static UInt128 Key(string channel, string account, string key) => BinaryPrimitives.ReadUInt128BigEndian(
        SHA256.HashData(Encoding.UTF8.GetBytes($"{channel}\n{account.ToLowerInvariant()}\n{key}")));

    public static string ToWire(AckResult result) => result switch
    {
        AckResult.Acked => "acked",
        AckResult.WillRetry => "willRetry",
        AckResult.Held => "held",
        AckResult.MovedToDeadLetter => "dead",
        AckResult.AccountMismatch => "mismatch",
        _ => "known",
    };

    public static PluginAttachment ToWire(Attachment attachment) => new()
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

    // Without its file: what a plugin may name is looked up.
    public static Attachment FromWire(PluginAttachment attachment) => new()
    {
        MimeType = attachment.MimeType ?? "application/octet-stream",
        FileName = attachment.FileName,
        Content = attachment.Content,
        Location = attachment.Location,
        IsVoice = attachment.IsVoice,
    };
}
