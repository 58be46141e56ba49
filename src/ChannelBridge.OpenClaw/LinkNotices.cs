using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Core.Messaging;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.OpenClaw;

/// <summary>
/// Words into sessions of the gateway. They lie in the outbox, in a lane for each session, under an account that is nobody's but the link's; the link
/// is the client that they are pushed to, by <c>link.notify</c>, and its answer is the ack. Order, repetition and dead letters are the outbox's.
/// </summary>
internal sealed partial class LinkNotices(IOutbox outbox, ILogger<LinkNotices> logger) : ISessionNotices
{
    /// <summary>The outbox's name for what is no channel's.</summary>
    public const string Channel = "openclaw";

    private const string Account = "sessions";
    private const string Wake = "wake";

    /// <inheritdoc/>
    public OutboundMessage Message(GatewaySessionOrigin session, string text) => new()
    {
        Channel = Channel,
        AccountId = Account,
        SessionKey = session.SessionKey,
        Route = session.AgentId ?? "",
        Text = text,
        Kind = session.Wake ? Wake : null,
    };

    /// <summary>A link is up: what waits goes over it.</summary>
    public void Begin(EstablishedLink link)
    {
        // A plugin from before notices says nothing of its channels; what waits goes on waiting.
        if (link.Hello.Channels is null) return;
        var target = new Target(this, link);
        outbox.Attach(Channel, Account, target);
        link.Connection.Closed.UnsafeRegister(_ => outbox.Detach(Channel, Account, target), null);
    }

    private async Task HandOverAsync(EstablishedLink link, PushItem item)
    {
        var message = item.Message;
        Ack ack;
        try
        {
            await link.CallAsync(
                "link.notify",
                new NotifyParameters
                {
                    SessionKey = message.SessionKey,
                    AgentId = message.Route.Length > 0 ? message.Route : null,
                    Text = message.Text,
                    Key = item.Id.ToString("N"),
                    Wake = message.Kind == Wake,
                },
                LinkJson.Relaxed.NotifyParameters,
                LinkJson.Relaxed.NotifyAnswer,
                CancellationToken.None).ConfigureAwait(false);
            ack = new Ack(item.Id, Channel, Account, Ok: true, Delivered: true);
        }
        catch (BridgeException fault)
        {
            // The link is gone: the next one is pushed to anew.
            if (link.Ended) return;
            ack = new Ack(item.Id, Channel, Account, Ok: false, Fatal: !fault.Retryable, Error: $"{fault.Code}: {fault.Message}", RetryAfter: fault.RetryAfter);
        }

        try
        {
            await outbox.AckAsync(ack).ConfigureAwait(false);
        }
        catch (BridgeException fault)
        {
            // It is handed over again under its key when nothing is heard of it.
            LogAckFailed(logger, item.Id, fault.Code);
        }
    }

    [LoggerMessage(LogEvents.LinkNoticesAckFailed, LogLevel.Warning, "What the gateway said of notice {Id} can't be recorded ({Code}); it is handed over again.")]
    private static partial void LogAckFailed(ILogger logger, Guid id, string code);

    private sealed class Target(LinkNotices notices, EstablishedLink link) : IPushTarget
    {
        public string ConnectionId => link.Connection.Id;

        public bool RequiresAck => true;

        public DateTimeOffset LastReceivedAt => link.Connection.LastReceivedAt;

        public CancellationToken Closed => link.Connection.Closed;

        public bool ClosedByClient => false;

        public long Rank => link.Since.ToUnixTimeMilliseconds();

        public ValueTask<PushOutcome> PushAsync(PushItem item, CancellationToken cancellationToken)
        {
            if (link.Ended) return ValueTask.FromResult(PushOutcome.Gone);
            // The answer is the ack, and comes when the outbox waits for it.
            _ = Task.Run(() => notices.HandOverAsync(link, item), CancellationToken.None);
            return ValueTask.FromResult(PushOutcome.Flushed);
        }
    }
}
