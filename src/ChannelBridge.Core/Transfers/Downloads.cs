using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Transfers;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Transfers;

/// <summary>
/// Sends files to clients: several chunks at a time, each confirmed; what was confirmed isn't sent again after a broken connection or a restart of the
/// host. How many are under way adapts: one more with each confirmation, half as many when one fails or is late.
/// </summary>
internal sealed partial class Downloads(
    IStore store, ISpool spool, TransferEvents events, DownloadOptions options, TimeProvider time, ILogger<Downloads> logger) : IFileSender
{
    private const int MostDone = 10_000;
    private readonly ConcurrentDictionary<string, Download> _running = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<Guid, (string Connection, string Path)> _done = new();

    /// <summary>The transfers that run.</summary>
    public IEnumerable<Download> Running => _running.Values;

    public bool Ack(string account, string transferId, IClientConnection connection, FileAck ack)
    {
        if (!_running.TryGetValue(transferId, out var download) || !string.Equals(download.Account, account, StringComparison.OrdinalIgnoreCase)) return false;
        if (download.Sink.Connection.Id != connection.Id) throw TransferErrors.NotOwner();
        return download.Take(ack);
    }

    public TransferStatus? Status(string account, string transferId) =>
        _running.TryGetValue(transferId, out var download) && string.Equals(download.Account, account, StringComparison.OrdinalIgnoreCase) ? download.Describe() : null;

    public int AwaitingAcks(string account) =>
        _running.Values.Where(download => string.Equals(download.Account, account, StringComparison.OrdinalIgnoreCase)).Sum(download => download.AwaitingAcks);

    public async ValueTask<string?> SendAsync(Guid messageId, OutboundMessage message, IFileSink sink, CancellationToken cancellationToken)
    {
        if (_done.TryGetValue(messageId, out var done) && done.Connection == sink.Connection.Id) return done.Path;
        var file = message.Attachment!;
        var source = spool.OpenRead(file);
        await using (source.ConfigureAwait(false))
        {
            var download = await LoadAsync(messageId, message, sink, source.Length, cancellationToken).ConfigureAwait(false);
            if (!_running.TryAdd(download.Offer.TransferId, download))
                throw BridgeException.Unavailable("the file is on its way to an earlier connection still; it goes on in a moment", TimeSpan.FromSeconds(1));
            try
            {
                var path = await RunAsync(download, source, cancellationToken).ConfigureAwait(false);
                if (path is null) return null;
                if (_done.Count >= MostDone) _done.Clear();
                _done[messageId] = (sink.Connection.Id, path);
                Tell(download, "complete");
                return path;
            }
            finally
            {
                _running.TryRemove(download.Offer.TransferId, out _);
                await RememberAsync(download).ConfigureAwait(false);
            }
        }
    }

    private async ValueTask<Download> LoadAsync(Guid messageId, OutboundMessage message, IFileSink sink, long size, CancellationToken cancellationToken)
    {
        var key = messageId.ToString("N");
        var chunks = (int)Math.Max(0, (size + options.ChunkBytes - 1) / options.ChunkBytes);
        var stored = await store.GetRecordAsync(TransferJson.Downloads, key, cancellationToken).ConfigureAwait(false);
        var known = stored is null ? null : TransferJson.Read(stored.Value, TransferJson.Default.DownloadRecord);
        // The size of chunks is a setting: a transfer that has begun keeps its own.
        var chunkSize = known?.ChunkSize ?? options.ChunkBytes;
        if (known is not null) chunks = known.TotalChunks;
        var map = known is null ? new ChunkMap(chunks) : ChunkMap.Parse(known.Confirmed, chunks);
        var round = known?.Round ?? 0;
        var transferId = round == 0 ? messageId.ToString("D") : $"{messageId:D}-{round}";
        var offer = new FileOffer(transferId, message, message.Attachment! with { Size = size }, chunkSize, chunks, map.Ranges(present: true));
        return new Download(key, offer, sink, map, round, new TransferMeter(time, size), resumed: map.Present > 0);
    }

    private async Task<string?> RunAsync(Download download, Stream source, CancellationToken cancellationToken)
    {
        var sink = download.Sink;
        var offer = download.Offer;
        using var closed = sink.Connection.Closed.UnsafeRegister(static state => ((Download)state!).Wake(), download);
        if (!Sent(await sink.InitAsync(offer, cancellationToken).ConfigureAwait(false))) return null;
        if (await WaitAsync(download, "init", options.AckTimeout, cancellationToken).ConfigureAwait(false) is not { } agreed) return null;
        if (!agreed.Ok) throw Refused(download, "file-init-refused", agreed);
        if (agreed.Has is { } has) download.Begin(has);
        var binary = agreed.Binary && sink.Connection.TakesBinary;
        if (!await SendChunksAsync(download, source, binary, cancellationToken).ConfigureAwait(false)) return null;
        await RememberAsync(download).ConfigureAwait(false);
        if (!Sent(await sink.CompleteAsync(offer, cancellationToken).ConfigureAwait(false))) return null;
        if (await WaitAsync(download, "complete", options.CompleteTimeout, cancellationToken).ConfigureAwait(false) is not { } last) return null;
        if (last.Ok) return last.Path ?? "";
        // A client that forgot what it had confirmed can't complete: the next attempt begins anew, under another id.
        download.StartOver();
        throw Refused(download, "file-complete-refused", last);
    }

    /// <summary>Sends what isn't confirmed until all is; false when the client is gone.</summary>
    private async Task<bool> SendChunksAsync(Download download, Stream source, bool binary, CancellationToken cancellationToken)
    {
        var window = new SendWindow(options.FirstWindow, Math.Max(1, Math.Min(options.MaxWindow, (int)(options.WindowBytes / download.Offer.ChunkSize))));
        var buffers = new byte[2][];
        buffers[0] = System.Buffers.ArrayPool<byte>.Shared.Rent(download.Offer.ChunkSize);
        buffers[1] = System.Buffers.ArrayPool<byte>.Shared.Rent(download.Offer.ChunkSize);
        var flushing = ValueTask.FromResult(PushOutcome.Flushed);
        var turn = 0;
        try
        {
            while (true)
            {
                if (IsGone(download)) return false;
                download.Review(window, time, options);
                if (download.IsConfirmed) return true;
                if (download.NextToSend(window.Size) is { } index)
                {
                    // The next chunk is read while the last one is still on its way out; never more, so that messages find room between them.
                    var buffer = buffers[turn ^= 1].AsMemory(0, download.SizeOf(index));
                    source.Position = (long)index * download.Offer.ChunkSize;
                    await source.ReadExactlyAsync(buffer, cancellationToken).ConfigureAwait(false);
                    var outcome = await flushing.ConfigureAwait(false);
                    flushing = ValueTask.FromResult(PushOutcome.Flushed);
                    if (outcome == PushOutcome.Gone) return false;
                    if (outcome == PushOutcome.Full)
                    {
                        window.Shrink();
                        await download.WaitAsync(options.FullDelay, time, cancellationToken).ConfigureAwait(false);
                    }

                    download.NoteSent(index, time.GetTimestamp());
                    flushing = download.Sink.ChunkAsync(download.Offer, index, buffer, binary, cancellationToken);
                    continue;
                }

                if (await flushing.ConfigureAwait(false) == PushOutcome.Gone) return false;
                flushing = ValueTask.FromResult(PushOutcome.Flushed);
                await download.WaitAsync(options.LookInterval, time, cancellationToken).ConfigureAwait(false);
                if (download.Unsaved * (long)download.Offer.ChunkSize >= options.RememberBytes) await RememberAsync(download).ConfigureAwait(false);
                if (download.MeterDue) Tell(download, "open");
            }
        }
        catch (BridgeException fault)
        {
            _ = await flushing.ConfigureAwait(false);
            await download.Sink.AbortAsync(download.Offer, fault.Message, CancellationToken.None).ConfigureAwait(false);
            Tell(download, "aborted");
            throw;
        }
        finally
        {
            _ = await flushing.ConfigureAwait(false);
            foreach (var buffer in buffers) System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async Task<FileAck?> WaitAsync(Download download, string stage, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var waiting = download.AwaitStage();
        var began = time.GetTimestamp();
        while (true)
        {
            if (IsGone(download)) return null;
            if (download.Answer(stage) is { } answer) return answer;
            var left = timeout - time.GetElapsedTime(began);
            if (left <= TimeSpan.Zero)
            {
                throw Late(download, $"file-{stage}-timeout", $"the client didn't confirm the file's {stage} within {timeout.TotalSeconds:0} s");
            }

            await download.WaitAsync(left < options.LookInterval ? left : options.LookInterval, time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Notes what is confirmed. It is a hint that spares work, so a failure is only logged.</summary>
    private async Task RememberAsync(Download download)
    {
        var record = download.ToRecord();
        try
        {
            await store.CommitAsync(
                new RecordPut
                {
                    Namespace = TransferJson.Downloads,
                    Key = download.Key,
                    Value = TransferJson.Write(record, TransferJson.Default.DownloadRecord),
                    ExpiresAt = time.GetUtcNow().ToUnixTimeMilliseconds() + (long)options.Remember.TotalMilliseconds,
                    At = time.GetUtcNow().ToUnixTimeMilliseconds(),
                }).ConfigureAwait(false);
        }
        catch (BridgeException fault)
        {
            LogNotRemembered(logger, download.Offer.TransferId, fault);
        }
    }

    private void Tell(Download download, string state) => events.Changed(
        download.Offer.Message.Channel, download.Account, download.Offer.TransferId, "download", download.Offer.File.FileName, state, download.ConfirmedBytes, download.Meter);

    private static bool IsGone(Download download) => download.Sink.Connection.Closed.IsCancellationRequested || !download.Sink.IsWanted;

    private static bool Sent(PushOutcome outcome) => outcome == PushOutcome.Flushed;

    private static BridgeException Refused(Download download, string reason, FileAck ack) => new(
        ErrorCodes.Conflict, $"the client refused file transfer {download.Offer.TransferId}: {ack.Error ?? "no reason given"}")
    {
        Retryable = true,
        Details = new System.Text.Json.Nodes.JsonObject { ["reason"] = reason },
    };

    internal static BridgeException Late(Download download, string reason, string message) => new(ErrorCodes.Timeout, $"file transfer {download.Offer.TransferId}: {message}")
    {
        Retryable = true,
        Details = new System.Text.Json.Nodes.JsonObject { ["reason"] = reason },
    };

    [LoggerMessage(LogEvents.DownloadsNotRemembered, LogLevel.Warning, "Transfer {TransferId}: what the client has confirmed couldn't be noted; after a restart it is sent again.")]
    private static partial void LogNotRemembered(ILogger logger, string transferId, Exception fault);
}

/// <summary>The rules by which files go to clients.</summary>
internal sealed record DownloadOptions
{
    public int ChunkBytes { get; init; } = 256 * 1024;

    public TimeSpan AckTimeout { get; init; } = TimeSpan.FromSeconds(30);

    public TimeSpan CompleteTimeout { get; init; } = TimeSpan.FromSeconds(60);

    public int MaxTries { get; init; } = 3;

    public int FirstWindow { get; init; } = 4;

    public int MaxWindow { get; init; } = 32;

    /// <summary>Bytes that may be under way.</summary>
    public long WindowBytes { get; init; } = 8 << 20;

    /// <summary>How many confirmed bytes may be forgotten in a crash.</summary>
    public long RememberBytes { get; init; } = 16 << 20;

    /// <summary>How long a transfer that stands still is remembered.</summary>
    public TimeSpan Remember { get; init; } = TimeSpan.FromDays(7);

    /// <summary>How often it is looked whether the client is still the one.</summary>
    public TimeSpan LookInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    public TimeSpan FullDelay { get; init; } = TimeSpan.FromMilliseconds(100);
}
