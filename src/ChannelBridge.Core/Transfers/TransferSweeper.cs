using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Transfers;

/// <summary>Removes what nobody needs any more: transfers that nobody goes on with, files without an owner or a message, and strays on the disk.</summary>
internal sealed partial class TransferSweeper(
    IStore store, Spool spool, Uploads uploads, TransferQuota quota, TransferOptions options, TimeProvider time, ILogger<TransferSweeper> logger)
    : IDisposable
{
    private const int Page = 500;
    private static readonly TimeSpan StrayAge = TimeSpan.FromHours(1);
    private static readonly TimeSpan LongestGrace = TimeSpan.FromMinutes(10);
    private readonly CancellationTokenSource _stop = new();
    private Task _sweeping = Task.CompletedTask;

    /// <summary>Counts what is there, and begins to sweep.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await foreach (var record in ListAsync(TransferJson.Uploads, cancellationToken).ConfigureAwait(false))
        {
            var upload = TransferJson.Read(record.Value, TransferJson.Default.UploadRecord);
            if (upload.File is null) quota.Restore(Spool.KeyOf(upload.Channel, upload.Account), upload.FileSize);
        }

        await foreach (var record in ListAsync(TransferJson.Files, cancellationToken).ConfigureAwait(false))
        {
            if (record.Index is { } account) quota.AddFile(account, TransferJson.Read(record.Value, TransferJson.Default.FileRecord).Size);
        }

        _sweeping = RunAsync();
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _sweeping.ConfigureAwait(false);
    }

    public void Dispose() => _stop.Dispose();

    /// <summary>Sweeps once.</summary>
    public async Task SweepAsync(CancellationToken cancellationToken)
    {
        await AbandonAsync(cancellationToken).ConfigureAwait(false);
        var (files, bytes) = await ForgetFilesAsync(cancellationToken).ConfigureAwait(false);
        await RemoveStraysAsync(cancellationToken).ConfigureAwait(false);
        if (files > 0) LogSwept(logger, files, bytes);
    }

    private async Task RunAsync()
    {
        using var timer = new PeriodicTimer(options.SweepInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                try
                {
                    await SweepAsync(_stop.Token).ConfigureAwait(false);
                }
                catch (Exception fault) when (fault is not OperationCanceledException)
                {
                    LogFailed(logger, fault);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    private async Task AbandonAsync(CancellationToken cancellationToken)
    {
        var before = Now - (long)options.AbandonAfter.TotalMilliseconds;
        await foreach (var record in ListAsync(TransferJson.Uploads, cancellationToken).ConfigureAwait(false))
        {
            var upload = TransferJson.Read(record.Value, TransferJson.Default.UploadRecord);
            if (upload.File is not null || upload.Spool != spool.Folder.Id || upload.UpdatedAt > before) continue;
            await uploads.AbandonAsync(
                record.Key, still => still.Record.UpdatedAt <= before && time.GetElapsedTime(still.LastUsed) >= Min(options.AbandonAfter, LongestGrace)).ConfigureAwait(false);
        }
    }

    /// <summary>Ends accounts' hold on files whose time is up, then removes the bytes that nobody holds.</summary>
    private async Task<(int Files, long Bytes)> ForgetFilesAsync(CancellationToken cancellationToken)
    {
        var now = Now;
        await foreach (var record in ListAsync(TransferJson.Files, cancellationToken).ConfigureAwait(false))
        {
            var file = TransferJson.Read(record.Value, TransferJson.Default.FileRecord);
            if (file.KeepUntil > now || file.Spool != spool.Folder.Id || await IsUsedAsync(file.Name, cancellationToken).ConfigureAwait(false)) continue;
            await store.CommitAsync(new RecordDelete { Namespace = TransferJson.Files, Key = record.Key }, CancellationToken.None).ConfigureAwait(false);
            if (record.Index is { } account) quota.RemoveFile(account, file.Size);
        }

        var files = 0;
        var bytes = 0L;
        var grace = (long)Min(options.KeepFiles, LongestGrace).TotalMilliseconds;
        await foreach (var record in ListAsync(TransferJson.Blobs, cancellationToken).ConfigureAwait(false))
        {
            var blob = TransferJson.Read(record.Value, TransferJson.Default.BlobRecord);
            if (blob.Spool != spool.Folder.Id || record.UpdatedAt + grace > now) continue;
            if (await spool.IsHeldAsync(blob.Name, cancellationToken).ConfigureAwait(false)) continue;
            if (await IsUsedAsync(blob.Name, cancellationToken).ConfigureAwait(false)) continue;
            if (!await spool.RemoveAsync(record, blob, cancellationToken).ConfigureAwait(false)) continue;
            files++;
            bytes += blob.Size;
        }

        return (files, bytes);
    }

    /// <summary>True while a message that isn't settled needs the file. Notes of settled messages go on the way.</summary>
    private async Task<bool> IsUsedAsync(string name, CancellationToken cancellationToken)
    {
        string? after = name + "/";
        while (true)
        {
            var page = await store.ListRecordsAsync(TransferJson.Uses, null, after, Page, cancellationToken).ConfigureAwait(false);
            foreach (var use in page)
            {
                if (!use.Key.StartsWith(name + "/", StringComparison.Ordinal)) return false;
                after = use.Key;
                var parts = use.Key.Split('/');
                if (parts.Length == 3 && Guid.TryParse(parts[2], out var id) && await IsOpenAsync(parts[1], id, cancellationToken).ConfigureAwait(false)) return true;
                await store.CommitAsync(new RecordDelete { Namespace = TransferJson.Uses, Key = use.Key }, CancellationToken.None).ConfigureAwait(false);
            }

            if (page.Count < Page) return false;
        }
    }

    private async ValueTask<bool> IsOpenAsync(string kind, Guid id, CancellationToken cancellationToken) => kind == "in"
        ? await store.GetInboxAsync(id, cancellationToken).ConfigureAwait(false) is { State: TurnState.Pending }
        : await store.GetOutboxAsync(id, cancellationToken).ConfigureAwait(false) is { State: not (DeliveryState.Acked or DeliveryState.Delivered or DeliveryState.Pushed) };

    /// <summary>Files that no record knows: what a crash left between two steps.</summary>
    private async Task RemoveStraysAsync(CancellationToken cancellationToken)
    {
        var limit = time.GetUtcNow().UtcDateTime - StrayAge;
        var parts = spool.Folder.List(parts: true).Where(entry => entry.ChangedAt < limit).Select(entry => entry.Name).ToHashSet();
        if (parts.Count > 0)
        {
            await foreach (var record in ListAsync(TransferJson.Uploads, cancellationToken).ConfigureAwait(false))
                parts.Remove(TransferJson.Read(record.Value, TransferJson.Default.UploadRecord).Part);
            foreach (var stray in parts) spool.Folder.DeletePart(stray);
        }

        var files = spool.Folder.List(parts: false).Where(entry => entry.ChangedAt < limit).Select(entry => entry.Name).ToHashSet();
        if (files.Count == 0) return;
        await foreach (var record in ListAsync(TransferJson.Blobs, cancellationToken).ConfigureAwait(false))
            files.Remove(TransferJson.Read(record.Value, TransferJson.Default.BlobRecord).Name);
        foreach (var stray in files)
        {
            if (!await spool.IsHeldAsync(stray, cancellationToken).ConfigureAwait(false)) spool.Folder.DeleteFile(stray);
        }
    }

    private async IAsyncEnumerable<StoreRecord> ListAsync(
        string ns, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? after = null;
        while (true)
        {
            var page = await store.ListRecordsAsync(ns, null, after, Page, cancellationToken).ConfigureAwait(false);
            foreach (var record in page) yield return record;
            if (page.Count < Page) yield break;
            after = page[^1].Key;
        }
    }

    private static TimeSpan Min(TimeSpan left, TimeSpan right) => left < right ? left : right;

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    [LoggerMessage(LogEvents.TransferSweeperSwept, LogLevel.Information, "Removed {Files} files of the spool that are no longer needed ({Bytes} bytes).")]
    private static partial void LogSwept(ILogger logger, int files, long bytes);

    [LoggerMessage(LogEvents.TransferSweeperFailed, LogLevel.Error, "The spool could not be swept; trying again at the next interval.")]
    private static partial void LogFailed(ILogger logger, Exception fault);
}
