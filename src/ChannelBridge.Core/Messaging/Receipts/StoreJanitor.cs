using ChannelBridge.Abstractions.Storage;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Messaging.Receipts;

/// <summary>Sweeps the store now and then: what has outlived its time goes, and a line says how much.</summary>
internal sealed partial class StoreJanitor(
    IStore store, DeadLetterRetention deadLetters, MessagingOptions options, TimeProvider time, ILogger<StoreJanitor> logger) : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private Task _sweeping = Task.CompletedTask;

    public void Start() => _sweeping = SweepAsync();

    public async Task StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _sweeping.ConfigureAwait(false);
    }

    public void Dispose() => _stop.Dispose();

    private async Task SweepAsync()
    {
        using var timer = new PeriodicTimer(options.SweepInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                try
                {
                    // First, because each dead letter leaves a record; the sweep finds none then.
                    await deadLetters.EnforceAsync(_stop.Token).ConfigureAwait(false);
                    var now = time.GetUtcNow();
                    var limits = new SweepLimits(
                        now.ToUnixTimeMilliseconds(),
                        (now - options.ReceiptRetention).ToUnixTimeMilliseconds(),
                        (now - options.DeadLetterRetention).ToUnixTimeMilliseconds());
                    var removed = await store.SweepAsync(limits, _stop.Token).ConfigureAwait(false);
                    if (removed > 0) LogSwept(logger, removed);
                }
                catch (Exception fault) when (fault is not OperationCanceledException)
                {
                    LogSweepFailed(logger, fault);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    [LoggerMessage(LogEvents.StoreJanitorSwept, LogLevel.Information, "Swept {Count} entries that had outlived their retention.")]
    private static partial void LogSwept(ILogger logger, long count);

    [LoggerMessage(LogEvents.StoreJanitorSweepFailed, LogLevel.Error, "The store could not be swept; trying again at the next interval.")]
    private static partial void LogSweepFailed(ILogger logger, Exception fault);
}
