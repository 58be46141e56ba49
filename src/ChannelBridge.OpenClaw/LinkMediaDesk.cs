using System.Buffers;
using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Transfers;

namespace ChannelBridge.OpenClaw;

/// <summary>
/// Files over the link, in pieces: what the gateway's agent sends goes straight into the spool, what a user sent goes to the gateway.
/// Gateway and host may be on different machines, so paths mean nothing here.
/// </summary>
internal sealed class LinkMediaDesk(LinkTargets targets, TimeProvider time, ISpool? spool = null)
{
    /// <summary>Bytes of a piece; also in base64 well below what either side takes in one message.</summary>
    public const int PieceBytes = 512 * 1024;

    private const int MostOpen = 256;
    private static readonly TimeSpan Idle = TimeSpan.FromMinutes(5);
    private readonly ConcurrentDictionary<string, Incoming> _incoming = new(StringComparer.Ordinal);

    /// <summary>Takes a piece from the plugin. The last one answers when the file is on the disk.</summary>
    public async ValueTask<MediaResult> TakeAsync(EstablishedLink link, MediaParameters piece, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        if (spool is null) throw BridgeException.Unavailable("this host takes no files");
        if (piece.MediaId.Length is 0 or > 128) throw BridgeException.Invalid("link.media: mediaId must have 1 to 128 characters");
        if (piece.Offset == 0) await BeginAsync(link, piece, cancellationToken).ConfigureAwait(false);
        if (!_incoming.TryGetValue(piece.MediaId, out var incoming) || incoming.Received != piece.Offset)
        {
            throw new BridgeException(ErrorCodes.Conflict, "link.media: pieces come one after the other; begin the file again with offset 0") { Retryable = true };
        }

        incoming.LastAt = time.GetTimestamp();
        try
        {
            incoming.Received += content.Length;
            if (incoming.Received > incoming.Size) throw BridgeException.Invalid("link.media: more bytes came than size says");
            var flushed = await incoming.Pipe.Writer.WriteAsync(content, cancellationToken).ConfigureAwait(false);
            if (incoming.Received < incoming.Size && !flushed.IsCompleted) return new MediaResult(incoming.Received, null);
            await incoming.Pipe.Writer.CompleteAsync().ConfigureAwait(false);
            var file = await incoming.Import.ConfigureAwait(false);
            _incoming.TryRemove(piece.MediaId, out _);
            return new MediaResult(incoming.Received, file.File);
        }
        catch (Exception fault)
        {
            _incoming.TryRemove(piece.MediaId, out _);
            await incoming.Pipe.Writer.CompleteAsync(fault).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>A file that came by <see cref="TakeAsync"/>.</summary>
    public async ValueTask<Attachment?> FindAsync(string channel, string account, LinkMedia media, CancellationToken cancellationToken)
    {
        if (spool is null || media.File is not { } name) return null;
        Attachment? file;
        try
        {
            file = await spool.FindAsync(channel, account, spool.PathOf(new Attachment { File = name }), cancellationToken).ConfigureAwait(false);
        }
        catch (BridgeException fault) when (fault.Code is ErrorCodes.Internal or ErrorCodes.Unavailable)
        {
            file = null;
        }

        return file ?? throw BridgeException.Unavailable("link.send: the file isn't in this host's spool any more; send it again by link.media", TimeSpan.FromSeconds(1));
    }

    /// <summary>Keeps a file as long as its message.</summary>
    public ValueTask KeepAsync(Attachment file, Guid messageId) =>
        spool is null ? ValueTask.CompletedTask : spool.KeepAsync(file, SpoolUse.Outbox, messageId);

    /// <summary>Gives the plugin a file before its turn. Null, with a note for the text, when the gateway refuses it.</summary>
    public async ValueTask<(LinkMedia? Media, string? Note)> GiveAsync(EstablishedLink link, string channel, string account, Attachment file, CancellationToken cancellationToken)
    {
        if (file.File is null && (!link.TakesBinary || file.Content is not { Length: > 0 })) return (Within(link, file, file.Content), null);
        var source = file.File is null ? new MemoryStream(file.Content!, writable: false) : spool!.OpenRead(file);
        await using (source.ConfigureAwait(false))
        {
            // A plugin from before binary messages takes few bytes within the turn itself.
            if (source.Length == 0 || (source.Length <= PieceBytes && !link.TakesBinary))
            {
                var all = new byte[source.Length];
                await source.ReadExactlyAsync(all, cancellationToken).ConfigureAwait(false);
                return (Within(link, file, all), null);
            }

            var mediaId = Guid.NewGuid().ToString("N");
            var parameters = new MediaParameters
            {
                MediaId = mediaId,
                Size = source.Length,
                MimeType = file.MimeType,
                FileName = file.FileName,
                Channel = channel,
                AccountId = account,
            };
            var reason = await SendAsync(link, parameters, source, cancellationToken).ConfigureAwait(false);
            if (reason is not null) return (null, $"[file {file.FileName ?? "without a name"}, {source.Length} bytes: {reason}]");
            return (new LinkMedia { MimeType = file.MimeType, FileName = file.FileName, MediaId = mediaId }, null);
        }
    }

    private static LinkMedia Within(EstablishedLink link, Attachment file, byte[]? content)
    {
        link.Traffic.Count(content?.Length ?? 0, binary: false);
        return new LinkMedia { MimeType = file.MimeType, FileName = file.FileName, Content = content };
    }

    /// <summary>Sends a file in pieces; gives the plugin's reason when it refuses one.</summary>
    private static async ValueTask<string?> SendAsync(EstablishedLink link, MediaParameters file, Stream source, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            for (long offset = 0; offset < file.Size;)
            {
                var piece = buffer.AsMemory(0, (int)Math.Min(PieceBytes, file.Size - offset));
                await source.ReadExactlyAsync(piece, cancellationToken).ConfigureAwait(false);
                var parameters = file with { Offset = offset, Content = link.TakesBinary ? null : piece.ToArray() };
                link.Traffic.Count(piece.Length, link.TakesBinary);
                var answer = await link.CallAsync(
                    "link.media",
                    JsonSerializer.SerializeToUtf8Bytes(parameters, LinkJson.Relaxed.MediaParameters),
                    link.TakesBinary ? piece : default,
                    LinkJson.Relaxed.MediaAnswer,
                    cancellationToken).ConfigureAwait(false);
                if (!answer.Accepted) return answer.Reason ?? "the gateway refused it";
                offset += piece.Length;
            }

            return null;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async ValueTask BeginAsync(EstablishedLink link, MediaParameters piece, CancellationToken cancellationToken)
    {
        foreach (var (id, old) in _incoming)
        {
            if (id != piece.MediaId && time.GetElapsedTime(old.LastAt) < Idle) continue;
            if (_incoming.TryRemove(id, out _)) await old.Pipe.Writer.CompleteAsync(new IOException("the file was begun anew, or nothing came for it")).ConfigureAwait(false);
        }

        if (_incoming.Count >= MostOpen) throw BridgeException.Busy("link.media: too many files are under way", TimeSpan.FromSeconds(1));
        if (piece.Size < 0 || piece.To is null) throw BridgeException.Invalid("link.media: the first piece must say size and to");
        var (channel, target) = await targets.ResolveAsync(link, piece.Channel, piece.AccountId, piece.To, cancellationToken).ConfigureAwait(false);
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 2 << 20, resumeWriterThreshold: 1 << 20, useSynchronizationContext: false));
        var import = ImportAsync(piece, channel, target.AccountId, pipe.Reader);
        // A refusal (quota, size) shows at once or with a later piece; nobody waits for the task before the end.
        _ = import.ContinueWith(static task => _ = task.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        _incoming[piece.MediaId] = new Incoming(pipe, import, piece.Size) { LastAt = time.GetTimestamp() };
    }

    private async Task<Attachment> ImportAsync(MediaParameters piece, string channel, string account, PipeReader reader)
    {
        try
        {
            var stream = reader.AsStream(leaveOpen: true);
            await using (stream.ConfigureAwait(false))
            {
                return await spool!.ImportAsync(channel, account, stream, piece.FileName, piece.MimeType, piece.Size).ConfigureAwait(false);
            }
        }
        finally
        {
            await reader.CompleteAsync().ConfigureAwait(false);
        }
    }

    private sealed class Incoming(Pipe pipe, Task<Attachment> import, long size)
    {
        public Pipe Pipe => pipe;

        public Task<Attachment> Import => import;

        public long Size => size;

        public long Received { get; set; }

        public long LastAt { get; set; }
    }
}
