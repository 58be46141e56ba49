using System.Globalization;
using System.Text;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Aun.Endpoint;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Aun.Messages;

/// <summary>
/// Where several hosts share a store: what one of them has put into an AID's log, whom it has revoked, and which slot has a new long connection there, is told to the others
/// by a short-lived log that each of them reads. Best effort: who misses something finds it by its numbers.
/// </summary>
internal sealed partial class HostNews(IRecords records, bool isShared, TimeProvider time, ILogger<HostNews> logger)
{
    private const string Log = "aun.news";
    private const int Page = 1000;
    private const long RevokedMark = -1;
    private const long SlotMark = -2;
    private static readonly TimeSpan Kept = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(200);
    private readonly string _self = Guid.NewGuid().ToString("N");
    private long _read;

    /// <summary>An entry is in an AID's log.</summary>
    public void Tell(string aid, long number)
    {
        if (isShared) _ = WriteAsync(aid, number);
    }

    /// <summary>An AID was revoked.</summary>
    public void TellRevoked(string aid) => Tell(aid, RevokedMark);

    /// <summary>A slot has a new long connection here.</summary>
    /// <param name="key">The slot.</param>
    /// <param name="at">When it was made (Unix ms).</param>
    public void TellSlot(SlotKey key, long at)
    {
        if (isShared) _ = WriteAsync(key.Aid, SlotMark, string.Create(CultureInfo.InvariantCulture, $"\n{key.Device}\n{key.Slot}\n{at}"));
    }

    /// <summary>Hears what other hosts tell until it is told to stop.</summary>
    /// <param name="wake">An AID's log has this number.</param>
    /// <param name="revoked">An AID was revoked.</param>
    /// <param name="slot">A slot has a new long connection elsewhere, made then (Unix ms).</param>
    /// <param name="stop">Ends it.</param>
    public async Task RunAsync(Action<string, long> wake, Action<string> revoked, Action<SlotKey, long> slot, CancellationToken stop)
    {
        if (!isShared) return;
        using var timer = new PeriodicTimer(Look, time);
        try
        {
            // What was told before this host came is nothing to its connections: there were none.
            await ReadAsync(static (_, _) => { }, static _ => { }, static (_, _) => { }, stop).ConfigureAwait(false);
            while (await timer.WaitForNextTickAsync(stop).ConfigureAwait(false)) await ReadAsync(wake, revoked, slot, stop).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Told to stop.
        }
    }

    /// <summary>Reads what is new.</summary>
    internal async Task ReadAsync(Action<string, long> wake, Action<string> revoked, Action<SlotKey, long> slot, CancellationToken stop)
    {
        try
        {
            while (true)
            {
                var entries = await records.ReadSequenceAsync(Log, _read, Page, stop).ConfigureAwait(false);
                foreach (var entry in entries)
                {
                    _read = entry.Number;
                    var parts = Encoding.UTF8.GetString(entry.Value.Span).Split('\n');
                    if (parts.Length < 3 || parts[0] == _self || !long.TryParse(parts[2], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)) continue;
                    if (number == RevokedMark) revoked(parts[1]);
                    else if (number > 0) wake(parts[1], number);
                    else if (number == SlotMark && parts.Length == 6 && long.TryParse(parts[5], NumberStyles.None, CultureInfo.InvariantCulture, out var at))
                        slot(new SlotKey(parts[1], parts[3], parts[4]), at);
                }

                if (entries.Count < Page) return;
            }
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            LogNotRead(logger, fault);
        }
    }

    private async Task WriteAsync(string aid, long number, string more = "")
    {
        try
        {
            var now = time.GetUtcNow().ToUnixTimeMilliseconds();
            await records.WriteAsync(new SequenceAppend
            {
                Sequence = Log,
                Value = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{_self}\n{aid}\n{number}{more}")),
                ExpiresAt = now + (long)Kept.TotalMilliseconds,
                At = now,
            }).ConfigureAwait(false);
        }
        catch (Exception fault)
        {
            LogNotTold(logger, fault);
        }
    }

    [LoggerMessage(LogEvents.EndpointNewsNotRead, LogLevel.Warning, "What other hosts tell of AUN messages could not be read; it is tried again.")]
    private static partial void LogNotRead(ILogger logger, Exception fault);

    [LoggerMessage(LogEvents.EndpointNewsNotTold, LogLevel.Debug, "Other hosts could not be told of an AUN message; its receiver finds it by its number.")]
    private static partial void LogNotTold(ILogger logger, Exception fault);
}
