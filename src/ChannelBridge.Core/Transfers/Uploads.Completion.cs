using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Abstractions.Transfers;

namespace ChannelBridge.Core.Transfers;

/// <content>The end of a transfer: checked as a whole and published, or dropped.</content>
internal sealed partial class Uploads
{
    private async Task<TransferStatus> FinishAsync(TransferClient client, string key, Upload upload, string? sha256)
    {
        var record = upload.Record;
        int received;
        lock (upload.Gate) received = upload.Map.Present;
        if (received < record.TotalChunks)
        {
            throw TransferErrors.Conflict(
                "chunks-missing",
                $"{record.TotalChunks - received} of {record.TotalChunks} chunks are missing; bncr.file.status says which",
                $"chunk not complete received={received} total={record.TotalChunks}");
        }

        string hash;
        byte[] head;
        using (var part = OpenPart(upload))
        {
            var length = RandomAccess.GetLength(part);
            if (length != record.FileSize)
                throw TransferErrors.Invalid("file-size-mismatch", "the spool has another number of bytes than fileSize",
                    $"file size mismatch expected={record.FileSize} got={length}");
            hash = await Task.Run(() => upload.HashAsync(part)).ConfigureAwait(false);
            head = new byte[Math.Min(MimeSniffer.HeadBytes, record.FileSize)];
            var read = RandomAccess.Read(part, head, 0);
            Array.Resize(ref head, read);
        }

        if ((sha256 ?? record.Sha256) is { } expected && expected != hash)
        {
            upload.Restart();
            await _store.CommitAsync(new RecordDelete { Namespace = TransferJson.Maps, Key = key }).ConfigureAwait(false);
            throw FileHashMismatch();
        }

        var draft = new FileRecord
        {
            Name = record.Part,
            Spool = record.Spool,
            Sha256 = hash,
            Size = record.FileSize,
            MimeType = MimeSniffer.Sniff(head, record.MimeType),
            FileName = record.FileName,
            CreatedAt = Now,
        };
        var adopted = await _spool.AdoptAsync(client.AccountKey, draft, file =>
        [
            PutRecord(key, record with { File = file, UpdatedAt = Now }, expected: null),
            new RecordDelete { Namespace = TransferJson.Maps, Key = key },
        ]).ConfigureAwait(false);
        upload.Record = record with { File = adopted };
        _uploads.TryRemove(key, out _);
        _quota.CloseTransfer(client.AccountKey, record.FileSize);
        _events.Changed(record.Channel, record.Account, record.TransferId, "upload", record.FileName, "complete", record.FileSize, upload.Meter);
        var status = Describe(upload, duplicate: false);
        upload.Dispose();
        return status;
    }

    private async Task DropAsync(string key, Upload upload)
    {
        lock (upload.Gate) upload.Gone = upload.Closing = true;
        await upload.QuietAsync().ConfigureAwait(false);
        await _store.CommitAsync(
            [
                new RecordDelete { Namespace = TransferJson.Uploads, Key = key },
                new RecordDelete { Namespace = TransferJson.Maps, Key = key },
            ]).ConfigureAwait(false);
        _uploads.TryRemove(key, out _);
        _spool.Folder.DeletePart(upload.Record.Part);
        _quota.CloseTransfer(Spool.KeyOf(upload.Record.Channel, upload.Record.Account), upload.Record.FileSize);
        upload.Dispose();
    }
}
