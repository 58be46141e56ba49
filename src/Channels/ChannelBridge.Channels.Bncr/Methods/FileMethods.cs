using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Transfers;
using ChannelBridge.Channels.Bncr.Leases;
using ChannelBridge.Channels.Bncr.Policy;
using ChannelBridge.Channels.Bncr.Routing;
using ChannelBridge.Channels.Bncr.Wire;
using ChannelBridge.Protocol.Json;

namespace ChannelBridge.Channels.Bncr.Methods;

/// <summary>
/// <c>bncr.file.init</c>, <c>chunk</c>, <c>complete</c>, <c>abort</c> and <c>status</c>: a file from a client. Where the existing plugin was lax these are
/// strict, with its own words where it had any.
/// </summary>
internal sealed class FileMethods(BncrAccounts accounts, LeaseTable desk, ITransfers? transfers, BncrOptions options, TimeProvider time)
{
    private const int DefaultChunkSize = 256 * 1024;
    private const int MaxListed = 10_000;
    private const string InitRequired = "transferId/sessionKey/fileSize/chunkSize/totalChunks required";
    private const string ChunkRequired = "transferId/chunkIndex/base64 required";

    // Old clients don't name the account with each chunk: it is the one of the connection's init.
    private readonly ConditionalWeakTable<IClientConnection, Dictionary<string, BncrAccount>> _begun = [];

    public async ValueTask<FileResult> InitAsync(FileInitParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var account = accounts.Resolve(parameters.AccountId, call.Caller);
        if (IsStale(account, parameters)) return Stale(parameters.TransferId);
        var size = Number(parameters.FileSize);
        var chunkSize = parameters.ChunkSize.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null ? DefaultChunkSize : Number(parameters.ChunkSize);
        var total = Number(parameters.TotalChunks);
        if (InboundValidator.Blank(parameters.TransferId) is not { } transferId || InboundValidator.Blank(parameters.SessionKey) is not { } sessionKey
            || size is null || chunkSize is null || total is null)
        {
            throw Refusals.Invalid("missing-field",
                "transferId, sessionKey, fileSize and totalChunks are required; they and chunkSize are whole numbers where they are numbers",
                InitRequired);
        }

        if (!Target.TryParse(sessionKey, out var target) || target.Form is TargetForm.Display or TargetForm.Scope)
        {
            throw Refusals.Invalid(
                "invalid-session-key", "sessionKey is no bncr session key: send agent:<id>:bncr:direct:<hex of platform:groupId:userId>, or that hex", "invalid sessionKey");
        }

        if (parameters.Encoding is not (null or "" or "base64" or "binary")) throw Refusals.Invalid("invalid-encoding", "encoding must be base64 or binary");
        desk.EnsureHolder(account, call.Caller);
        if (call.Caller.Door is not Door.Gateway && !account.Policy.Enabled)
            throw Refusals.Make(ErrorCodes.Forbidden, "account-disabled", $"account '{account.DisplayId}' is disabled", AccountPolicy.AccountDisabled);
        var clientId = InboundValidator.ClientId(parameters.ClientId);
        desk.Touch(
            account, call.Connection, clientId, EventPrefixes.Choose(call.Caller.Door, null, options.EventPrefix), parameters.LeaseId, parameters.ConnectionEpoch);
        var status = await Transfers().InitAsync(
            Client(account, call, clientId),
            new UploadRequest
            {
                TransferId = transferId,
                SessionKey = sessionKey,
                FileName = InboundValidator.Blank(parameters.FileName) ?? "file.bin",
                MimeType = InboundValidator.Blank(parameters.MimeType) ?? MimeSniffer.Unknown,
                FileSize = size.Value,
                ChunkSize = (int)Math.Clamp(chunkSize.Value, int.MinValue, int.MaxValue),
                // An empty file has no chunks; a client that counts one is understood.
                TotalChunks = size == 0 && total == 1 ? 0 : (int)Math.Clamp(total.Value, int.MinValue, int.MaxValue),
                Sha256 = parameters.FileSha256,
                Binary = parameters.Encoding is "binary" && call.Caller.Door is not Door.Gateway,
            },
            cancellationToken).ConfigureAwait(false);
        var begun = _begun.GetOrCreateValue(call.Connection);
        lock (begun)
        {
            if (begun.Count > 10_000) begun.Clear();
            begun[transferId] = account;
        }

        return Describe(status, status.State is "open" ? "init" : status.State) with
        {
            Duplicated = status.Duplicate ? true : null,
            Encoding = status.Binary ? "binary" : "base64",
        };
    }

