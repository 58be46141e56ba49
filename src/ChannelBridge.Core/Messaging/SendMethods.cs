using System.Diagnostics;
using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Core.Channels;

namespace ChannelBridge.Core.Messaging;

/// <summary>
/// The method <c>send</c>: a message to a conversation that answers nothing, by an operator or a program. It has the gateway's name and parameters,
/// so that a caller needn't know which of the two it talks to.
/// </summary>
internal sealed class SendMethods : IMethodSource
{
    private const int MaxKeyLength = 256;

    private readonly IRegistry _registry;
    private readonly IOutbox _outbox;
    private readonly IMediaSource? _media;
    private readonly ISpool? _spool;
    private readonly SentKeys? _sent;

    public SendMethods(IRegistry registry, IOutbox outbox, IMediaSource? media = null, ISpool? spool = null, SentKeys? sent = null)
    {
        _sent = sent;
        _registry = registry;
        _outbox = outbox;
        _media = media;
        _spool = spool;
        Methods =
        [
            RpcMethod.Create(
                "send", Scopes.Write, "Sends a message to a conversation. Durable when it answers; the same idempotencyKey again sends nothing twice.",
                SendJson.Default.SendParameters, SendJson.Default.SendResult, SendAsync),
        ];
    }

    public IEnumerable<RpcMethod> Methods { get; }

    private async ValueTask<SendResult> SendAsync(SendParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        if (string.IsNullOrWhiteSpace(parameters.To)) throw BridgeException.Invalid("send: params.to must name a conversation, e.g. Bncr:qq:888888");
        if (string.IsNullOrEmpty(parameters.Message) && string.IsNullOrEmpty(parameters.MediaUrl))
            throw BridgeException.Invalid("send: params.message must not be empty, unless there is a mediaUrl");
        if (parameters.IdempotencyKey is { Length: 0 or > MaxKeyLength })
            throw BridgeException.Invalid($"send: params.idempotencyKey must have 1 to {MaxKeyLength} characters");
        var channel = Find(parameters.Channel);
        if (!call.Caller.MayUseChannel(channel.Id)) throw new BridgeException(ErrorCodes.Forbidden, "send: this token may not use that channel");
        var account = parameters.AccountId ?? AccountOf(call.Caller);
        if (account.Length > 0) Require(call.Caller, account);
        var target = await channel.ResolveTargetAsync(account, parameters.To, cancellationToken).ConfigureAwait(false);
        Require(call.Caller, target.AccountId);
        if (call.Caller.Platforms is not null && !call.Caller.MayUsePlatform(channel.PlatformOf(target.SessionKey)))
            throw new BridgeException(ErrorCodes.Forbidden, "send: this token may not use that platform");
        var key = "send/" + (parameters.IdempotencyKey ?? Guid.NewGuid().ToString("N"));
        using var use = parameters.IdempotencyKey is null || _sent is null
            ? null
            : await _sent.TakeAsync(parameters.IdempotencyKey, call.Caller,
                [channel.Id, target.AccountId, target.SessionKey, target.Route, parameters.Message, parameters.MediaUrl], cancellationToken)
                .ConfigureAwait(false);
        var file = await FileAsync(parameters, call.Caller, channel.Id, target.AccountId, key, cancellationToken).ConfigureAwait(false);
        var receipt = await _outbox.SendAsync(
            new OutboundMessage
            {
                Channel = channel.Id,
                AccountId = target.AccountId,
                SessionKey = target.SessionKey,
                Route = target.Route,
                Text = parameters.Message ?? "",
                Attachment = file,
                Type = file is null ? "text" : file.IsVoice ? "voice" : TurnReplies.AttachmentType(file.MimeType),
                TraceParent = call.TraceContext == default ? null : Activity.Current?.Id,
            },
            key,
            use?.Records,
            cancellationToken).ConfigureAwait(false);
        return new SendResult(receipt.Id.ToString("D"), channel.Id, target.AccountId, target.SessionKey, receipt.Seq, receipt.Duplicate);
    }

