using System.Buffers;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace ChannelBridge.Client.Bncr;

/// <summary>
/// Sends a file to a host: several chunks at a time, as many as the line bears, in binary where the server takes that; after a lost
/// connection, a restart of the host or of this program only what is missing. The file is read as it goes, never held.
/// </summary>
/// <param name="client">A connected client.</param>
/// <param name="accountId">The account.</param>
/// <param name="clientId">The bridge's own name: with it the transfer can go on from another connection at once. Null: none.</param>
/// <param name="time">The clock; null means the system's.</param>
public sealed class BncrFileUpload(ChannelBridgeClient client, string accountId = "Primary", string? clientId = null, TimeProvider? time = null)
{
    private const int MostBytes = 16 << 20;
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(15);
    private readonly TimeProvider _time = time ?? TimeProvider.System;

    /// <summary>Sends a file; completes when the host has it on disk, under its final name and with the right hash.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told after each chunk, or null.</param>
    /// <param name="cancellationToken">Stops; the same call goes on later.</param>
    /// <exception cref="ChannelBridgeClientException">The host refuses the file: too large, no room, not allowed.</exception>
    /// <exception cref="IOException">The file can't be read, or changed meanwhile.</exception>
    public async Task<BncrUploadedFile> UploadAsync(
        string path, BncrUploadOptions options, IProgress<BncrFileProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.ChunkBytes, 1024, nameof(options));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.ChunkBytes, 16 << 20, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Window, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.Window, 64, nameof(options));
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read, FileOptions.Asynchronous);
        var size = RandomAccess.GetLength(file);
        var hash = await HashAsync(file, size, cancellationToken).ConfigureAwait(false);
        var total = (int)((size + options.ChunkBytes - 1) / options.ChunkBytes);
        var name = options.FileName ?? Path.GetFileName(path);
        var init = new FileInitParameters(
            accountId, clientId, options.TransferId ?? $"{hash[..32]}-{options.ChunkBytes}", options.SessionKey, name, options.MimeType, size, options.ChunkBytes, total, hash,
            options.Binary ? "binary" : null);
        var run = new Run(file, init, new UploadWindow(Math.Min(options.Window, MostBytes / options.ChunkBytes), _time), progress, _time);
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await RunAsync(run, cancellationToken).ConfigureAwait(false);
            }
            catch (ChannelBridgeClientException fault) when (IsPassing(fault) && client.State is not (ClientState.Failed or ClientState.Closed))
            {
                if (run.TakeProgress()) attempt = 0;
                var delay = TimeSpan.FromMilliseconds(Math.Min(200 * Math.Pow(2, Math.Min(attempt, 10)), LongestDelay.TotalMilliseconds));
                if (fault.RetryAfter > delay) delay = fault.RetryAfter.Value;
                await Task.Delay(delay, _time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Gives a transfer up; the host removes what it has of it.</summary>
    public async Task AbortAsync(string transferId, CancellationToken cancellationToken = default) =>
        await client.CallAsync(
            "bncr.file.abort", new FileCompleteParameters(accountId, clientId, transferId), FilesJson.Default.FileCompleteParameters,
            FilesJson.Default.FileAnswer, cancellationToken)
            .ConfigureAwait(false);

    private static bool IsPassing(ChannelBridgeClientException fault) => fault.Retryable && fault.Code is not ("QUOTA_EXCEEDED" or "STORE_FULL");

    private async Task<BncrUploadedFile> RunAsync(Run run, CancellationToken cancellationToken)
    {
        // Taken before: when the line breaks meanwhile, the chunks find their connection ended, and init is said again on the next one.
        var session = await client.SessionAsync(cancellationToken).ConfigureAwait(false);
        var status = await client.CallAsync(
            "bncr.file.init", run.Init, FilesJson.Default.FileInitParameters, FilesJson.Default.FileAnswer, cancellationToken).ConfigureAwait(false);
        if (status.Status is not "complete")
        {
            var missing = new Queue<int>();
            foreach (var range in status.MissingRanges ?? [])
            {
                for (var index = range[0]; index <= range[1]; index++) missing.Enqueue(index);
            }

            run.Begin(missing.Count);
            using var line = status.Encoding is "binary"
                ? new BinaryChunks(client, session, run.Init, _time)
                : (IChunkLine)new Base64Chunks(client, run.Init);
            await SendAsync(run, line, missing, cancellationToken).ConfigureAwait(false);
        }

        var done = await client.CallAsync(
            "bncr.file.complete",
            new FileCompleteParameters(accountId, clientId, run.Init.TransferId),
            FilesJson.Default.FileCompleteParameters,
            FilesJson.Default.FileAnswer,
            cancellationToken).ConfigureAwait(false);
        return new BncrUploadedFile(done.Path ?? "", done.Size, done.FileName ?? run.Init.FileName, done.MimeType ?? "", done.FileSha256 ?? run.Init.FileSha256);
    }

    /// <summary>Keeps as many chunks under way as the window says, until none is missing or one has failed.</summary>
    private async Task SendAsync(Run run, IChunkLine line, Queue<int> missing, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var underWay = new List<Task>();
        try
        {
            while (true)
            {
                while (underWay.Count < run.Window.Size && missing.TryDequeue(out var index)) underWay.Add(SendOneAsync(run, line, index, stop.Token));
                if (underWay.Count == 0) return;
                var done = await Task.WhenAny(underWay).ConfigureAwait(false);
                underWay.Remove(done);
                await done.ConfigureAwait(false);
            }
        }
        catch
        {
            run.Window.Shrink();
            await stop.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(underWay).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }
    }

    private async Task SendOneAsync(Run run, IChunkLine line, int index, CancellationToken cancellationToken)
    {
        var offset = (long)index * run.Init.ChunkSize;
        var length = (int)Math.Min(run.Init.ChunkSize, run.Init.FileSize - offset);
        var buffer = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            var bytes = buffer.AsMemory(0, length);
            for (var read = 0; read < length;)
            {
                var count = await RandomAccess.ReadAsync(run.File, bytes[read..], offset + read, cancellationToken).ConfigureAwait(false);
                if (count == 0) throw new IOException("the file became shorter while it was sent");
                read += count;
            }

            var hash = Convert.ToHexStringLower(SHA256.HashData(bytes.Span));
            var sentAt = _time.GetTimestamp();
            await line.SendAsync(index, offset, bytes, hash, cancellationToken).ConfigureAwait(false);
            run.Window.Confirmed(sentAt);
            run.Sent(length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task<string> HashAsync(SafeFileHandle file, long size, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(1 << 20);
        try
        {
            for (long offset = 0; offset < size;)
            {
                var count = await RandomAccess.ReadAsync(file, buffer, offset, cancellationToken).ConfigureAwait(false);
                if (count == 0) break;
                hash.AppendData(buffer, 0, count);
                offset += count;
            }

            return Convert.ToHexStringLower(hash.GetHashAndReset());
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>One file on its way, over as many connections as it takes.</summary>
    private sealed class Run(SafeFileHandle file, FileInitParameters init, UploadWindow window, IProgress<BncrFileProgress>? progress, TimeProvider time)
    {
        private readonly long _started = time.GetTimestamp();
        private long _bytes;
        private long _moved;
        private long _seen;

        public SafeFileHandle File => file;

        public FileInitParameters Init => init;

        public UploadWindow Window => window;

        public void Begin(int missing)
        {
            Interlocked.Exchange(ref _bytes, Math.Max(0, init.FileSize - ((long)missing * init.ChunkSize)));
            Tell();
        }

        public void Sent(int bytes)
        {
            Interlocked.Add(ref _bytes, bytes);
            Interlocked.Add(ref _moved, bytes);
            Tell();
        }

        /// <summary>True when something has moved since the last time.</summary>
        public bool TakeProgress() => Interlocked.Exchange(ref _seen, _moved) != _moved;

        private void Tell()
        {
            if (progress is null) return;
            var elapsed = time.GetElapsedTime(_started).TotalSeconds;
            var rate = elapsed > 0 ? _moved / elapsed : 0;
            var bytes = Math.Min(Interlocked.Read(ref _bytes), init.FileSize);
            TimeSpan? left = rate > 1 ? TimeSpan.FromSeconds(Math.Min((init.FileSize - bytes) / rate, 3.15e8)) : null;
            progress.Report(new BncrFileProgress(init.FileName, bytes, init.FileSize, rate, left));
        }
    }
}