    /// <summary><c>bncr.file.chunk</c>. Everything up to the transfer's own queue happens before this returns: chunks keep their place before a completion.</summary>
    public ValueTask ChunkAsync(ReadOnlyMemory<byte> parameters, MethodCall call, IBufferWriter<byte> result, CancellationToken cancellationToken)
    {
        var chunk = ChunkReader.Parse(parameters);
        // Through the gateway the bytes come beside the parameters: its plugin has decoded them.
        var decoded = !call.Content.IsEmpty;
        if (InboundValidator.Blank(chunk.TransferId) is not { } transferId || chunk.Index is not { } index || index < 0
            || (decoded ? call.Content : chunk.Data) is not { Length: > 0 } data)
            throw Refusals.Invalid("missing-field", "transferId, chunkIndex (0 or more) and base64 are required", ChunkRequired);
        var account = Account(chunk.AccountId, transferId, call);
        if (LeaseTable.IsStale(account, chunk.LeaseId, chunk.ConnectionEpoch))
        {
            Write(result, Stale(transferId));
            return ValueTask.CompletedTask;
        }

        account.Stats.Heard(time.GetUtcNow().ToUnixTimeMilliseconds());
        var taken = Transfers().ChunkAsync(
            Client(account, call, InboundValidator.ClientId(chunk.ClientId)), transferId,
            new ChunkPiece(index, chunk.Offset, chunk.Size, chunk.Sha256, data, IsBase64: !decoded, WasBase64: true), cancellationToken);
        return AnswerAsync(taken, transferId, result);
    }

    /// <summary>A chunk as a binary message; answered by an event.</summary>
    public async ValueTask BinaryAsync(ReadOnlyMemory<byte> message, MethodCall call, CancellationToken cancellationToken)
    {
        string? transferId = null;
        int? chunkIndex = null;
        FileAckEvent answer;
        try
        {
            var task = TakeBinary(message, call, out transferId, out chunkIndex, cancellationToken);
            var taken = await task.ConfigureAwait(false);
            answer = new FileAckEvent
            {
                TransferId = transferId,
                ChunkIndex = taken.Index,
                Offset = taken.Offset,
                Ok = true,
                Duplicated = taken.Duplicate ? true : null,
                Received = taken.Received,
                TotalChunks = taken.TotalChunks,
                Ts = Now,
            };
        }
        catch (BridgeException fault)
        {
            answer = new FileAckEvent
            {
                TransferId = transferId,
                ChunkIndex = chunkIndex,
                ErrorCode = fault.Code,
                ErrorMessage = fault.Message,
                Error = fault.LegacyText,
                Retryable = fault.Retryable ? true : null,
                Ts = Now,
            };
        }

        var payload = JsonSerializer.SerializeToUtf8Bytes(answer, FileJson.Default.FileAckEvent);
        await call.Connection.PushAsync(Prefix(call, transferId) + EventPrefixes.FileAck, payload, CancellationToken.None).ConfigureAwait(false);
    }

    public async ValueTask<FileResult> CompleteAsync(FileParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var (transferId, account) = Named(parameters, call);
        if (IsStale(account, parameters)) return Stale(transferId);
        var status = await Transfers().CompleteAsync(
            Client(account, call, InboundValidator.ClientId(parameters.ClientId)), transferId, parameters.FileSha256, cancellationToken).ConfigureAwait(false);
        return WithFile(new FileResult { TransferId = transferId, Duplicated = status.Duplicate ? true : null }, status);
    }

    public async ValueTask<FileResult> AbortAsync(FileParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var (transferId, account) = Named(parameters, call);
        if (IsStale(account, parameters)) return Stale(transferId);
        var found = await Transfers().AbortAsync(
            Client(account, call, InboundValidator.ClientId(parameters.ClientId)), transferId, cancellationToken).ConfigureAwait(false);
        return found ? new FileResult { TransferId = transferId, Status = "aborted" } : new FileResult { TransferId = transferId, Message = "not-found" };
    }

    public async ValueTask<FileResult> StatusAsync(FileParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var (transferId, account) = Named(parameters, call);
        var status = await Transfers().StatusAsync(
            Client(account, call, InboundValidator.ClientId(parameters.ClientId)), transferId, cancellationToken).ConfigureAwait(false);
        return WithFile(Describe(status), status);
    }

    /// <summary>How far a transfer is, with its rate.</summary>
    public static FileResult Describe(TransferStatus status) => Describe(status, status.State) with
    {
        Encoding = status.Binary ? "binary" : "base64",
        BytesPerSecond = status.State is "open" ? (long)status.Rate : null,
        LeftMs = status.Left is { } left ? (long)left.TotalMilliseconds : null,
    };

    /// <summary>What the caller means by a transfer's id, of those methods that name an account only sometimes.</summary>
    public BncrAccount Account(string? accountId, string transferId, MethodCall call)
    {
        if (InboundValidator.Blank(accountId) is null && _begun.TryGetValue(call.Connection, out var begun))
        {
            lock (begun)
            {
                if (begun.TryGetValue(transferId, out var account)) return account;
            }
        }

        return accounts.Look(accountId, call.Caller);
    }

