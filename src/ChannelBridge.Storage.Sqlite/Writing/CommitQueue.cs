using System.Collections.Concurrent;
using ChannelBridge.Storage.Common;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <summary>
/// What waits for the writer thread, with a bound, and the one place where that thread sleeps: for new work, or for the flush that is under way,
/// whichever comes first. Producers take no lock, so that many of them don't queue up before the queue.
/// </summary>
internal sealed class CommitQueue(int capacity) : IDisposable
{
    // While a flush is under way nothing can be committed: the writer is only woken for as many units as are worth being applied meanwhile.
    private const int WorthWaking = 48;

    private readonly ConcurrentQueue<CommitUnit> _units = [];
    private readonly ManualResetEventSlim _wake = new(initialState: false, spinCount: 0);
    private int _count;
    private volatile bool _closed;
    private volatile bool _flushed = true;
    private volatile bool _sleeping;
    private volatile int _wakeAt = 1;

    /// <summary>How many units wait.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>True when nothing more is taken.</summary>
    public bool Closed => _closed;

    /// <summary>Adds a unit; false when the queue is full or closed.</summary>
    public bool TryAdd(CommitUnit unit)
    {
        // Counted before it is there: whoever closes the queue waits for what is counted.
        if (Interlocked.Increment(ref _count) > capacity || _closed)
        {
            Interlocked.Decrement(ref _count);
            Wake();
            return false;
        }

        _units.Enqueue(unit);
        Wake(Count);
        return true;
    }

    /// <summary>Takes the oldest unit, if there is one. Only for the writer thread, as is all below that waits.</summary>
    public bool TryTake(out CommitUnit unit)
    {
        if (!_units.TryDequeue(out unit!)) return false;
        Interlocked.Decrement(ref _count);
        return true;
    }

    /// <summary>Takes nothing more; what is queued is still handed out.</summary>
    public void Close()
    {
        _closed = true;
        Wake();
    }

    /// <summary>Notes that a flush has begun.</summary>
    public void FlushBegins() => _flushed = false;

    /// <summary>Notes that the flush is over.</summary>
    public void FlushEnds()
    {
        _flushed = true;
        Wake();
    }

    /// <summary>Waits for a unit. False when there will be none.</summary>
    public bool WaitForUnit()
    {
        while (_units.IsEmpty && !(_closed && Count == 0)) Sleep(static queue => !queue._units.IsEmpty || (queue._closed && queue.Count == 0));
        return !_units.IsEmpty;
    }

    /// <summary>Waits for a number of units or the end of the flush; at once when no flush is under way. True when there is a unit.</summary>
    public bool WaitForUnitsOrFlush()
    {
        _wakeAt = WorthWaking;
        while (Count < WorthWaking && !_flushed) Sleep(static queue => queue.Count >= WorthWaking || queue._flushed);
        _wakeAt = 1;
        return !_units.IsEmpty;
    }

    /// <summary>Waits until no flush is under way.</summary>
    public void WaitForFlush()
    {
        _wakeAt = int.MaxValue;
        while (!_flushed) Sleep(static queue => queue._flushed);
        _wakeAt = 1;
    }

    /// <inheritdoc/>
    public void Dispose() => _wake.Dispose();

    // The flag before the last look, the change before the flag is read (Wake): one of the two sides sees the other.
    private void Sleep(Func<CommitQueue, bool> done)
    {
        _wake.Reset();
        _sleeping = true;
        Interlocked.MemoryBarrier();
        if (!done(this)) _wake.Wait();
        _sleeping = false;
    }

    private void Wake(int units = int.MaxValue)
    {
        Interlocked.MemoryBarrier();
        if (_sleeping && units >= _wakeAt) _wake.Set();
    }
}
