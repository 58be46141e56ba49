using System.Globalization;
using System.Text.Json;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Channels.Bncr.Leases;
using ChannelBridge.Channels.Bncr.Wire;
using ChannelBridge.Protocol.Json;

namespace ChannelBridge.Channels.Bncr.Methods;

/// <summary><c>bncr.file.ack</c>: a client's word about a file that it is sent; and <c>bncr.file.abort</c>, which serves both directions.</summary>
internal sealed class FileAckMethod(BncrAccounts accounts, LeaseTable desk, LeaseContext context, FileMethods uploads)
{
    public ValueTask<FileResult> InvokeAsync(FileAckParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var stage = InboundValidator.Blank(parameters.Stage);
        if (InboundValidator.Blank(parameters.TransferId) is not { } transferId || stage is null)
            throw Refusals.Invalid("missing-field", "transferId and stage are required", "transferId/stage required");
        if (stage is not ("init" or "chunk" or "complete" or "abort"))
            throw Refusals.Invalid("invalid-stage", "stage must be init, chunk, complete or abort", "transferId/stage required");
        var index = Index(parameters.ChunkIndex);
        if (stage is "chunk" && index is null) throw Refusals.Invalid("missing-field", "chunkIndex (0 or more) is required for stage chunk", "chunkIndex required");
        var account = accounts.Resolve(parameters.AccountId, call.Caller);
        desk.EnsureHolder(account, call.Caller);
        account.Stats.Heard(context.Now);
        var ok = parameters.Ok ?? true;
        var counts = context.Files is { } files && files.Ack(
            account.DisplayId,
            transferId,
            call.Connection,
            new FileAck
            {
                Stage = stage,
                ChunkIndex = index,
                Ok = ok,
                Path = parameters.Path,
                Error = parameters.ErrorMessage ?? parameters.ErrorCode,
                Binary = parameters.Encoding is "binary",
                Has = Has(parameters),
            });
        return ValueTask.FromResult(new FileResult { TransferId = transferId, Stage = stage, State = !counts ? "late" : ok ? "ok" : "failed" });
    }

    public ValueTask<FileResult> AbortAsync(FileParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        if (InboundValidator.Blank(parameters.TransferId) is { } transferId && context.Files is { } files)
        {
            var account = accounts.Look(parameters.AccountId, call.Caller);
            if (files.Ack(account.DisplayId, transferId, call.Connection, new FileAck { Stage = "abort", Ok = false, Error = parameters.Reason }))
                return ValueTask.FromResult(new FileResult { TransferId = transferId, Status = "aborted" });
        }

        return uploads.AbortAsync(parameters, call, cancellationToken);
    }

    /// <summary><c>bncr.file.status</c>, of a transfer in either direction.</summary>
    public ValueTask<FileResult> StatusAsync(FileParams parameters, MethodCall call, CancellationToken cancellationToken) =>
        InboundValidator.Blank(parameters.TransferId) is { } transferId
        && context.Files?.Status(accounts.Look(parameters.AccountId, call.Caller).DisplayId, transferId) is { } status
            ? ValueTask.FromResult(FileMethods.Describe(status))
            : uploads.StatusAsync(parameters, call, cancellationToken);

    private static List<(int First, int Last)>? Has(FileAckParams parameters)
    {
        if (parameters.ReceivedRanges is { } ranges)
        {
            if (Array.Exists(ranges, range => range is not { Length: 2 })) throw Refusals.Invalid("invalid-ranges", "receivedRanges must be pairs of first and last index");
            return [.. ranges.Select(range => (range[0], range[1]))];
        }

        if (parameters.Missing is not { } missing) return null;
        var has = new List<(int, int)>();
        var next = 0;
        foreach (var index in missing.Where(index => index >= 0).Order())
        {
            if (index > next) has.Add((next, index - 1));
            next = Math.Max(next, index + 1);
        }

        has.Add((next, int.MaxValue - 1));
        return has;
    }

    private static int? Index(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Number when WholeNumbers.TryGet(value, out var number) && number is >= 0 and <= int.MaxValue => (int)number,
        JsonValueKind.String when int.TryParse(value.GetString(), NumberStyles.None, CultureInfo.InvariantCulture, out var text) => text,
        _ => null,
    };
}
