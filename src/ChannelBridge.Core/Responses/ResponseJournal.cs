using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Protocol.OpenResponses;
using Microsoft.Win32.SafeHandles;

namespace ChannelBridge.Core.Responses;

/// <summary>
/// The events of one response in a file, a line for each behind a line that says whose it is. Written before anybody reads an event, without waiting for the
/// disk: what a reader has seen survives the death of the host's process. The file of a running response ends with <c>.run</c>, then with <c>.done</c>.
/// </summary>
internal sealed class ResponseJournal : IDisposable
{
    /// <summary>The ending of the file of a response that runs, or ran when its host died.</summary>
    public const string Running = ".run";

    /// <summary>The ending of the file of a response that has ended.</summary>
    public const string Ended = ".done";

    private const int EventsPerMark = 256;

    private readonly List<long> _marks = [];
    private readonly SafeFileHandle _handle;
    private byte[] _line = new byte[1024];
    private bool _isReopened;
    private long _count;
    private long _length;

    private ResponseJournal(string path, SafeFileHandle handle)
    {
        Path = path;
        _handle = handle;
    }

    /// <summary>Where it is now.</summary>
    public string Path { get; private set; }

    /// <summary>Its length in bytes.</summary>
    public long Length => Volatile.Read(ref _length);

    /// <summary>The path of a response's file, without an ending.</summary>
    public static string PathOf(string directory, string id) => System.IO.Path.Combine(directory, id[^Math.Min(2, id.Length)..], id);

    /// <summary>True when an id can be part of a file's name.</summary>
    public static bool IsSafe(string id) => id.Length is > 5 and <= 128 && id.AsSpan().IndexOfAnyExcept(Safe) < 0;

    private static readonly SearchValues<char> Safe = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

    /// <summary>Makes the file of a new response.</summary>
    public static ResponseJournal Create(string directory, string id, JournalHeader header)
    {
        var path = PathOf(directory, id) + Running;
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        var journal = new ResponseJournal(path, File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete));
        journal.Write(JsonSerializer.SerializeToUtf8Bytes(header, ResponsesJson.Default.JournalHeader));
        return journal;
    }

    /// <summary>Opens the file of a response whose host died, behind its last whole line.</summary>
    public static ResponseJournal Reopen(string path, long count, long length)
    {
        var handle = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete);
        RandomAccess.SetLength(handle, length);
        return new ResponseJournal(path, handle) { _isReopened = true, _count = count, _length = length };
    }

    /// <summary>Appends an event.</summary>
    public void Append(ReadOnlySpan<byte> json)
    {
        if (!_isReopened && _count % EventsPerMark == 0)
        {
            lock (_marks) _marks.Add(_length);
        }

        Write(json);
        _count++;
    }

    /// <summary>Closes it; the file says now that the response has ended.</summary>
    public void Close()
    {
        _handle.Dispose();
        var ended = System.IO.Path.ChangeExtension(Path, Ended);
        File.Move(Path, ended, overwrite: true);
        Path = ended;
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    /// <summary>The events from one to before another, from the file.</summary>
    public IAsyncEnumerable<StreamEvent> ReadAsync(long first, long end, CancellationToken cancellationToken)
    {
        long at = 0;
        long offset = 0;
        lock (_marks)
        {
            // A journal that was reopened has none: it is read from its beginning.
            var mark = (int)(first / EventsPerMark);
            if (_marks.Count > mark)
            {
                at = (long)mark * EventsPerMark;
                offset = _marks[mark];
            }
        }

        return ReadAsync(Path, offset, at, first, end, cancellationToken);
    }

    /// <summary>The events of a file from one to before another.</summary>
    public static IAsyncEnumerable<StreamEvent> ReadAsync(string path, long first, long end, CancellationToken cancellationToken) =>
        ReadAsync(path, 0, 0, first, end, cancellationToken);

    /// <summary>Whose it is, or null when the first line isn't whole.</summary>
    public static async ValueTask<JournalHeader?> ReadHeaderAsync(string path, CancellationToken cancellationToken)
    {
        await foreach (var line in ReadLinesAsync(path, 0, cancellationToken).ConfigureAwait(false))
        {
            return JsonSerializer.Deserialize(line.Span, ResponsesJson.Default.JournalHeader);
        }

        return null;
    }

    /// <summary>The whole lines of a file, each without its end.</summary>
    public static async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadLinesAsync(string path, long offset, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        FileStream stream;
        try
        {
            stream = Open(path);
        }
        catch (FileNotFoundException) when (path.EndsWith(Running, StringComparison.Ordinal))
        {
            // It has ended in this moment.
            stream = Open(System.IO.Path.ChangeExtension(path, Ended));
        }

        await using (stream.ConfigureAwait(false))
        {
            stream.Position = offset;
            var reader = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 16 * 1024, leaveOpen: true));
            while (true)
            {
                var read = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                var buffer = read.Buffer;
                while (buffer.PositionOf((byte)'\n') is { } end)
                {
                    var line = buffer.Slice(0, end).ToArray();
                    buffer = buffer.Slice(buffer.GetPosition(1, end));
                    yield return line;
                }

                reader.AdvanceTo(buffer.Start, buffer.End);
                if (read.IsCompleted) break;
            }

            await reader.CompleteAsync().ConfigureAwait(false);
        }
    }

    /// <summary>An event as the file has it.</summary>
    public static StreamEvent Parse(long sequence, ReadOnlyMemory<byte> json)
    {
        const int Prefix = 9;
        var rest = json.Span[Math.Min(Prefix, json.Length)..];
        var end = rest.IndexOf((byte)'"');
        if (end < 0) throw new BridgeException(ErrorCodes.StoreCorrupt, "A file of a response's events is damaged; ask for the response itself.");
        var name = rest[..end];
        return new StreamEvent(sequence, ResponseEventTypes.Find(name) ?? System.Text.Encoding.UTF8.GetString(name), json);
    }

    private static FileStream Open(string path) => new(path, new FileStreamOptions
    {
        Mode = FileMode.Open,
        Access = FileAccess.Read,
        Share = FileShare.ReadWrite | FileShare.Delete,
        BufferSize = 0,
        Options = FileOptions.Asynchronous | FileOptions.SequentialScan,
    });

    private static async IAsyncEnumerable<StreamEvent> ReadAsync(
        string path, long offset, long at, long first, long end, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (first >= end) yield break;
        var sequence = offset == 0 ? -1 : at;
        await foreach (var line in ReadLinesAsync(path, offset, cancellationToken).ConfigureAwait(false))
        {
            if (sequence >= first) yield return Parse(sequence, line);
            if (++sequence >= end) yield break;
        }
    }

    private void Write(ReadOnlySpan<byte> json)
    {
        var size = json.Length + 1;
        if (_line.Length < size) _line = new byte[Math.Max(size, 2 * _line.Length)];
        json.CopyTo(_line);
        _line[size - 1] = (byte)'\n';
        RandomAccess.Write(_handle, _line.AsSpan(0, size), _length);
        Volatile.Write(ref _length, _length + size);
        // One large event mustn't keep its buffer for the rest of a long stream.
        if (_line.Length > 256 * 1024) _line = new byte[1024];
    }
}
