using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using ChannelBridge.Abstractions.Transfers;
using Microsoft.Win32.SafeHandles;

namespace ChannelBridge.Core.Transfers;

/// <content>Chunks: checked, written where they belong, noted.</content>
internal sealed partial class Uploads
{
    private async ValueTask<ChunkTaken> LoadAndTakeAsync(TransferClient client, string transferId, ChunkPiece piece, CancellationToken cancellationToken)
    {
        var key = KeyOf(client, transferId);
        Upload upload;
        using (await EnterAsync(key, cancellationToken).ConfigureAwait(false))
        {
            upload = await FindAsync(key, cancellationToken).ConfigureAwait(false) ?? throw TransferErrors.NotFound();
            upload.Enter();
        }

        return await TakeAsync(client, upload, piece).ConfigureAwait(false);
    }

    private async ValueTask<ChunkTaken> TakeAsync(TransferClient client, Upload upload, ChunkPiece piece)
    {
        // The reader of the connection goes on with the next message; decoding, hashing and writing happen beside it.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        byte[]? rented = null;
        try
        {
            RequireOwner(upload, client, takesOver: false);
            var (index, bytes) = CheckPiece(upload, piece, ref rented);
            return await WriteAsync(upload, index, bytes).ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            LogFailed(_logger, KeyOf(upload.Record), fault);
            throw TransferErrors.Translate(fault);
        }
        finally
        {
            if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
            upload.Leave();
        }
    }

    private static (int Index, ReadOnlyMemory<byte> Bytes) CheckPiece(Upload upload, in ChunkPiece piece, ref byte[]? rented)
    {
        var record = upload.Record;
        if (piece.Index < 0 || piece.Index >= record.TotalChunks)
            throw TransferErrors.Invalid("chunk-out-of-range", $"chunkIndex is {piece.Index}; the file has the chunks 0 to {record.TotalChunks - 1}");
        var index = (int)piece.Index;
        var offset = (long)index * record.ChunkSize;
        if (piece.Offset is { } given && given != offset)
            throw TransferErrors.Invalid("offset-mismatch", $"chunk {index} belongs at offset {offset}, not {given}; chunks don't overlap");
        var bytes = piece.Data;
        if (piece is { IsBase64: false, WasBase64: false } && !record.Binary)
            throw TransferErrors.Invalid("binary-not-agreed", "the transfer's init didn't ask for encoding \"binary\"; send the chunk as base64, or init again with it");
        var expected = upload.SizeOf(index);
        if (piece.IsBase64)
        {
            var length = Base64.GetMaxDecodedFromUtf8Length(bytes.Length);
            // More than a few bytes too long is refused before it is decoded.
            if (length > expected + 4) throw SizeMismatch(expected, Math.Max(expected + 1, length - 2));
            rented = ArrayPool<byte>.Shared.Rent(Math.Max(length, 1));
            if (Base64.DecodeFromUtf8(bytes.Span, rented, out var consumed, out var written) != OperationStatus.Done || consumed != bytes.Length)
                throw TransferErrors.Invalid("invalid-base64", "base64 is not base64 (RFC 4648, with padding)", "invalid base64");
            bytes = rented.AsMemory(0, written);
        }

        if (piece.Size is { } size && size != bytes.Length) throw SizeMismatch(size, bytes.Length);
        if (bytes.Length != expected) throw SizeMismatch(expected, bytes.Length);
        if (CheckHash(piece.Sha256, "chunkSha256") is { } hash)
        {
            Span<byte> actual = stackalloc byte[SHA256.HashSizeInBytes];
            SHA256.HashData(bytes.Span, actual);
            if (!Convert.FromHexString(hash).AsSpan().SequenceEqual(actual))
                throw TransferErrors.Invalid("chunk-hash-mismatch", $"chunk {index} doesn't have the SHA-256 that was sent with it; send it again", "chunk sha256 mismatch");
        }

        return (index, bytes);
    }

    private async ValueTask<ChunkTaken> WriteAsync(Upload upload, int index, ReadOnlyMemory<byte> bytes)
    {
        var record = upload.Record;
        var offset = (long)index * record.ChunkSize;
        if (record.File is { } file)
        {
            using var complete = _spool.Folder.OpenFile(file.Name);
            RequireSame(complete, offset, bytes.Span, index);
            return new ChunkTaken(index, offset, record.TotalChunks, record.TotalChunks, Duplicate: true);
        }

        using var part = OpenPart(upload);
        while (!upload.TryBegin(index, out var other))
        {
            if (other is not null)
            {
                await other.ConfigureAwait(false);
                continue;
            }

            RequireSame(part, offset, bytes.Span, index);
            lock (upload.Gate) return new ChunkTaken(index, offset, upload.Map.Present, record.TotalChunks, Duplicate: true);
        }

        var written = false;
        int received;
        try
        {
            if (upload.Gone) throw TransferErrors.NotFound();
            RandomAccess.Write(part, bytes.Span, offset);
            written = true;
        }
        finally
        {
            upload.End(index, written);
        }

        lock (upload.Gate) received = upload.Map.Present;
        // The next ones may be there already; whoever sent this one doesn't wait for them.
        if (upload.AdvanceHash(part, index, bytes.Span, limit: 1)) CatchUp(upload);
        upload.LastUsed = _time.GetTimestamp();
        Dirty(upload);
        if (upload.Meter.Add(bytes.Length))
        {
            long done;
            lock (upload.Gate) done = upload.ReceivedBytes;
            _events.Changed(record.Channel, record.Account, record.TransferId, "upload", record.FileName, "open", done, upload.Meter);
        }

        return new ChunkTaken(index, offset, received, record.TotalChunks, Duplicate: false);
    }

    private static void RequireSame(SafeFileHandle file, long offset, ReadOnlySpan<byte> bytes, int index)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(64 * 1024);
        try
        {
            while (!bytes.IsEmpty)
            {
                var read = RandomAccess.Read(file, buffer.AsSpan(0, Math.Min(buffer.Length, bytes.Length)), offset);
                if (read == 0 || !buffer.AsSpan(0, read).SequenceEqual(bytes[..read]))
                    throw TransferErrors.Conflict("chunk-differs", $"chunk {index} has arrived before with other bytes; abort the transfer and begin anew if the file has changed");
                bytes = bytes[read..];
                offset += read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
