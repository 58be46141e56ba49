using System.Security.Cryptography;
using ChannelBridge.Abstractions.Connections;
using Microsoft.Win32.SafeHandles;

namespace ChannelBridge.Core.Transfers;

/// <summary>
/// A transfer towards the host while it runs: what has arrived, what of that is certain to survive, and the hash of what is there without a gap. The
/// file's bytes are never held here.
/// </summary>
internal sealed class Upload(UploadRecord record, long version, ChunkMap map) : IDisposable
{
    private readonly Dictionary<int, TaskCompletionSource> _writing = [];
    private IncrementalHash? _hash;
    private int _hashed;
    private bool _hashing;
    private int _pending;
    private TaskCompletionSource? _quiet;
    private TaskCompletionSource? _hashDone;

    public UploadRecord Record { get; set; } = record;

    /// <summary>The version of its record in the store.</summary>
    public long Version { get; set; } = version;

    /// <summary>Guards everything here but the file.</summary>
    public Lock Gate { get; } = new();

    /// <summary>Chunks that have been written; under <see cref="Gate"/>.</summary>
    public ChunkMap Map { get; private set; } = map;

    /// <summary>The connection that works on it, or null after a restart.</summary>
    public IClientConnection? Connection { get; set; }

    /// <summary>Bytes written since <see cref="Map"/> was last made durable.</summary>
    public long Unsynced { get; set; }

    /// <summary>True while <see cref="Map"/> is being made durable.</summary>
    public bool Syncing { get; set; }

    /// <summary>True while it is being completed or aborted: no chunk is taken any more.</summary>
    public bool Closing { get; set; }

    /// <summary>True once it was aborted or given up.</summary>
    public bool Gone { get; set; }

    public TransferMeter Meter { get; init; } = null!;

    public long LastUsed { get; set; }

    /// <summary>How many bytes a chunk must have.</summary>
    public int SizeOf(int index) => (int)Math.Min(Record.ChunkSize, Record.FileSize - ((long)index * Record.ChunkSize));

    /// <summary>Bytes that have arrived; under <see cref="Gate"/>.</summary>
    public long ReceivedBytes
    {
        get
        {
            if (Map.Count == 0) return 0;
            var bytes = (long)Map.Present * Record.ChunkSize;
            return Map[Map.Count - 1] ? bytes - Record.ChunkSize + SizeOf(Map.Count - 1) : bytes;
        }
    }

    /// <summary>A chunk's message has come: <see cref="QuietAsync"/> waits for it from now on.</summary>
    public void Enter()
    {
        lock (Gate) _pending++;
    }

    public void Leave()
    {
        lock (Gate)
        {
            if (--_pending > 0) return;
            _quiet?.TrySetResult();
            _quiet = null;
        }
    }

    /// <summary>Completes when no chunk is being worked on.</summary>
    public Task QuietAsync()
    {
        lock (Gate)
        {
            if (_pending == 0) return Task.CompletedTask;
            return (_quiet ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    /// <summary>Takes the right to write a chunk. False with a task: somebody else writes it now. False without one: it is there.</summary>
    public bool TryBegin(int index, out Task? other)
    {
        lock (Gate)
        {
            other = null;
            if (Map[index]) return false;
            if (_writing.TryGetValue(index, out var busy))
            {
                other = busy.Task;
                return false;
            }

            _writing.Add(index, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            return true;
        }
    }

    /// <summary>A chunk was written, or couldn't be.</summary>
    public void End(int index, bool written)
    {
        lock (Gate)
        {
            _writing.Remove(index, out var done);
            if (written && Map.Add(index)) Unsynced += SizeOf(index);
            done?.TrySetResult();
        }
    }

    /// <summary>Everything must come again.</summary>
    public void Restart()
    {
        lock (Gate)
        {
            Map = new ChunkMap(Map.Count);
            Unsynced = 0;
            _hash?.Dispose();
            _hash = null;
            _hashed = 0;
        }
    }

    /// <summary>
    /// Adds to the hash what is there without a gap. One caller at a time does that for all; the others go on. The chunk in hand is taken from memory,
    /// others are read back, while the kernel still has them.
    /// </summary>
    /// <param name="file">The part.</param>
    /// <param name="index">The chunk in hand, or -1.</param>
    /// <param name="bytes">Its bytes.</param>
    /// <param name="limit">The most chunks that are added.</param>
    /// <returns>True when there is more to add: the limit was reached.</returns>
    public bool AdvanceHash(SafeFileHandle file, int index, ReadOnlySpan<byte> bytes, int limit)
    {
        lock (Gate)
        {
            if (_hashing || _hashed >= Map.Count || !Map[_hashed]) return false;
            _hashing = true;
            _hash ??= IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        }

        byte[]? buffer = null;
        try
        {
            while (true)
            {
                var next = _hashed;
                var size = SizeOf(next);
                if (next == index && bytes.Length == size)
                {
                    _hash.AppendData(bytes);
                }
                else
                {
                    buffer ??= System.Buffers.ArrayPool<byte>.Shared.Rent((int)Math.Min(Record.ChunkSize, 1 << 20));
                    ReadInto(file, (long)next * Record.ChunkSize, size, buffer);
                }

                lock (Gate)
                {
                    _hashed++;
                    var more = _hashed < Map.Count && Map[_hashed] && !Gone;
                    if (more && --limit > 0) continue;
                    Rest();
                    return more;
                }
            }
        }
        catch
        {
            lock (Gate) Rest();
            throw;
        }
        finally
        {
            if (buffer is not null) System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The hash of the whole file; every chunk must be there.</summary>
    public async Task<string> HashAsync(SafeFileHandle file)
    {
        while (true)
        {
            Task? busy = null;
            lock (Gate)
            {
                if (_hashing) busy = (_hashDone ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
                else if (_hashed >= Map.Count)
                {
                    // A copy is asked, so that a completion that fails later may ask again.
                    _hash ??= IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
                    return Convert.ToHexStringLower(_hash.GetCurrentHash());
                }
            }

            if (busy is not null) await busy.ConfigureAwait(false);
            else AdvanceHash(file, -1, default, int.MaxValue);
        }
    }

    public void Dispose() => _hash?.Dispose();

    private void Rest()
    {
        _hashing = false;
        _hashDone?.TrySetResult();
        _hashDone = null;
    }

    private void ReadInto(SafeFileHandle file, long offset, int size, byte[] buffer)
    {
        while (size > 0)
        {
            var read = RandomAccess.Read(file, buffer.AsSpan(0, Math.Min(size, buffer.Length)), offset);
            if (read == 0) throw new EndOfStreamException("the part is shorter than what was written to it");
            _hash!.AppendData(buffer, 0, read);
            offset += read;
            size -= read;
        }
    }
}
