using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Transfers;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace ChannelBridge.Core.Transfers;

/// <inheritdoc cref="ITransfers"/>
internal sealed partial class Uploads : ITransfers, IDisposable
{
    private const int MaxTransferId = 128;
    private const long SyncBytes = 16 << 20;
    private static readonly TimeSpan SyncDelay = TimeSpan.FromMilliseconds(300);

    private readonly IStore _store;
    private readonly Spool _spool;
    private readonly TransferQuota _quota;
    private readonly TransferEvents _events;
    private readonly TransferOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<string, Upload> _uploads = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim[] _gates = [.. Enumerable.Range(0, 64).Select(_ => new SemaphoreSlim(1, 1))];
    private readonly ITimer _syncTimer;
    private int _syncArmed;

    public Uploads(
        IStore store, Spool spool, TransferQuota quota, TransferEvents events, TransferOptions options, TimeProvider time, ILogger<Uploads> logger)
    {
        _store = store;
        _spool = spool;
        _quota = quota;
        _events = events;
        _options = options;
        _time = time;
        _logger = logger;
        _syncTimer = time.CreateTimer(static state => ((Uploads)state!).SyncDue(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The transfers in memory.</summary>
    public IEnumerable<Upload> Open => _uploads.Values;

    /// <summary>Bytes that open transfers have declared and that haven't arrived: the disk still owes them.</summary>
    public long Promised => _uploads.Values.Sum(upload =>
    {
        lock (upload.Gate) return upload.Record.FileSize - upload.ReceivedBytes;
    });

    public void Dispose()
    {
        _syncTimer.Dispose();
        foreach (var upload in _uploads.Values) upload.Dispose();
        foreach (var gate in _gates) gate.Dispose();
    }

    public async ValueTask<TransferStatus> InitAsync(TransferClient client, UploadRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        request = Check(request);
        var key = KeyOf(client, request.TransferId);
        using (await EnterAsync(key, cancellationToken).ConfigureAwait(false))
        {
            if (await FindAsync(key, cancellationToken).ConfigureAwait(false) is not { } known) return await BeginAsync(client, key, request).ConfigureAwait(false);
            RequireOwner(known, client, takesOver: true);
            var record = known.Record;
            if (record.FileSize != request.FileSize || record.ChunkSize != request.ChunkSize || record.TotalChunks != request.TotalChunks
                || (record.Sha256 is not null && request.Sha256 is not null && record.Sha256 != request.Sha256))
            {
                throw TransferErrors.Conflict(
                    "transfer-differs",
                    $"transferId names another file of this account ({record.FileSize} bytes in {record.TotalChunks} chunks of "
                        + $"{record.ChunkSize}); use another transferId, or abort that one");
            }

            if (record.File is not null) return Describe(known, duplicate: true);
            known.Record.Binary |= request.Binary;
            known.Connection = client.Connection;
            known.LastUsed = _time.GetTimestamp();
            CatchUp(known);
            return Describe(known, duplicate: true);
        }
    }

    public ValueTask<ChunkTaken> ChunkAsync(TransferClient client, string transferId, ChunkPiece piece, CancellationToken cancellationToken = default)
    {
        if (!_uploads.TryGetValue(KeyOf(client, transferId), out var upload)) return LoadAndTakeAsync(client, transferId, piece, cancellationToken);
        // In the order of the messages: a completion that came behind this chunk waits for it.
        upload.Enter();
        return TakeAsync(client, upload, piece);
    }

    public async ValueTask<TransferStatus> CompleteAsync(
        TransferClient client, string transferId, string? sha256, CancellationToken cancellationToken = default)
    {
        var hash = CheckHash(sha256, "fileSha256");
        var key = KeyOf(client, transferId);
        using (await EnterAsync(key, cancellationToken).ConfigureAwait(false))
        {
            var upload = await FindAsync(key, cancellationToken).ConfigureAwait(false) ?? throw TransferErrors.NotFound();
            RequireOwner(upload, client, takesOver: false);
            if (upload.Record.File is not null) return Describe(upload, duplicate: true);
            if (hash is not null && upload.Record.Sha256 is { } declared && declared != hash) throw FileHashMismatch();
            lock (upload.Gate) upload.Closing = true;
            try
            {
                await upload.QuietAsync().ConfigureAwait(false);
                return await FinishAsync(client, key, upload, hash).ConfigureAwait(false);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                LogFailed(_logger, key, fault);
                throw TransferErrors.Translate(fault);
            }
            finally
            {
                lock (upload.Gate) upload.Closing = false;
            }
        }
    }

    public async ValueTask<bool> AbortAsync(TransferClient client, string transferId, CancellationToken cancellationToken = default)
    {
        var key = KeyOf(client, transferId);
        using (await EnterAsync(key, cancellationToken).ConfigureAwait(false))
        {
            if (await FindAsync(key, cancellationToken).ConfigureAwait(false) is not { } upload) return false;
            RequireOwner(upload, client, takesOver: true);
            if (upload.Record.File is not null)
            {
                throw TransferErrors.Conflict("transfer-complete", "the transfer is complete and can't be aborted; its file is removed when it is no longer needed");
            }

            await DropAsync(key, upload).ConfigureAwait(false);
            _events.Changed(client.Channel, client.Account, transferId, "upload", upload.Record.FileName, "aborted", 0, upload.Meter);
            return true;
        }
    }

    public async ValueTask<TransferStatus> StatusAsync(TransferClient client, string transferId, CancellationToken cancellationToken = default)
    {
        var key = KeyOf(client, transferId);
        using (await EnterAsync(key, cancellationToken).ConfigureAwait(false))
        {
            var upload = await FindAsync(key, cancellationToken).ConfigureAwait(false) ?? throw TransferErrors.NotFound();
            RequireReader(upload, client);
            return Describe(upload, duplicate: true);
        }
    }

    /// <summary>Gives a transfer up: nobody has sent anything for long.</summary>
    public async Task AbandonAsync(string key, Func<Upload, bool> ifStill)
    {
        using (await EnterAsync(key, CancellationToken.None).ConfigureAwait(false))
        {
            if (await FindAsync(key, CancellationToken.None).ConfigureAwait(false) is not { Record.File: null } upload || !ifStill(upload)) return;
            await DropAsync(key, upload).ConfigureAwait(false);
            LogAbandoned(_logger, key);
        }
    }

    /// <summary>Makes durable what has arrived; at the stop of the host.</summary>
    public async Task StopAsync()
    {
        foreach (var (key, upload) in _uploads) await SyncAsync(key, upload).ConfigureAwait(false);
    }

    internal static string KeyOf(TransferClient client, string transferId) => $"{client.AccountKey}/{transferId}";

    internal static string KeyOf(UploadRecord record) => $"{Spool.KeyOf(record.Channel, record.Account)}/{record.TransferId}";

    private static UploadRequest Check(UploadRequest request)
    {
        if (request.TransferId.Length is 0 or > MaxTransferId || request.TransferId.Any(char.IsControl))
            throw TransferErrors.Invalid("invalid-transfer-id", $"transferId must have 1 to {MaxTransferId} characters without control characters");
        return request with { Sha256 = CheckHash(request.Sha256, "fileSha256") };
    }

    private void CheckSizes(UploadRequest request)
    {
        if (request.FileSize < 0) throw TransferErrors.Invalid("invalid-file-size", "fileSize must not be negative");
        if (request.FileSize > _options.MaxFileBytes)
            throw TransferErrors.TooLarge("file-too-large", $"fileSize is {request.FileSize}; at most {_options.MaxFileBytes} bytes are taken (Store:Files:MaxFileBytes)");
        if (request.ChunkSize < 1) throw TransferErrors.Invalid("invalid-chunk-size", "chunkSize must be 1 or more");
        if (request.ChunkSize > _options.MaxChunkBytes)
            throw TransferErrors.TooLarge("chunk-too-large", $"chunkSize is {request.ChunkSize}; at most {_options.MaxChunkBytes} bytes are taken (Store:Files:MaxChunkBytes)");
        var chunks = (request.FileSize + request.ChunkSize - 1) / request.ChunkSize;
        if (chunks > _options.MaxChunks)
            throw TransferErrors.TooLarge("too-many-chunks", $"that makes {chunks} chunks; at most {_options.MaxChunks} are taken: choose a larger chunkSize");
        if (request.TotalChunks != chunks)
            throw TransferErrors.Invalid("chunks-mismatch", $"totalChunks is {request.TotalChunks}, but {request.FileSize} bytes in chunks of {request.ChunkSize} make {chunks}");
    }

    private static string? CheckHash(string? sha256, string field)
    {
        if (string.IsNullOrWhiteSpace(sha256)) return null;
        var text = sha256.Trim().ToLowerInvariant();
        return text.Length == 64 && text.All(char.IsAsciiHexDigitLower)
            ? text
            : throw TransferErrors.Invalid("invalid-sha256", $"{field} must be a SHA-256 of 64 hexadecimal digits");
    }

    private async ValueTask<TransferStatus> BeginAsync(TransferClient client, string key, UploadRequest request)
    {
        CheckSizes(request);
        var account = client.AccountKey;
        _spool.CheckRoom(account, request.FileSize, Promised);
        _quota.OpenTransfer(account, request.FileSize);
        var now = Now;
        var record = new UploadRecord
        {
            Channel = client.Channel,
            Account = client.Account,
            TransferId = request.TransferId,
            Holder = client.Holder,
            ClientId = client.ClientId,
            SessionKey = request.SessionKey,
            FileName = FileNames.Sanitize(request.FileName),
            MimeType = request.MimeType,
            FileSize = request.FileSize,
            ChunkSize = request.ChunkSize,
            TotalChunks = request.TotalChunks,
            Sha256 = request.Sha256,
            Part = SpoolFolder.NewName(),
            Spool = _spool.Folder.Id,
            CreatedAt = now,
            UpdatedAt = now,
            Binary = request.Binary,
        };
        try
        {
            _spool.Folder.CreatePart(record.Part, record.FileSize);
            var put = PutRecord(key, record, expected: null);
            await _store.CommitAsync(put).ConfigureAwait(false);
            var upload = Make(record, put.Version, new ChunkMap(record.TotalChunks));
            upload.Connection = client.Connection;
            _uploads[key] = upload;
            return Describe(upload, duplicate: false);
        }
        catch (Exception fault)
        {
            _quota.CloseTransfer(account, request.FileSize);
            _spool.Folder.DeletePart(record.Part);
            if (fault is IOException or UnauthorizedAccessException) throw TransferErrors.Translate(fault);
            throw;
        }
    }

    /// <summary>
    /// Who may ask: the client itself, from wherever, and one of the same token that doesn't say who it is.
    /// </summary>
    private static void RequireReader(Upload upload, TransferClient client)
    {
        var another = upload.Record.ClientId is { } owner && client.ClientId is { } asks && owner != asks && upload.Connection?.Id != client.Connection.Id;
        if (upload.Record.Holder != client.Holder || another) throw TransferErrors.NotOwner();
    }

    /// <summary>
    /// The transfer's own client: the same token, and either the same connection, or the same client id, or nobody else any more. A client that
    /// reconnects before its old connection is known to be dead needs its client id.
    /// </summary>
    private static void RequireOwner(Upload upload, TransferClient client, bool takesOver)
    {
        var record = upload.Record;
        if (upload.Gone) throw TransferErrors.NotFound();
        if (record.Holder != client.Holder) throw TransferErrors.NotOwner();
        if (ReferenceEquals(upload.Connection, client.Connection) || upload.Connection?.Id == client.Connection.Id) return;
        if (record.ClientId is not null && client.ClientId is not null)
        {
            if (record.ClientId != client.ClientId) throw TransferErrors.NotOwner();
            upload.Connection = client.Connection;
            return;
        }

        if (upload.Connection is { Closed.IsCancellationRequested: false }) throw TransferErrors.NotOwner();
        if (!takesOver && upload.Connection is not null && record.ClientId is not null) throw TransferErrors.NotOwner();
        upload.Connection = client.Connection;
    }

    private static BridgeException SizeMismatch(long expected, long got) => TransferErrors.Invalid(
        "chunk-size-mismatch", $"the chunk has {got} bytes instead of {expected}", $"chunk size mismatch expected={expected} got={got}");

    private static BridgeException FileHashMismatch() => TransferErrors.Invalid(
        "file-hash-mismatch", "the file doesn't have the SHA-256 that was declared; all of its chunks must be sent again", "file sha256 mismatch");

    private SafeFileHandle OpenPart(Upload upload)
    {
        try
        {
            return _spool.Folder.OpenPart(upload.Record.Part);
        }
        catch (FileNotFoundException) when (upload.Gone)
        {
            throw TransferErrors.NotFound();
        }
    }

    private async ValueTask<Gate> EnterAsync(string key, CancellationToken cancellationToken)
    {
        var gate = _gates[(uint)string.GetHashCode(key, StringComparison.Ordinal) % (uint)_gates.Length];
        await gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        return new Gate(gate);
    }

    private Upload Make(UploadRecord record, long version, ChunkMap map) => new(record, version, map)
    {
        Meter = new TransferMeter(_time, record.FileSize),
        LastUsed = _time.GetTimestamp(),
    };

    private long Now => _time.GetUtcNow().ToUnixTimeMilliseconds();

    private RecordPut PutRecord(string key, UploadRecord record, long? expected) => new()
    {
        Namespace = TransferJson.Uploads,
        Key = key,
        Value = TransferJson.Write(record, TransferJson.Default.UploadRecord),
        ExpiresAt = record.File is null ? 0 : Now + (long)_options.KeepFiles.TotalMilliseconds,
        ExpectedVersion = expected,
        At = Now,
    };

    private readonly struct Gate(SemaphoreSlim gate) : IDisposable
    {
        public void Dispose() => gate.Release();
    }

    [LoggerMessage(LogEvents.GateFailed, LogLevel.Error, "Transfer {Key}: the spool failed.")]
    private static partial void LogFailed(ILogger logger, string key, Exception fault);

    [LoggerMessage(LogEvents.GateAbandoned, LogLevel.Information, "Transfer {Key} was given up: nothing has come for it for long.")]
    private static partial void LogAbandoned(ILogger logger, string key);

    [LoggerMessage(LogEvents.GateSyncFailed, LogLevel.Warning, "Transfer {Key}: what has arrived couldn't be recorded; trying again.")]
    private static partial void LogSyncFailed(ILogger logger, string key, Exception fault);
}
