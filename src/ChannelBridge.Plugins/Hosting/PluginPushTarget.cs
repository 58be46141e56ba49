using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Plugins.Rpc;

namespace ChannelBridge.Plugins.Hosting;

/// <summary>
/// One account of one process, as the outbox pushes to it. What isn't acked is pushed to the next process under the same id.
/// </summary>
internal sealed class PluginPushTarget(
    PluginChannel channel, PluginLink.Live live, string pluginId, IOutbox outbox, TimeProvider time, Action<OutboundMessage> onPush, Func<string, string> mask)
    : IPushTarget
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private long _heard = time.GetUtcNow().UtcTicks;

    public string ConnectionId => $"plugin:{pluginId}";

    public bool RequiresAck => true;

    public DateTimeOffset LastReceivedAt => new(Volatile.Read(ref _heard), TimeSpan.Zero);

    public CancellationToken Closed => live.Gone;

    public bool ClosedByClient => false;

    public async ValueTask<PushOutcome> PushAsync(PushItem item, CancellationToken cancellationToken)
    {
        if (!await live.Places.EnterAsync(cancellationToken).ConfigureAwait(false)) return PushOutcome.Gone;
        var account = item.Message.AccountId;
        onPush(item.Message);
        try
        {
            var pushed = await live.Plugin.PushAsync(
                item.Id, item.Seq, item.Attempt, item.CreatedAt, PluginMapping.ToWire(item), cancellationToken)
                .WaitAsync(Patience, time, cancellationToken).TranslateAsync().ConfigureAwait(false);
            Volatile.Write(ref _heard, time.GetUtcNow().UtcTicks);
            channel.SawOutbound(time.GetUtcNow());
            if (pushed?.Ack is { } ack && ack.Id == item.Id)
            {
                if (ack.Error is { } reason) ack = ack with { Error = mask(reason) };
                await outbox.AckAsync(PluginMapping.ToAck(ack, channel.Id, account), cancellationToken: cancellationToken).ConfigureAwait(false);
                return PushOutcome.Flushed;
            }

            return pushed?.Outcome switch
            {
                "gone" => PushOutcome.Gone,
                "full" => PushOutcome.Full,
                _ => PushOutcome.Flushed,
            };
        }
        catch (BridgeException gone) when (live.Gone.IsCancellationRequested || gone.Code == ErrorCodes.Unavailable)
        {
            return PushOutcome.Gone;
        }
        catch (BridgeException refused)
        {
            // An error is the plugin's word about this message: another try after a while, unless it says that there is no point.
            var fatal = !refused.Retryable
                && refused.Code is ErrorCodes.InvalidRequest or ErrorCodes.NotFound or ErrorCodes.Forbidden or ErrorCodes.PayloadTooLarge;
            await outbox.AckAsync(
                new Ack(
                    item.Id, channel.Id, account, Ok: false, fatal, Error: mask($"{refused.Code}: {refused.Message}"),
                    RetryAfter: refused.RetryAfter),
                cancellationToken: cancellationToken).ConfigureAwait(false);
            return PushOutcome.Flushed;
        }
        catch (TimeoutException)
        {
            // Not taken and not refused: the outbox waits for the ack and then pushes it again.
            return PushOutcome.Flushed;
        }
        finally
        {
            live.Places.Leave();
        }
    }
}
