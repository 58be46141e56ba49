using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Messaging.Receipts;

/// <summary>
/// Ends the time of messages whose account nobody is connected for: while somebody is, their lanes see to it. Only where a delivery policy has a time to live.
/// </summary>
internal sealed partial class ExpirySweep(
    IStore store, Outbox outbox, Backlogs backlogs, MessagingOptions options, TimeProvider time, ILogger<ExpirySweep> logger) : IDisposable
{
    private const int Page = 500;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    private readonly CancellationTokenSource _stop = new();
    private Task _sweeping = Task.CompletedTask;

    public void Start()
    {
        if (options.Delivery.Values.Concat(options.AccountDelivery.Values).Append(options.DefaultDelivery).Any(policy => policy.TimeToLive is not null)) _sweeping = SweepAsync();
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _sweeping.ConfigureAwait(false);
    }

    public void Dispose() => _stop.Dispose();

    private async Task SweepAsync()
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            do
            {
                try
                {
                    foreach (var (channel, account, counter) in backlogs.All.ToArray())
                    {
                        if (Backlogs.Shown(ref counter.OutboxPending) > 0 && !outbox.IsAttached(channel, account)
                            && options.DeliveryOf(channel, account).TimeToLive is { } life)
                            await ExpireAsync(channel, account, life).ConfigureAwait(false);
                    }
                }
                catch (Exception fault) when (!_stop.IsCancellationRequested)
                {
                    LogFailed(logger, fault is BridgeException known ? known.Code : fault.GetType().Name);
                }
            }
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    private async Task ExpireAsync(string channel, string account, TimeSpan life)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        (long, Guid)? after = null;
        while (true)
        {
            var page = await store.QueryOutboxAsync(
                new OutboxQuery
                {
                    Channel = channel,
                    Account = account,
                    States = [DeliveryState.Accepted],
                    AcceptedBefore = now - (long)life.TotalMilliseconds + 1,
                    After = after,
                    Limit = Page,
                    HeadersOnly = true,
                },
                _stop.Token).ConfigureAwait(false);
            var over = page.Where(entry => !entry.Settled && entry.ExpiresAt > 0 && entry.ExpiresAt <= now).ToArray();
            if (over.Length > 0) await outbox.ExpireAsync(over).ConfigureAwait(false);
            if (page.Count < Page) return;
            after = (page[^1].AcceptedAt, page[^1].Id);
        }
    }

    [LoggerMessage(LogEvents.ExpirySweepFailed, LogLevel.Warning, "Messages whose time is over can't be ended now ({Code}); trying again.")]
    private static partial void LogFailed(ILogger logger, string code);
}
