using System.Security.Cryptography;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Transfers;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Transfers;

/// <inheritdoc cref="ISpool"/>
internal sealed partial class Spool(IStore store, TransferQuota quota, TransferOptions options, TimeProvider time, ILogger<Spool> logger) : ISpool, IDisposable
{
    private const int CopyBytes = 256 * 1024;
    // One at a time for the same content; whoever has other content doesn't wait.
    private readonly SemaphoreSlim[] _adopting = [.. Enumerable.Range(0, 64).Select(_ => new SemaphoreSlim(1, 1))];
    private readonly Lock _opening = new();
    private SpoolFolder? _folder;

    /// <summary>The folder; made when it is first needed.</summary>
    public SpoolFolder Folder
    {
        get
        {
            if (Volatile.Read(ref _folder) is { } known) return known;
            lock (_opening)
            {
                if (_folder is { } opened) return opened;
                try
                {
                    if (options.Folder.Length == 0) throw new IOException("no spool folder is set (Store:Files:Folder)");
                    var folder = new SpoolFolder(options.Folder);
                    folder.Open();
                    Volatile.Write(ref _folder, folder);
                    return folder;
                }
                catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
                {
                    LogUnusable(logger, options.Folder, fault);
                    throw TransferErrors.Translate(fault);
                }
            }
        }
    }

    /// <summary>The key under which quotas and records know an account.</summary>
    public static string KeyOf(string channel, string account) => $"{channel}/{account.ToLowerInvariant()}";

    public void Dispose()
    {
        foreach (var gate in _adopting) gate.Dispose();
    }

    public async ValueTask<Attachment> ImportAsync(
        string channel, string account, Stream content, string? fileName, string? mimeType, long? size, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(content);
        var key = KeyOf(channel, account);
        CheckRoom(key, size ?? 0);
        var part = SpoolFolder.NewName();
        try
        {
            Folder.CreatePart(part, 0);
            var (length, hash, head) = await CopyAsync(content, part, key, cancellationToken).ConfigureAwait(false);
            var file = new FileRecord
            {
                Name = part,
                Spool = Folder.Id,
                Sha256 = hash,
                Size = length,
                MimeType = MimeSniffer.Sniff(head, mimeType),
                FileName = FileNames.Sanitize(fileName),
                CreatedAt = Now,
            };
            return Describe(await AdoptAsync(key, file, static _ => []).ConfigureAwait(false));
        }
        catch (Exception fault) when (fault is not BridgeException)
        {
            Folder.DeletePart(part);
            if (fault is OperationCanceledException) throw;
            throw TransferErrors.Translate(fault);
        }
        catch
        {
            Folder.DeletePart(part);
            throw;
        }
    }

    public async ValueTask<Attachment?> FindAsync(string channel, string account, string path, CancellationToken cancellationToken = default)
    {
        if (string.IsNullOrEmpty(path) || Folder.NameOf(path) is not { } name) return null;
        var record = await store.GetRecordAsync(TransferJson.Files, $"{name}/{KeyOf(channel, account)}", cancellationToken).ConfigureAwait(false);
        if (record is null) return null;
        var file = TransferJson.Read(record.Value, TransferJson.Default.FileRecord);
        if (file.Spool != Folder.Id || !Folder.HasFile(name)) throw TransferErrors.OtherSpool();
        // It was just used: a message that is about to refer to it finds it.
        file.KeepUntil = Now + (long)options.KeepFiles.TotalMilliseconds;
        await store.CommitAsync(PutFile(file, KeyOf(channel, account)), cancellationToken).ConfigureAwait(false);
        return Describe(file);
    }

    public async ValueTask KeepAsync(Attachment file, SpoolUse use, Guid messageId, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(file);
        if (file.File is not { } name) return;
        var put = new RecordPut { Namespace = TransferJson.Uses, Key = UseKey(name, use, messageId), Value = default, At = Now };
        await store.CommitAsync(put, cancellationToken).ConfigureAwait(false);
    }

