using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Abstractions.Storage;

/// <summary>
/// The durable ground of a host: the lane journal (inbox and outbox entries), records, and sequences. Engines: SQLite for one host,
/// PostgreSQL for several; one contract suite tests both.
/// </summary>
/// <remarks>
/// Writes go through one writer that commits what has queued up as a group; a commit's task completes after the group is durable. Reads don't
/// queue behind writes, and see at least everything whose commit has completed.
/// Every failure is a <see cref="BridgeException"/> with a <c>STORE_…</c> code, or <see cref="ErrorCodes.Busy"/> when the writer's queue is full.
/// </remarks>
public interface IStore : IRecords, IAsyncDisposable
{
    /// <summary>What it is and where, for logs and diagnostics; no secrets.</summary>
    string Description { get; }

    /// <summary>What it knows of itself at this moment, from memory: it answers while disk or server hang.</summary>
    StoreHealth Health { get; }

    /// <summary>Opens or creates the store and brings its schema up to date. Called once, before anything else.</summary>
    ValueTask OpenAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Commits a test write that needs new room on the disk, more of it while commits fail, and reads: completes when the store can be used, throws why not
    /// otherwise. A write that fits into what is allocated already would succeed on a full disk.
    /// </summary>
    ValueTask ProbeAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Applies the writes of a batch, in order, all or nothing, and completes when they are durable. Results stand in the write objects then.
    /// Expected outcomes (duplicate, version conflict) are results, not exceptions, and don't undo the rest of the batch.
    /// </summary>
    ValueTask CommitAsync(StoreWrite write, CancellationToken cancellationToken = default);

    /// <inheritdoc cref="CommitAsync(StoreWrite, CancellationToken)"/>
    ValueTask CommitAsync(IReadOnlyList<StoreWrite> batch, CancellationToken cancellationToken = default);

    /// <summary>Lanes with inbox entries that have no finished turn, by lane id, after <paramref name="after"/>.</summary>
    ValueTask<IReadOnlyList<PendingLane>> ListTurnLanesAsync(long after, int limit, CancellationToken cancellationToken = default);

    /// <summary>Lanes of an account with unsettled outbox entries, by lane id, after <paramref name="after"/>.</summary>
    ValueTask<IReadOnlyList<PendingLane>> ListPushLanesAsync(
        string channel, string account, long after, int limit, CancellationToken cancellationToken = default);

    /// <summary>Unfinished inbox entries of a lane with an ordinal above <paramref name="after"/>, in order, until a limit is reached; at least one if there is any.</summary>
    ValueTask<IReadOnlyList<InboxEntry>> ReadInboxAsync(
        long lane, long after, int limit, int maxBytes, CancellationToken cancellationToken = default);

    /// <summary>Unsettled outbox entries of a lane with a seq above <paramref name="after"/>, in order, until a limit is reached; at least one if there is any.</summary>
    ValueTask<IReadOnlyList<OutboxEntry>> ReadOutboxAsync(
        long lane, long after, int limit, int maxBytes, CancellationToken cancellationToken = default);

    /// <summary>One inbox entry in any state, while its tombstone lasts; null when unknown.</summary>
    ValueTask<InboxEntry?> GetInboxAsync(Guid id, CancellationToken cancellationToken = default);

    /// <summary>Inbox entries whose turn was given up, in the order in which that happened, behind <paramref name="after"/> (their end and id).</summary>
    ValueTask<IReadOnlyList<InboxEntry>> ListDeadInboxAsync(
        (long EndedAt, Guid Id)? after, int limit, bool headersOnly, CancellationToken cancellationToken = default);

    /// <summary>One outbox entry in any state, while its receipt is kept; null when unknown.</summary>
    ValueTask<OutboxEntry?> GetOutboxAsync(Guid id, CancellationToken cancellationToken = default);

    /// <summary>A page of outbox entries by filter, newest or oldest first.</summary>
    ValueTask<IReadOnlyList<OutboxEntry>> QueryOutboxAsync(OutboxQuery query, CancellationToken cancellationToken = default);

    /// <summary>Counts of the whole store by account, of those with any; for start-up and diagnostics, not for the hot path.</summary>
    ValueTask<IReadOnlyList<AccountCounts>> CountAsync(CancellationToken cancellationToken = default);

    /// <summary>How much room it takes. Counts rows, so it may take a while: for diagnostics, not for the hot path.</summary>
    ValueTask<StoreSpace> MeasureAsync(CancellationToken cancellationToken = default);

    /// <inheritdoc/>
    ValueTask IRecords.WriteAsync(IReadOnlyList<RecordWrite> writes, CancellationToken cancellationToken) => CommitAsync(writes, cancellationToken);

    /// <summary>
    /// Removes what has outlived its time: inbox tombstones, settled receipts, expired records and values of logs. Works in small commits so that it holds nobody up.
    /// Returns how many rows went.
    /// </summary>
    ValueTask<long> SweepAsync(SweepLimits limits, CancellationToken cancellationToken = default);
}
