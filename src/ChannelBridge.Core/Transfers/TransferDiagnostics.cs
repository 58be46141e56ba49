using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Diagnostics;

namespace ChannelBridge.Core.Transfers;

/// <summary>The section <c>transfers</c>: the spool, its quotas, and what is under way.</summary>
internal sealed class TransferDiagnostics(Spool spool, Uploads uploads, Downloads downloads, TransferQuota quota, TransferOptions options) : IDiagnosticsSource
{
    private const int Shown = 50;

    public string Section => "transfers";

    public ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken)
    {
        var (bytes, open, files) = quota.Totals;
        var running = new JsonArray();
        foreach (var upload in uploads.Open.OrderByDescending(upload => upload.LastUsed).Take(Shown))
        {
            lock (upload.Gate)
            {
                running.Add((JsonNode)new JsonObject
                {
                    ["transferId"] = upload.Record.TransferId,
                    ["direction"] = "upload",
                    ["channel"] = upload.Record.Channel,
                    ["accountId"] = upload.Record.Account,
                    ["bytes"] = upload.ReceivedBytes,
                    ["totalBytes"] = upload.Record.FileSize,
                    ["bytesPerSecond"] = Math.Round(upload.Meter.Rate),
                    ["leftMs"] = upload.Meter.Left(upload.ReceivedBytes) is { } left ? (long)left.TotalMilliseconds : null,
                    ["connected"] = upload.Connection is { Closed.IsCancellationRequested: false },
                });
            }
        }

        foreach (var download in downloads.Running.Take(Shown))
        {
            running.Add((JsonNode)new JsonObject
            {
                ["transferId"] = download.Offer.TransferId,
                ["direction"] = "download",
                ["channel"] = download.Offer.Message.Channel,
                ["accountId"] = download.Account,
                ["bytes"] = download.ConfirmedBytes,
                ["totalBytes"] = download.Meter.Total,
                ["bytesPerSecond"] = Math.Round(download.Meter.Rate),
                ["leftMs"] = download.Meter.Left(download.ConfirmedBytes) is { } left ? (long)left.TotalMilliseconds : null,
                ["connected"] = true,
            });
        }

        var section = new JsonObject
        {
            ["folder"] = options.Folder,
            ["freeBytes"] = spool.Folder.FreeBytes,
            ["bytes"] = bytes,
            ["maxBytes"] = options.TotalBytes,
            ["files"] = files,
            ["open"] = open,
            ["maxOpen"] = options.TotalTransfers,
            ["running"] = running,
        };
        return ValueTask.FromResult(section);
    }
}
