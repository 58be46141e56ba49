using System.Collections.Concurrent;
using System.Threading.Tasks.Sources;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Storage.Common;

/// <summary>
/// What one caller wants committed, all or nothing, and the caller's way to wait for it. Pooled: a unit goes back when its waiter has taken the
/// result, so the writer must not touch it after completing it.
/// </summary>
internal sealed class CommitUnit : IValueTaskSource
{
    // Bounds what idle units keep; more of them are left to the collector.
    private const int PoolLimit = 16_384;

    private static readonly ConcurrentQueue<CommitUnit> Pool = new();

    // Waiters continue on the thread pool, unless a group's are told together on one of its threads: the writer goes on with the next group.
    private ManualResetValueTaskSourceCore<bool> _core = new() { RunContinuationsAsynchronously = true };

    private CommitUnit()
    {
    }

    /// <summary>The only write, or null when there is a batch.</summary>
    public StoreWrite? Single { get; private set; }

    /// <summary>The writes, or null when there is only one.</summary>
    public IReadOnlyList<StoreWrite>? Batch { get; private set; }

    /// <summary>Cancels the unit while it is still queued.</summary>
    public CancellationToken Token { get; private set; }

    /// <summary>The task that completes with the unit; to be awaited once.</summary>
    public ValueTask Task => new(this, _core.Version);

    /// <summary>Takes a unit from the pool.</summary>
    public static CommitUnit Rent(StoreWrite? single, IReadOnlyList<StoreWrite>? batch, CancellationToken token)
    {
        if (!Pool.TryDequeue(out var unit)) unit = new CommitUnit();
        unit.Single = single;
        unit.Batch = batch;
        unit.Token = token;
        return unit;
    }

    /// <summary>Gives back a unit that was never queued.</summary>
    public void Return()
    {
        Single = null;
        Batch = null;
        Token = CancellationToken.None;
        _core.Reset();
        _core.RunContinuationsAsynchronously = true;
        if (Pool.Count < PoolLimit) Pool.Enqueue(this);
    }

    /// <summary>Bytes of payload, for the bound of a group.</summary>
    public long PayloadBytes()
    {
        if (Single is { } single) return SizeOf(single);
        var size = 0L;
        for (var i = 0; i < Batch!.Count; i++) size += SizeOf(Batch[i]);
        return size;
    }

    /// <summary>Tells the waiter that its writes are durable.</summary>
    public void Complete() => _core.SetResult(true);

    /// <summary>The same, and runs what the waiter does next on this thread: for a thread of the pool that has a group to tell.</summary>
    public void CompleteHere()
    {
        _core.RunContinuationsAsynchronously = false;
        _core.SetResult(true);
    }

    /// <summary>Tells the waiter why they aren't.</summary>
    public void Fail(Exception exception) => _core.SetException(exception);

    void IValueTaskSource.GetResult(short token)
    {
        try
        {
            _core.GetResult(token);
        }
        finally
        {
            Return();
        }
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    private static int SizeOf(StoreWrite write) => write switch
    {
        InboxAppend w => w.Payload.Length,
        OutboxAppend w => w.Payload.Length,
        RecordPut w => w.Value.Length,
        SequenceAppend w => w.Value.Length,
        _ => 0,
    };
}