    /// <summary>The file of a send: one that was uploaded before, one of an allowed folder, or one of the public internet. It is kept as long as its message.</summary>
    private async ValueTask<Attachment?> FileAsync(
        SendParameters parameters, Caller caller, string channel, string account, string key, CancellationToken cancellationToken)
    {
        if (string.IsNullOrWhiteSpace(parameters.MediaUrl)) return null;
        if (_media is null || _spool is null) throw BridgeException.Unavailable("this host sends no files");
        var owner = parameters.MediaAccountId ?? account;
        Require(caller, owner);
        var file = await _spool.FindAsync(channel, owner, parameters.MediaUrl, cancellationToken).ConfigureAwait(false)
            ?? await _media.TakeAsync(
                channel, account, new Attachment { Location = parameters.MediaUrl, MimeType = parameters.MimeType ?? MimeSniffer.Unknown },
                cancellationToken).ConfigureAwait(false);
        file = file with { FileName = FileNames.Sanitize(parameters.FileName) ?? file.FileName, IsVoice = parameters.AsVoice };
        await _spool.KeepAsync(file, SpoolUse.Outbox, MessageIds.ForOutbox(channel, account, key), cancellationToken).ConfigureAwait(false);
        return file;
    }

    private IChannel Find(string? name)
    {
        var channels = _registry.Current.Of<IChannel>();
        return ChannelChoice.Find(channels, name)
            ?? throw BridgeException.Invalid($"send: params.channel must be one of {string.Join(", ", channels.Where(channel => channel.CanSend).Select(channel => channel.Id))}");
    }

    /// <summary>
    /// Without an account, a token for one account means that one; any other lets the channel look for the conversation in all of them.
    /// </summary>
    private static string AccountOf(Caller caller) => caller.Accounts switch
    {
        null => "",
        { Count: 1 } only => only.First(),
        var several => throw BridgeException.Invalid($"send: params.accountId is missing; this token may use {string.Join(", ", several)}"),
    };

    private static void Require(Caller caller, string account)
    {
        if (!caller.MayUseAccount(account)) throw new BridgeException(ErrorCodes.Forbidden, "send: this token may not use that account");
    }
}

/// <summary>Parameters of <c>send</c>.</summary>
internal sealed record SendParameters
{
    /// <summary>The channel id; left out, it is the host's first channel.</summary>
    public string? Channel { get; init; }

    /// <summary>The account; null means the one that knows the conversation.</summary>
    public string? AccountId { get; init; }

    /// <summary>The conversation, in any form that the channel understands.</summary>
    public required string To { get; init; }

    /// <summary>The text; may be left out beside a file.</summary>
    public string? Message { get; init; }

    /// <summary>A file: the path that <c>bncr.file.complete</c> answered, a path within the host's <c>Store:Files:Roots</c>, or an http(s) URL of the public internet.</summary>
    public string? MediaUrl { get; init; }

    /// <summary>The account that uploaded the file; null means the one that the message goes to.</summary>
    public string? MediaAccountId { get; init; }

    /// <summary>The file's name, to show.</summary>
    public string? FileName { get; init; }

    /// <summary>What the file is; its bytes decide.</summary>
    public string? MimeType { get; init; }

    /// <summary>True: a voice message.</summary>
    public bool AsVoice { get; init; }

    /// <summary>Makes a repeated call safe; null makes every call a new message.</summary>
    public string? IdempotencyKey { get; init; }
}

/// <summary>Result of <c>send</c>: the message is on disk.</summary>
/// <param name="MessageId">The message's id; <c>outbox.get</c> tells how far it got.</param>
/// <param name="Channel">The channel.</param>
/// <param name="AccountId">The account in its display case.</param>
/// <param name="SessionKey">The conversation.</param>
/// <param name="Seq">Its number in the conversation.</param>
/// <param name="Duplicate">True when the same idempotencyKey had been sent before.</param>
internal sealed record SendResult(string MessageId, string Channel, string AccountId, string SessionKey, long Seq, bool Duplicate);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(SendParameters))]
[JsonSerializable(typeof(SendResult))]
internal sealed partial class SendJson : JsonSerializerContext;
