using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Messaging;

/// <inheritdoc cref="INotifier"/>
/// <param name="outbox">Where notices lie until they are told.</param>
/// <param name="registry">The channels of now.</param>
/// <param name="sessions">The way into sessions of the gateway; null: this host has no link to one.</param>
internal sealed class Notifier(IOutbox outbox, IRegistry registry, ISessionNotices? sessions = null) : INotifier
{
    private const int LongestKey = 400;
    private const int LongestSession = 1_024;

    public async ValueTask NotifyAsync(
        NoticeOrigin origin,
        string text,
        string key,
        IReadOnlyList<RecordWrite>? records = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(origin);
        ArgumentException.ThrowIfNullOrWhiteSpace(text);
        if (key is not { Length: > 0 and <= LongestKey }) throw BridgeException.Invalid($"the key of a notice must have 1 to {LongestKey} characters");
        var message = await MessageAsync(origin, text, cancellationToken).ConfigureAwait(false);
        await outbox.SendAsync(message, $"notice/{key}", records, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask<OutboundMessage> MessageAsync(NoticeOrigin origin, string text, CancellationToken cancellationToken)
    {
        switch (origin)
        {
            case LaneOrigin lane:
                if (!registry.RequireChannel(lane.Channel).CanSend)
                    throw BridgeException.Invalid($"the channel '{lane.Channel}' only answers: nothing can be sent to it outside of a turn");
                return Message(lane.Channel, lane.AccountId, lane.SessionKey, lane.Route, text);
            case TargetOrigin target:
                var found = await registry.RequireChannel(target.Channel).ResolveTargetAsync(target.AccountId, target.Target, cancellationToken).ConfigureAwait(false);
                return Message(target.Channel, found.AccountId, found.SessionKey, found.Route, text);
            case GatewaySessionOrigin session:
                if (session.SessionKey is not { Length: > 0 and <= LongestSession }) throw BridgeException.Invalid("the gateway's session key of a notice is empty or too long");
                return (sessions ?? throw new BridgeException(ErrorCodes.NotFound, "This host has no link to an OpenClaw gateway, so nothing reaches its sessions."))
                    .Message(session, text);
            default:
                throw new NotSupportedException($"no way leads to {origin.GetType().Name}");
        }
    }

    private static OutboundMessage Message(string channel, string account, string sessionKey, string route, string text) =>
        new() { Channel = channel, AccountId = account, SessionKey = sessionKey, Route = route, Text = text };
}
