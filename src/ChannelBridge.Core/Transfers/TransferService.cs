namespace ChannelBridge.Core.Transfers;

/// <summary>Starts and stops file transfers: after the store is open, before it closes. The host calls it.</summary>
internal sealed class TransferService
{
    private readonly Uploads _uploads;
    private readonly TransferSweeper _sweeper;

    internal TransferService(Uploads uploads, TransferSweeper sweeper)
    {
        _uploads = uploads;
        _sweeper = sweeper;
    }

    /// <summary>Counts what is in the spool and begins to sweep it.</summary>
    public Task StartAsync(CancellationToken cancellationToken) => _sweeper.StartAsync(cancellationToken);

    /// <summary>Makes durable what has arrived.</summary>
    public async Task StopAsync()
    {
        await _sweeper.StopAsync().ConfigureAwait(false);
        await _uploads.StopAsync().ConfigureAwait(false);
    }
}
