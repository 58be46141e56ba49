using System.Text.Json;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Bncr.Wire;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Bncr.Leases;

/// <summary>
/// Keeps when each account was last heard, written to and pushed to, over restarts. Written every half minute for the accounts where something has happened,
/// and at the stop: a host that is killed forgets half a minute of it, and no message waits for it.
/// </summary>
internal sealed partial class StatsBook(IRecords records, BncrAccounts accounts, TimeProvider time, ILogger<StatsBook> logger)
{
    public const string Namespace = "bncr.stats";

    private const int Batch = 256;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);
    private ITimer? _timer;
    private int _saving;

    /// <summary>Reads what the run before has kept, and keeps it up to date from now on.</summary>
    public async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        string? after = null;
        while (true)
        {
            var page = await records.ListRecordsAsync(Namespace, null, after, 1000, cancellationToken).ConfigureAwait(false);
            foreach (var record in page)
            {
                if (accounts.TryGet(record.Key, out var account) && Read(record) is { } kept) account.Stats.Restore(kept);
            }

            if (page.Count < 1000) break;
            after = page[^1].Key;
        }

        _timer = time.CreateTimer(_ => _ = SaveAsync(), null, Interval, Interval);
    }

    /// <summary>Writes the rest.</summary>
    public async ValueTask StopAsync()
    {
        if (_timer is not null) await _timer.DisposeAsync().ConfigureAwait(false);
        await SaveAsync().ConfigureAwait(false);
    }

    private static KeptStats? Read(StoreRecord record)
    {
        try
        {
            return JsonSerializer.Deserialize(record.Value.Span, BncrJson.Default.KeptStats);
        }
        catch (JsonException)
        {
            // Only for show: a damaged record is as good as none.
            return null;
        }
    }

    private async Task SaveAsync()
    {
        if (Interlocked.Exchange(ref _saving, 1) != 0) return;
        try
        {
            foreach (var some in accounts.All.Select(account => (Account: account, Kept: account.Stats.Keep())).Where(one => one.Kept is not null).Chunk(Batch))
            {
                var at = time.GetUtcNow().ToUnixTimeMilliseconds();
                await records.WriteAsync(
                    [.. some.Select(one => new RecordPut
                    {
                        Namespace = Namespace,
                        Key = one.Account.Key,
                        Value = JsonSerializer.SerializeToUtf8Bytes(one.Kept!, BncrJson.Default.KeptStats),
                        At = at,
                    })]).ConfigureAwait(false);
                foreach (var (account, kept) in some) account.Stats.Kept(kept!);
            }
        }
        catch (Exception fault)
        {
            // The next time it is tried again; nothing but the look of diagnostics depends on it.
            LogNotWritten(logger, fault);
        }
        finally
        {
            Volatile.Write(ref _saving, 0);
        }
    }

    [LoggerMessage(EventId = LogEvents.StatsBookNotWritten, Level = LogLevel.Warning, Message = "Couldn't record when accounts were last heard; trying again")]
    private static partial void LogNotWritten(ILogger logger, Exception fault);
}
