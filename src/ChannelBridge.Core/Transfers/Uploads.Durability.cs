using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Transfers;

namespace ChannelBridge.Core.Transfers;

/// <content>What survives: bytes first, then the note that they are there.</content>
internal sealed partial class Uploads
{
    /// <summary>Finds a transfer in memory or in the store.</summary>
    private async ValueTask<Upload?> FindAsync(string key, CancellationToken cancellationToken)
    {
        if (_uploads.TryGetValue(key, out var known)) return known;
        if (await _store.GetRecordAsync(TransferJson.Uploads, key, cancellationToken).ConfigureAwait(false) is not { } stored) return null;
        var record = TransferJson.Read(stored.Value, TransferJson.Default.UploadRecord);
        if (record.Spool != _spool.Folder.Id) throw TransferErrors.OtherSpool();
        if (record.File is not null) return Make(record, stored.Version, new ChunkMap(record.TotalChunks));
        var folder = _spool.Folder;
        var map = new ChunkMap(record.TotalChunks);
        try
        {
            if (!folder.HasPart(record.Part) && folder.HasFile(record.Part)) folder.Unpublish(record.Part);
            if (!folder.HasPart(record.Part))
            {
                // Somebody has removed it: all of it must come again.
                folder.CreatePart(record.Part, record.FileSize);
            }
            else if (await _store.GetRecordAsync(TransferJson.Maps, key, cancellationToken).ConfigureAwait(false) is { } bits)
            {
                map = ChunkMap.Parse(bits.Value.Span, record.TotalChunks);
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw TransferErrors.Translate(fault);
        }

        // From here on it is this host's: another one that worked on it notices with its next note.
        var put = PutRecord(key, record, stored.Version);
        await _store.CommitAsync(put, CancellationToken.None).ConfigureAwait(false);
        if (put.Conflict) return await FindAsync(key, cancellationToken).ConfigureAwait(false);
        var upload = Make(record, put.Version, map);
        _uploads[key] = upload;
        return upload;
    }

    private void Dirty(Upload upload)
    {
        // One chunk isn't worth a note of its own: after a crash it comes again.
        if (upload.Record.TotalChunks < 2) return;
        if (upload.Unsynced >= SyncBytes)
        {
            _ = SyncAsync(KeyOf(upload.Record), upload);
            return;
        }

        if (Interlocked.Exchange(ref _syncArmed, 1) == 0) _syncTimer.Change(SyncDelay, Timeout.InfiniteTimeSpan);
    }

    private void SyncDue()
    {
        Volatile.Write(ref _syncArmed, 0);
        foreach (var (key, upload) in _uploads)
        {
            if (upload.Unsynced > 0) _ = SyncAsync(key, upload);
        }
    }

    private async Task SyncAsync(string key, Upload upload)
    {
        byte[] bits;
        long bytes;
        lock (upload.Gate)
        {
            if (upload.Syncing || upload.Closing || upload.Gone || upload.Unsynced == 0) return;
            upload.Syncing = true;
            // Only bits of bytes that have been written: the flush that follows covers them all.
            bits = upload.Map.ToBytes();
            bytes = upload.Unsynced;
            upload.Unsynced = 0;
            upload.Enter();
        }

        try
        {
            await Task.Run(() =>
            {
                using var part = _spool.Folder.OpenPart(upload.Record.Part);
                SpoolFolder.Flush(part);
            }).ConfigureAwait(false);
            upload.Record.UpdatedAt = Now;
            var put = PutRecord(key, upload.Record, upload.Version);
            await _store.CommitAsync([put, new RecordPut { Namespace = TransferJson.Maps, Key = key, Value = bits, At = Now }]).ConfigureAwait(false);
            if (put.Conflict)
            {
                // Another host that sees the same folder has taken the transfer over; it knows from the note what is there.
                lock (upload.Gate) upload.Gone = true;
                _uploads.TryRemove(key, out _);
            }
            else
            {
                upload.Version = put.Version;
            }
        }
        catch (Exception fault)
        {
            LogSyncFailed(_logger, key, fault);
            lock (upload.Gate) upload.Unsynced += bytes;
            if (Interlocked.Exchange(ref _syncArmed, 1) == 0) _syncTimer.Change(TimeSpan.FromSeconds(2), Timeout.InfiniteTimeSpan);
        }
        finally
        {
            lock (upload.Gate) upload.Syncing = false;
            upload.Leave();
        }
    }

    /// <summary>After a restart the hash begins anew; what is there already is read beside what comes.</summary>
    private void CatchUp(Upload upload)
    {
        upload.Enter();
        _ = Task.Run(() =>
        {
            try
            {
                using var part = OpenPart(upload);
                upload.AdvanceHash(part, -1, default, int.MaxValue);
            }
            catch (Exception fault)
            {
                // Completing reads it once more, and says what is wrong.
                LogFailed(_logger, KeyOf(upload.Record), fault);
            }
            finally
            {
                upload.Leave();
            }
        });
    }

    private TransferStatus Describe(Upload upload, bool duplicate)
    {
        var record = upload.Record;
        if (record.File is { } file)
        {
            return new TransferStatus
            {
                TransferId = record.TransferId,
                State = "complete",
                Duplicate = duplicate,
                FileSize = record.FileSize,
                ChunkSize = record.ChunkSize,
                TotalChunks = record.TotalChunks,
                Received = record.TotalChunks,
                ReceivedBytes = record.FileSize,
                Arrived = record.TotalChunks > 0 ? [(0, record.TotalChunks - 1)] : [],
                File = Spool.Describe(file) with { FileName = record.FileName },
                Path = _spool.Folder.FilePath(file.Name),
                Binary = record.Binary,
            };
        }

        lock (upload.Gate)
        {
            return new TransferStatus
            {
                TransferId = record.TransferId,
                State = "open",
                Duplicate = duplicate,
                FileSize = record.FileSize,
                ChunkSize = record.ChunkSize,
                TotalChunks = record.TotalChunks,
                Received = upload.Map.Present,
                ReceivedBytes = upload.ReceivedBytes,
                Missing = upload.Map.Ranges(present: false, TransferStatus.MaxRanges),
                Arrived = upload.Map.Ranges(present: true, TransferStatus.MaxRanges),
                Rate = upload.Meter.Rate,
                Left = upload.Meter.Left(upload.ReceivedBytes),
                Binary = record.Binary,
            };
        }
    }
}
