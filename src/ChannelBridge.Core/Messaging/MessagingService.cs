using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Messaging.Claims;

namespace ChannelBridge.Core.Messaging;

/// <summary>
/// Starts and stops the durable core, in the order that loses nothing. The host calls it: after the store is open and the channels have started,
/// and before any door opens; at the stop, after the doors have closed and before the store does.
/// </summary>
public sealed class MessagingService
{
    private readonly IStore _store;
    private readonly Backlogs _backlogs;
    private readonly Inbox _inbox;
    private readonly TurnScheduler _turns;
    private readonly Outbox _outbox;
    private readonly StoreJanitor _janitor;
    private readonly ILaneClaims _claims;

    internal MessagingService(
        IStore store,
        Backlogs backlogs,
        Inbox inbox,
        TurnScheduler turns,
        Outbox outbox,
        StoreJanitor janitor,
        MessagingGauges gauges,
        ILaneClaims? claims = null)
    {
        _claims = claims ?? SingleHostClaims.Instance;
        _store = store;
        _backlogs = backlogs;
        _inbox = inbox;
        _turns = turns;
        _outbox = outbox;
        _janitor = janitor;
        // Asked for so that they exist; whoever collects metrics reads them.
        _ = gauges;
    }

    /// <summary>Counts what the store holds and takes up every message without a finished turn.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _backlogs.Load(await _store.CountAsync(cancellationToken).ConfigureAwait(false));
        await _claims.StartAsync(new ClaimedWork(_turns, _outbox, _backlogs), cancellationToken).ConfigureAwait(false);
        _turns.Start();
        _janitor.Start();
    }

    /// <summary>Takes no more messages, finishes or hands back turns, and waits until what was pushed is recorded.</summary>
    public async Task StopAsync()
    {
        _inbox.Stop();
        await _turns.StopAsync().ConfigureAwait(false);
        await _outbox.StopAsync().ConfigureAwait(false);
        await _janitor.StopAsync().ConfigureAwait(false);
        await _claims.StopAsync().ConfigureAwait(false);
    }
}
