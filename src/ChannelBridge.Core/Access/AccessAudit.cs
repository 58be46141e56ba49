using System.Net;
using System.Text.Json;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Protocol;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Access;

/// <summary>
/// Writes down what happens to access. Attempts are written from a bounded queue, a batch a second at most; what a flood brings beyond that becomes one record with its
/// number. Kept for a time and in a number that the options say.
/// </summary>
internal sealed partial class AccessAudit(IStore store, AccessOptions options, TimeProvider time, ILogger<AccessAudit> logger) : IAccessAudit, IAsyncDisposable
{
    private const int Most = 256;
    private const int Page = 500;
    private const int TrimEvery = 1000;
    private const int MostText = 128;
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly Channel<AccessLine> _lines = Channel.CreateBounded<AccessLine>(new BoundedChannelOptions(Most) { SingleReader = true });
    private readonly CancellationTokenSource _stop = new();
    private int _disposed;
    private Task _writing = Task.CompletedTask;
    private long _omitted;
    private int _sinceTrim = TrimEvery;

    /// <summary>Begins to write; the store is open.</summary>
    public void Start() => _writing = WriteAsync();

    /// <inheritdoc/>
    public void Refused(Door door, IPAddress? address, string? identity, string reason)
    {
        var line = new AccessLine(Now(), "refused", address?.ToString(), Clean(identity), door.ToString().ToLowerInvariant(), Clean(reason));
        if (!_lines.Writer.TryWrite(line)) Interlocked.Increment(ref _omitted);
    }

    /// <summary>A record of a change, to be committed with or after it.</summary>
    public RecordPut Record(string action, string by, string name, string? reason = null) => Put(new AccessLine(Now(), action, Clean(by), Clean(name), null, reason));

    /// <summary>The newest lines first.</summary>
    public async ValueTask<IReadOnlyList<AccessLine>> ReadAsync(int limit, CancellationToken cancellationToken)
    {
        var result = new List<AccessLine>();
        string? after = null;
        while (result.Count < limit)
        {
            var count = Math.Min(Page, limit - result.Count);
            var page = await store.ListRecordsAsync(AccessLine.Namespace, null, after, count, cancellationToken).ConfigureAwait(false);
            foreach (var record in page)
            {
                if (JsonSerializer.Deserialize(record.Value.Span, AccessRecordJson.Default.AccessLine) is { } line) result.Add(line);
            }

            if (page.Count < count) break;
            after = page[^1].Key;
        }

        return result;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // The end of the host does it before the store is closed, and the container once more.
        if (Interlocked.Exchange(ref _disposed, 1) == 1) return;
        await _stop.CancelAsync().ConfigureAwait(false);
        await _writing.ConfigureAwait(false);
        _stop.Dispose();
    }

    /// <summary>Removes what is beyond the bound on their number.</summary>
    internal async Task TrimAsync(CancellationToken cancellationToken)
    {
        string? after = null;
        for (var kept = 0; ;)
        {
            var page = await store.ListRecordsAsync(AccessLine.Namespace, null, after, Page, cancellationToken).ConfigureAwait(false);
            if (page.Count == 0) return;
            after = page[^1].Key;
            StoreWrite[] over = [.. page.Skip(Math.Max(0, options.AuditLimit - kept)).Select(record => new RecordDelete { Namespace = AccessLine.Namespace, Key = record.Key })];
            if (over.Length > 0) await store.CommitAsync(over, cancellationToken).ConfigureAwait(false);
            kept += page.Count;
            if (page.Count < Page) return;
        }
    }

    // What strangers name themselves goes to an operator's terminal.
    private static string? Clean(string? text)
    {
        if (text is null) return null;
        text = SoundText.Cut(text, MostText);
        return text.All(IsPlain) ? text : string.Concat(text.Select(c => IsPlain(c) ? c : '?'));
        static bool IsPlain(char c) => !char.IsControl(c) && !char.IsSurrogate(c)
            && char.GetUnicodeCategory(c) is not (
                System.Globalization.UnicodeCategory.Format or System.Globalization.UnicodeCategory.LineSeparator or System.Globalization.UnicodeCategory.ParagraphSeparator);
    }

    private async Task WriteAsync()
    {
        try
        {
            while (await _lines.Reader.WaitToReadAsync(_stop.Token).ConfigureAwait(false))
            {
                var batch = new List<StoreWrite>();
                while (batch.Count < Most && _lines.Reader.TryRead(out var line)) batch.Add(Put(line));
                if (Interlocked.Exchange(ref _omitted, 0) is var omitted and > 0)
                    batch.Add(Put(new AccessLine(Now(), "omitted", null, null, null, $"{omitted} further attempts were refused in the same second")));
                await CommitAsync(batch).ConfigureAwait(false);
                await Task.Delay(Pause, time, _stop.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // The last second's attempts are in the log, too.
        }
    }

    private async Task CommitAsync(List<StoreWrite> batch)
    {
        try
        {
            await store.CommitAsync(batch, _stop.Token).ConfigureAwait(false);
            _sinceTrim += batch.Count;
            if (_sinceTrim < TrimEvery) return;
            _sinceTrim = 0;
            await TrimAsync(_stop.Token).ConfigureAwait(false);
        }
        catch (BridgeException fault)
        {
            LogFailed(batch.Count, fault.Code);
        }
    }

    private RecordPut Put(AccessLine line) => new()
    {
        Namespace = AccessLine.Namespace,
        // The newest first in the order of keys.
        Key = $"{long.MaxValue - line.At:D19}-{Guid.NewGuid():N}",
        Value = JsonSerializer.SerializeToUtf8Bytes(line, AccessRecordJson.Default.AccessLine),
        ExpiresAt = line.At + (long)options.AuditRetention.TotalMilliseconds,
        At = line.At,
    };

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();

    [LoggerMessage(LogEvents.AccessAuditFailed, LogLevel.Warning, "{Count} records of the access audit couldn't be written: {Code}")]
    private partial void LogFailed(int count, string code);
}