    public string PathOf(Attachment file)
    {
        var name = Require(file);
        return Folder.FilePath(name);
    }

    public Stream OpenRead(Attachment file)
    {
        try
        {
            return new FileStream(Folder.OpenFile(Require(file)), FileAccess.Read, bufferSize: 0);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw TransferErrors.Translate(fault);
        }
    }

    public async ValueTask<byte[]> ReadAsync(Attachment file, int maxBytes, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(file);
        if (file.Content is { } content)
        {
            return content.Length <= maxBytes ? content
                : throw TransferErrors.TooLarge("file-too-large", $"the file has {content.Length} bytes; at most {maxBytes} are read at once");
        }

        var stream = OpenRead(file);
        await using (stream.ConfigureAwait(false))
        {
            if (stream.Length > maxBytes) throw TransferErrors.TooLarge("file-too-large", $"the file has {stream.Length} bytes; at most {maxBytes} are read at once");
            var bytes = new byte[stream.Length];
            await stream.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
            return bytes;
        }
    }

    /// <summary>
    /// Makes a part a file of an account: publishes it, or, where the same bytes are there already, drops it and refers to those. Durable when it returns.
    /// </summary>
    /// <param name="account">The account's key.</param>
    /// <param name="draft">The file; its name is the part's.</param>
    /// <param name="more">What is written together with it.</param>
    public async ValueTask<FileRecord> AdoptAsync(string account, FileRecord draft, Func<FileRecord, IEnumerable<StoreWrite>> more)
    {
        var gate = GateOf(draft.Sha256);
        await gate.WaitAsync().ConfigureAwait(false);
        try
        {
            while (true)
            {
                var known = await store.GetRecordAsync(TransferJson.Blobs, draft.Sha256).ConfigureAwait(false);
                var blob = known is null ? null : TransferJson.Read(known.Value, TransferJson.Default.BlobRecord);
                var shared = blob is not null && blob.Spool == Folder.Id && blob.Size == draft.Size && Folder.HasFile(blob.Name);
                if (!shared) Folder.Publish(draft.Name);
                var file = draft with { Name = shared ? blob!.Name : draft.Name, KeepUntil = Now + (long)options.KeepFiles.TotalMilliseconds };
                var own = await store.GetRecordAsync(TransferJson.Files, $"{file.Name}/{account}").ConfigureAwait(false);
                var touch = new RecordPut
                {
                    Namespace = TransferJson.Blobs,
                    Key = draft.Sha256,
                    Value = TransferJson.Write(new BlobRecord(file.Name, Folder.Id, file.Size), TransferJson.Default.BlobRecord),
                    // A sweep, or another host, may do something to it in this moment; then it is looked at again.
                    ExpectedVersion = known?.Version ?? 0,
                    At = Now,
                };
                await store.CommitAsync([touch, PutFile(file, account), .. more(file)]).ConfigureAwait(false);
                if (touch.Conflict)
                {
                    if (!shared) Folder.Unpublish(draft.Name);
                    continue;
                }

                if (own is null) quota.AddFile(account, file.Size);
                if (shared) Folder.DeletePart(draft.Name);
                return file;
            }
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>True while an account holds the file.</summary>
    public async ValueTask<bool> IsHeldAsync(string name, CancellationToken cancellationToken)
    {
        var first = await store.ListRecordsAsync(TransferJson.Files, null, name + "/", 1, cancellationToken).ConfigureAwait(false);
        return first.Count > 0 && first[0].Key.StartsWith(name + "/", StringComparison.Ordinal);
    }

    /// <summary>Removes bytes that nobody holds; false when somebody does after all.</summary>
    public async ValueTask<bool> RemoveAsync(StoreRecord record, BlobRecord blob, CancellationToken cancellationToken)
    {
        var gate = GateOf(record.Key);
        await gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            // From here on another host that has the same content sees that this file is going, and publishes its own.
            var claim = new RecordPut
            {
                Namespace = TransferJson.Blobs,
                Key = record.Key,
                Value = TransferJson.Write(blob with { Size = -1 }, TransferJson.Default.BlobRecord),
                ExpectedVersion = record.Version,
                At = Now,
            };
            await store.CommitAsync(claim, CancellationToken.None).ConfigureAwait(false);
            if (claim.Conflict) return false;
            var held = await IsHeldAsync(blob.Name, CancellationToken.None).ConfigureAwait(false);
            if (!held) Folder.DeleteFile(blob.Name);
            await store.CommitAsync(
                new RecordDelete { Namespace = TransferJson.Blobs, Key = record.Key }, CancellationToken.None).ConfigureAwait(false);
            return !held;
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Checks quotas and the disk before anything is written.</summary>
    public void CheckRoom(string account, long bytes, long promised = 0)
    {
        if (bytes > options.MaxFileBytes)
            throw TransferErrors.TooLarge("file-too-large", $"the file has {bytes} bytes; at most {options.MaxFileBytes} are taken (Store:Files:MaxFileBytes)");
        quota.Check(account, bytes);
        var free = Folder.FreeBytes - promised;
        if (bytes > free - options.MinFreeBytes)
            throw TransferErrors.DiskFull($"the disk of the spool has no room for {bytes} bytes; try again when there is room");
    }

    public static Attachment Describe(FileRecord file) => new()
    {
        MimeType = file.MimeType,
        FileName = file.FileName,
        File = file.Name,
        Size = file.Size,
        Sha256 = file.Sha256,
    };

    public static string UseKey(string name, SpoolUse use, Guid id) => $"{name}/{(use is SpoolUse.Inbox ? "in" : "out")}/{id:N}";

    private SemaphoreSlim GateOf(string sha256) => _adopting[Convert.ToInt32(sha256[..2], 16) % _adopting.Length];

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    private RecordPut PutFile(FileRecord file, string account) => new()
    {
        Namespace = TransferJson.Files,
        Key = $"{file.Name}/{account}",
        Value = TransferJson.Write(file, TransferJson.Default.FileRecord),
        Index = account,
        At = Now,
    };

    private string Require(Attachment file)
    {
        ArgumentNullException.ThrowIfNull(file);
        if (file.File is not { } name) throw new BridgeException(ErrorCodes.Internal, "the attachment is no file of the spool");
        return Folder.HasFile(name) ? name : throw TransferErrors.OtherSpool();
    }

    private async ValueTask<(long Length, string Hash, byte[] Head)> CopyAsync(Stream content, string part, string account, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var target = Folder.OpenPart(part);
        var buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(CopyBytes);
        try
        {
            long length = 0;
            var head = new byte[MimeSniffer.HeadBytes];
            while (true)
            {
                var read = await content.ReadAsync(buffer.AsMemory(0, CopyBytes), cancellationToken).ConfigureAwait(false);
                if (read == 0) return (length, Convert.ToHexStringLower(hash.GetHashAndReset()), head[..(int)Math.Min(length, head.Length)]);
                if (length < head.Length) buffer.AsSpan(0, (int)Math.Min(read, head.Length - length)).CopyTo(head.AsSpan((int)length));
                hash.AppendData(buffer, 0, read);
                await RandomAccess.WriteAsync(target, buffer.AsMemory(0, read), length, cancellationToken).ConfigureAwait(false);
                length += read;
                // Every 64 MiB: a source that doesn't say how long it is may be longer than the disk.
                if (length > options.MaxFileBytes || (length & ((64 << 20) - 1)) < read) CheckRoom(account, length);
            }
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    [LoggerMessage(LogEvents.SpoolUnusable, LogLevel.Error, "The spool folder {Folder} can't be used; files are refused until it can.")]
    private static partial void LogUnusable(ILogger logger, string folder, Exception fault);
}
