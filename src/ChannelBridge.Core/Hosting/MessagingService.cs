using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Core.Messaging.Claims;
using ChannelBridge.Core.Messaging.Receipts;

namespace ChannelBridge.Core.Hosting;

/// <summary>
/// Starts and stops inbox, turns and outbox, as <see cref="Hosting.BridgeLifetime"/> says.
/// </summary>
internal sealed class MessagingService
{
    private const int StartAttempts = 3;

    private readonly IStore _store;
    private readonly Backlogs _backlogs;
    private readonly Inbox _inbox;
    private readonly TurnScheduler _turns;
    private readonly Turns _cancels;
    private readonly Outbox _outbox;
    private readonly StoreJanitor _janitor;
    private readonly ExpirySweep _expiry;
    private readonly ILaneClaims _claims;
    private bool _loaded;

    internal MessagingService(
        IStore store,
        Backlogs backlogs,
        Inbox inbox,
        TurnScheduler turns,
        Turns cancels,
        Outbox outbox,
        StoreJanitor janitor,
        ExpirySweep expiry,
        MessagingGauges gauges,
        ILaneClaims? claims = null)
    {
        _claims = claims ?? SingleHostClaims.Instance;
        _store = store;
        _backlogs = backlogs;
        _inbox = inbox;
        _turns = turns;
        _cancels = cancels;
        _outbox = outbox;
        _janitor = janitor;
        _expiry = expiry;
        // Asked for so that they exist; whoever collects metrics reads them.
        _ = gauges;
    }

    /// <summary>Counts what the store holds. Before anything is accepted: what comes later is counted as it comes.</summary>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        if (_loaded) return;
        _backlogs.Load(await CountAsync(cancellationToken).ConfigureAwait(false));
        _loaded = true;
    }

    /// <summary>It reads much; a database that is busy just now isn't a reason not to start.</summary>
    private async Task<IReadOnlyList<AccountCounts>> CountAsync(CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await _store.CountAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (BridgeException fault) when (fault.Retryable && attempt < StartAttempts)
            {
                // The next one says why, should it fail, too.
            }
        }
    }

    /// <summary>Takes up every message without a finished turn.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await LoadAsync(cancellationToken).ConfigureAwait(false);
        // Before the turns: what was cancelled before the restart doesn't run again.
        await _cancels.LoadAsync(cancellationToken).ConfigureAwait(false);
        await _claims.StartAsync(new ClaimedWork(_turns, _cancels, _outbox, _backlogs), cancellationToken).ConfigureAwait(false);
        _turns.Start();
        _cancels.Start();
        _janitor.Start();
        _expiry.Start();
    }

    /// <summary>Takes no more messages, finishes or hands back turns, and waits until what was pushed is recorded.</summary>
    public async Task StopAsync()
    {
        _inbox.Stop();
        await _cancels.StopAsync().ConfigureAwait(false);
        await _turns.StopAsync().ConfigureAwait(false);
        await _outbox.StopAsync().ConfigureAwait(false);
        await _janitor.StopAsync().ConfigureAwait(false);
        await _expiry.StopAsync().ConfigureAwait(false);
        await _claims.StopAsync().ConfigureAwait(false);
    }
}
