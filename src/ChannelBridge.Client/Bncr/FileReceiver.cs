using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Client.Bncr;

/// <summary>
/// Takes files that the host sends: writes chunks where they belong, confirms each when it is written, and tells the host after a restart what is there
/// already. Names from outside never become paths: parts are named by a hash, and a finished file by its last name part without anything that isn't one.
/// </summary>
internal sealed partial class FileReceiver(
    ChannelBridgeClient client, string accountId, string clientId, string folder, Action<BncrFileProgress>? onProgress, Action<BncrReceivedFile>? onReceived,
    TimeProvider time, ILogger logger) : IDisposable
{
    private static readonly string[] Names = ["bncr.file.init", "bncr.file.chunk", "bncr.file.complete", "bncr.file.abort"];
    private readonly Dictionary<string, Arriving> _arriving = new(StringComparer.Ordinal);
    private readonly ClientSubscription _events = client.Subscribe([.. Names, .. Names.Select(name => "plugin." + name)]);
    private readonly string _parts = Path.Combine(folder, ".parts");

    /// <summary>Reads file events until the client ends.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(_parts);
        else Directory.CreateDirectory(_parts, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await foreach (var incoming in _events.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            FileEventPayload? payload = null;
            var stage = incoming.Name[(incoming.Name.LastIndexOf('.') + 1)..];
            try
            {
                payload = incoming.Read(FilesJson.Default.FileEventPayload);
                if (payload is not null) Tell(Take(stage, payload, incoming.Content));
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or JsonException or InvalidDataException)
            {
                LogFailed(fault, stage, payload?.TransferId ?? "");
                if (payload is null) continue;
                Tell(Ack(payload, stage) with { Ok = false, ErrorCode = "CLIENT_FAILED", ErrorMessage = fault.Message });
            }
        }
    }

    public void Dispose()
    {
        _events.Dispose();
        foreach (var file in _arriving.Values) file.Dispose();
    }

    private FileAckParameters? Take(string stage, FileEventPayload payload, ReadOnlyMemory<byte> content) => stage switch
    {
        "init" => Begin(payload),
        "chunk" => Write(payload, content),
        "complete" => Finish(payload),
        _ => Abort(payload),
    };

    private FileAckParameters Begin(FileEventPayload init)
    {
        if (init.FileSize < 0 || init.ChunkSize < 1 || init.TotalChunks != (init.FileSize + init.ChunkSize - 1) / init.ChunkSize)
            throw new InvalidDataException("the sizes don't fit together");
        if (_arriving.Remove(init.TransferId, out var before)) before.Dispose();
        var file = new Arriving(Path.Combine(_parts, KeyOf(init.TransferId)), init, time);
        _arriving[init.TransferId] = file;
        Report(file);
        return Ack(init, "init") with { ReceivedRanges = file.Ranges(), Encoding = init.Encodings?.Contains("binary") == true ? "binary" : null };
    }

    private FileAckParameters Write(FileEventPayload chunk, ReadOnlyMemory<byte> content)
    {
        if (!_arriving.TryGetValue(chunk.TransferId, out var file)) throw new InvalidDataException("the transfer isn't known; its init comes first");
        file.Write(chunk.ChunkIndex, (content.IsEmpty ? chunk.Base64 : content).Span, chunk.ChunkSha256 ?? chunk.Sha256);
        Report(file);
        return Ack(chunk, "chunk") with { ChunkIndex = chunk.ChunkIndex };
    }

    private FileAckParameters Finish(FileEventPayload complete)
    {
        if (!_arriving.TryGetValue(complete.TransferId, out var file)) throw new InvalidDataException("the transfer isn't known; its init comes first");
        var path = file.Finish(folder);
        _arriving.Remove(complete.TransferId);
        file.Dispose();
        onReceived?.Invoke(new BncrReceivedFile(complete.TransferId, path, file.Init.FileName ?? "", file.Init.MimeType ?? "", file.Init.FileSize));
        return Ack(complete, "complete") with { Path = path };
    }

    private FileAckParameters? Abort(FileEventPayload abort)
    {
        if (!_arriving.Remove(abort.TransferId, out var file)) return null;
        // Its chunks stay: when the host tries again, it is told what is there.
        file.Dispose();
        return Ack(abort, "abort");
    }

    private FileAckParameters Ack(FileEventPayload payload, string stage) => new(accountId, clientId, payload.TransferId, stage);

    /// <summary>In the order of the events, and not waited for: the next chunk is written meanwhile. A lost ack is asked for again by the host.</summary>
    private void Tell(FileAckParameters? ack)
    {
        if (ack is not null) _ = TellAsync(ack);
    }

    private async Task TellAsync(FileAckParameters ack)
    {
        try
        {
            await client.CallAsync("bncr.file.ack", JsonSerializer.SerializeToUtf8Bytes(ack, FilesJson.Default.FileAckParameters)).ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is ChannelBridgeClientException or ObjectDisposedException)
        {
            LogAckFailed(ack.TransferId, fault.Message);
        }
    }

    private void Report(Arriving file)
    {
        if (onProgress is null) return;
        var (bytes, rate) = (file.Bytes, file.Rate);
        TimeSpan? left = rate > 1 ? TimeSpan.FromSeconds(Math.Min((file.Init.FileSize - bytes) / rate, 3.15e8)) : null;
        onProgress(new BncrFileProgress(file.Init.FileName ?? "", bytes, file.Init.FileSize, rate, left));
    }

    private static string KeyOf(string transferId) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(transferId)))[..32];

    [LoggerMessage(EventId = LogEvents.FileReceiverFailed, Level = LogLevel.Warning, Message = "File event {Stage} of transfer {TransferId} failed")]
    private partial void LogFailed(Exception fault, string stage, string transferId);

    [LoggerMessage(EventId = LogEvents.FileReceiverAckFailed, Level = LogLevel.Debug, Message = "An ack of transfer {TransferId} didn't get through: {Reason}")]
    private partial void LogAckFailed(string transferId, string reason);

    /// <summary>
    /// A file that is arriving: the part, and beside it a list of the chunks that have been written, to which each is added after it was. A part of another
    /// file, or a list that doesn't fit it, is begun anew.
    /// </summary>
    private sealed class Arriving : IDisposable
    {
        private readonly string _base;
        private readonly TimeProvider _time;
        private readonly long _started;
        private readonly FileStream _part;
        private readonly FileStream _list;
        private readonly HashSet<int> _has = [];
        private long _moved;

        public Arriving(string path, FileEventPayload init, TimeProvider time)
        {
            _base = path;
            _time = time;
            _started = time.GetTimestamp();
            Init = init;
            var head = string.Create(CultureInfo.InvariantCulture, $"{init.FileSize} {init.ChunkSize} {init.FileSha256}\n");
            if (!File.Exists(path + ".list") || !ReadList(path + ".list", head))
            {
                using (var list = OwnerOnly(path + ".list", FileMode.Create, FileAccess.Write)) list.Write(Encoding.ASCII.GetBytes(head));
                File.Delete(path + ".part");
                _has.Clear();
            }

            _part = OwnerOnly(path + ".part", FileMode.OpenOrCreate, FileAccess.ReadWrite);
            if (_part.Length != init.FileSize) _part.SetLength(init.FileSize);
            _list = OwnerOnly(path + ".list", FileMode.Append, FileAccess.Write);
        }

        public FileEventPayload Init { get; }

        public long Bytes => Math.Min(Init.FileSize, (long)_has.Count * Init.ChunkSize);

        public double Rate => _moved / Math.Max(0.001, _time.GetElapsedTime(_started).TotalSeconds);

        public int[][] Ranges()
        {
            var ranges = new List<int[]>();
            foreach (var index in _has.Order())
            {
                if (ranges.Count > 0 && ranges[^1][1] == index - 1) ranges[^1][1] = index;
                else ranges.Add([index, index]);
            }

            return [.. ranges];
        }

        public void Write(int index, ReadOnlySpan<byte> bytes, string? sha256)
        {
            if (index < 0 || index >= Init.TotalChunks) throw new InvalidDataException($"chunk {index} is out of range");
            var offset = (long)index * Init.ChunkSize;
            if (bytes.Length != Math.Min(Init.ChunkSize, Init.FileSize - offset)) throw new InvalidDataException($"chunk {index} has the wrong size");
            if (sha256 is not null && !string.Equals(sha256, Convert.ToHexStringLower(SHA256.HashData(bytes)), StringComparison.OrdinalIgnoreCase))
                throw new InvalidDataException($"chunk {index} has the wrong SHA-256");
            if (_has.Contains(index)) return;
            RandomAccess.Write(_part.SafeFileHandle, bytes, offset);
            _list.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{index}\n")));
            _has.Add(index);
            _moved += bytes.Length;
        }

        /// <summary>Checks the whole and gives it its name; returns its path.</summary>
        public string Finish(string folder)
        {
            if (_has.Count != Init.TotalChunks) throw new InvalidDataException($"{Init.TotalChunks - _has.Count} chunks are missing");
            _part.Position = 0;
            var hash = Convert.ToHexStringLower(SHA256.HashData(_part));
            if (!string.IsNullOrEmpty(Init.FileSha256) && !string.Equals(hash, Init.FileSha256, StringComparison.OrdinalIgnoreCase))
            {
                Forget();
                throw new InvalidDataException("the file has the wrong SHA-256");
            }

            _part.Flush(flushToDisk: true);
            Dispose();
            var path = Free(Path.Combine(folder, SafeName(Init.FileName)));
            // A part of an earlier version may be readable for others.
            if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(_base + ".part", UnixFileMode.UserRead | UnixFileMode.UserWrite);
            File.Move(_base + ".part", path);
            File.Delete(_base + ".list");
            return path;
        }

        public void Dispose()
        {
            _part.Dispose();
            _list.Dispose();
        }

        private void Forget()
        {
            Dispose();
            File.Delete(_base + ".part");
            File.Delete(_base + ".list");
        }

        /// <summary>What people send is for the bridge's user alone (0600), whatever the process's mask says.</summary>
        private static FileStream OwnerOnly(string path, FileMode mode, FileAccess access)
        {
            var options = new FileStreamOptions { Mode = mode, Access = access, Share = FileShare.Read, BufferSize = 0 };
            if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            return new FileStream(path, options);
        }

        private bool ReadList(string path, string head)
        {
            var text = File.ReadAllText(path);
            if (!text.StartsWith(head, StringComparison.Ordinal) || !File.Exists(_base + ".part")) return false;
            // The last line may have been cut off by a crash: a number without a line feed doesn't count.
            var lines = text[head.Length..].Split('\n');
            foreach (var line in lines.AsSpan(0, lines.Length - 1))
            {
                if (int.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index < Init.TotalChunks) _has.Add(index);
            }

            return true;
        }

        private static string SafeName(string? name)
        {
            var last = name is null ? "" : name[(name.LastIndexOfAny(['/', '\\']) + 1)..];
            var safe = string.Concat(
                last.Select(c => IsUnsafe(c) || "<>:\"|?*".Contains(c, StringComparison.Ordinal) ? '_' : c)).Trim().TrimStart('.');
            if (safe.Length > 120) safe = safe[^120..].TrimStart('.');
            return safe.Length == 0 ? "file.bin" : safe;
        }

        /// <summary>
        /// Control characters, and marks that show a name in another order than it has (so that <c>fdp.exe</c> looks like <c>exe.pdf</c>).
        /// </summary>
        private static bool IsUnsafe(char c) =>
            char.IsControl(c)
                || c is '\u061C' or '\u200E' or '\u200F' or (>= '\u2028' and <= '\u202E') or (>= '\u2066' and <= '\u2069') or '\uFEFF';

        private static string Free(string path)
        {
            if (!File.Exists(path)) return path;
            var (stem, extension) = (Path.Combine(Path.GetDirectoryName(path)!, Path.GetFileNameWithoutExtension(path)), Path.GetExtension(path));
            for (var i = 2; ; i++)
            {
                var next = string.Create(CultureInfo.InvariantCulture, $"{stem}-{i}{extension}");
                if (!File.Exists(next)) return next;
            }
        }
    }
}