    public static string HolderOf(Caller caller) => caller.Door is Door.Gateway ? caller.Name + "@gateway" : caller.Name;

    private ValueTask<ChunkTaken> TakeBinary(
        ReadOnlyMemory<byte> message, MethodCall call, out string? transferId, out int? chunkIndex, CancellationToken cancellationToken)
    {
        transferId = null;
        chunkIndex = null;
        var chunk = ChunkReader.ParseBinary(message);
        transferId = InboundValidator.Blank(chunk.TransferId);
        if (transferId is null || chunk.Index is not { } index || index < 0)
            throw Refusals.Invalid("missing-field", "transferId and chunkIndex (0 or more) are required in the header of a binary message", ChunkRequired);
        chunkIndex = (int)Math.Min(index, int.MaxValue);
        var account = Account(chunk.AccountId, transferId, call);
        if (LeaseTable.IsStale(account, chunk.LeaseId, chunk.ConnectionEpoch)) throw Refusals.Make(ErrorCodes.Conflict, "stale-lease", "the lease is stale; call bncr.connect");
        account.Stats.Heard(Now);
        return Transfers().ChunkAsync(
            Client(account, call, InboundValidator.ClientId(chunk.ClientId)), transferId,
            new ChunkPiece(index, chunk.Offset, chunk.Size, chunk.Sha256, chunk.Data!.Value, IsBase64: false), cancellationToken);
    }

    private static async ValueTask AnswerAsync(ValueTask<ChunkTaken> task, string transferId, IBufferWriter<byte> result)
    {
        var taken = await task.ConfigureAwait(false);
        Write(result, new FileResult
        {
            TransferId = transferId,
            ChunkIndex = taken.Index,
            Offset = taken.Offset,
            Received = taken.Received,
            TotalChunks = taken.TotalChunks,
            Duplicated = taken.Duplicate ? true : null,
        });
    }

    private (string TransferId, BncrAccount Account) Named(FileParams parameters, MethodCall call)
    {
        if (InboundValidator.Blank(parameters.TransferId) is not { } transferId)
            throw Refusals.Invalid("missing-transfer-id", "transferId is required", "transferId required");
        return (transferId, Account(parameters.AccountId, transferId, call));
    }

    private static TransferClient Client(BncrAccount account, MethodCall call, string? clientId)
    {
        if (clientId is null)
        {
            lock (account.Gate) clientId = account.Sessions.TryGetValue(call.Connection.Id, out var session) ? session.ClientId : null;
        }

        return new TransferClient(BncrChannel.ChannelId, account.DisplayId, HolderOf(call.Caller), clientId, call.Connection);
    }

    private bool IsStale(BncrAccount account, LeaseParams parameters)
    {
        var stale = LeaseTable.IsStale(account, parameters.LeaseId, parameters.ConnectionEpoch);
        if (!stale) account.Stats.Heard(Now);
        return stale;
    }

    private static FileResult Stale(string? transferId) => new() { TransferId = transferId ?? "", Accepted = false, Stale = true, Ignored = true };

    private static FileResult Describe(TransferStatus status, string state) => new()
    {
        TransferId = status.TransferId,
        Status = state,
        FileSize = status.FileSize,
        ChunkSize = status.ChunkSize,
        TotalChunks = status.TotalChunks,
        Received = status.Received,
        ReceivedBytes = status.ReceivedBytes,
        ReceivedRanges = [.. status.Arrived.Select(range => new[] { range.First, range.Last })],
        MissingRanges = [.. status.Missing.Select(range => new[] { range.First, range.Last })],
        Missing = [.. status.Missing.SelectMany(range => Enumerable.Range(range.First, range.Last - range.First + 1)).Take(MaxListed)],
    };

    private static FileResult WithFile(FileResult result, TransferStatus status) => status.File is not { } file
        ? result
        : result with
        {
            Path = status.Path,
            Size = file.Size,
            FileName = file.FileName ?? "file.bin",
            MimeType = file.MimeType,
            FileSha256 = file.Sha256,
        };

    private static long? Number(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Number when WholeNumbers.TryGet(value, out var whole) => whole,
        JsonValueKind.String when long.TryParse(value.GetString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var text) => text,
        _ => null,
    };

    private string Prefix(MethodCall call, string? transferId)
    {
        var account = Account(null, transferId ?? "", call);
        lock (account.Gate)
        {
            if (account.Sessions.TryGetValue(call.Connection.Id, out var session)) return session.EventPrefix;
        }

        return EventPrefixes.Choose(call.Caller.Door, null, options.EventPrefix);
    }

    private static void Write(IBufferWriter<byte> output, FileResult result)
    {
        using var json = new Utf8JsonWriter(output);
        JsonSerializer.Serialize(json, result, FileJson.Default.FileResult);
    }

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    private ITransfers Transfers() => transfers ?? throw BridgeException.Unavailable("this host takes no files");
}
