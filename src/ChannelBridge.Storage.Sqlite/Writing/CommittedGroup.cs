using ChannelBridge.Storage.Common;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <summary>
/// Commits that share a transaction. Their waiters are told in slices, each on one thread of the pool: a work item for each waiter would cost more
/// in waking threads than what most of them do next.
/// </summary>
/// <param name="units">Who waits for it.</param>
/// <param name="started">When its first write was applied, as a <see cref="System.Diagnostics.Stopwatch"/> time.</param>
internal sealed class CommittedGroup(List<CommitUnit> units, long started)
{
    private const int SliceSize = 24;

    /// <summary>Who waits for it.</summary>
    public List<CommitUnit> Units => units;

    /// <summary>When its first write was applied, as a <see cref="System.Diagnostics.Stopwatch"/> time.</summary>
    public long Started => started;

    /// <summary>Tells every waiter that its writes are durable. The list isn't used after that: it may be cleared.</summary>
    public void Complete()
    {
        for (var start = 0; start < units.Count; start += SliceSize)
        {
            var slice = units.GetRange(start, Math.Min(SliceSize, units.Count - start));
            ThreadPool.UnsafeQueueUserWorkItem(
                static slice =>
                {
                    foreach (var unit in slice) unit.CompleteHere();
                },
                slice,
                preferLocal: false);
        }
    }
}
