using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Abstractions.Storage;

/// <summary>What became of an inbox entry's turn.</summary>
public enum TurnState
{
    /// <summary>Accepted, its turn is to be run (again).</summary>
    Pending = 0,

    /// <summary>Its turn is finished; the row stays as a tombstone for the dedupe window.</summary>
    Done = 1,

    /// <summary>Given up; kept with its payload and reason.</summary>
    Dead = 2,
}

/// <summary>An inbox entry as stored.</summary>
public sealed record InboxEntry
{
    /// <summary>The entry's id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The lane's id.</summary>
    public required long LaneId { get; init; }

    /// <summary>The lane.</summary>
    public required LaneKey Lane { get; init; }

    /// <summary>The number in the lane's inbox.</summary>
    public required long Ordinal { get; init; }

    /// <summary>What became of its turn.</summary>
    public required TurnState State { get; init; }

    /// <summary>Turns tried.</summary>
    public int Attempts { get; init; }

    /// <summary>Not before (Unix ms).</summary>
    public long NextAttemptAt { get; init; }

    /// <summary>When it was accepted (Unix ms).</summary>
    public required long AcceptedAt { get; init; }

    /// <summary>The last failure's reason, or null.</summary>
    public string? Error { get; init; }

    /// <summary>When its turn was finished or given up (Unix ms), or 0.</summary>
    public long EndedAt { get; init; }

    /// <summary>The message; empty once done.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }
}

/// <summary>An outbox entry as stored: a message and its receipt.</summary>
public sealed record OutboxEntry
{
    /// <summary>The entry's id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The lane's id.</summary>
    public required long LaneId { get; init; }

    /// <summary>The lane.</summary>
    public required LaneKey Lane { get; init; }

    /// <summary>The number in the lane.</summary>
    public required long Seq { get; init; }

    /// <summary>How far it got.</summary>
    public required DeliveryState State { get; init; }

    /// <summary>True when nothing more is to be done for it.</summary>
    public required bool Settled { get; init; }

    /// <summary>Pushes tried and failed.</summary>
    public int Attempts { get; init; }

    /// <summary>Not before (Unix ms).</summary>
    public long NextAttemptAt { get; init; }

    /// <summary>When it was accepted (Unix ms).</summary>
    public required long AcceptedAt { get; init; }

    /// <summary>Until when it is worth delivering (Unix ms), or 0.</summary>
    public long ExpiresAt { get; init; }

    /// <summary>When it was last pushed (Unix ms), or 0.</summary>
    public long PushedAt { get; init; }

    /// <summary>When it was acked (Unix ms), or 0.</summary>
    public long AckedAt { get; init; }

    /// <summary>When the platform had it (Unix ms), or 0.</summary>
    public long DeliveredAt { get; init; }

    /// <summary>When it expired or died (Unix ms), or 0.</summary>
    public long EndedAt { get; init; }

    /// <summary>The last failure's reason, or null.</summary>
    public string? Error { get; init; }

    /// <summary>The history of attempts: UTF-8 JSON objects, each with a line feed behind it; empty when all went well.</summary>
    public ReadOnlyMemory<byte> History { get; init; }

    /// <summary>The message; empty once acked, delivered or finally pushed.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }
}

/// <summary>A lane with something to do.</summary>
/// <param name="Id">The lane's id.</param>
/// <param name="Key">The lane.</param>
/// <param name="Known">
/// A number that its entries are known to reach: an inbox lane's ordinal, an outbox lane's seq. Of a list that the store gives, that of the first
/// entry that is to be worked on; of what a host is told, the highest that was heard of. There may be more.
/// </param>
public readonly record struct PendingLane(long Id, LaneKey Key, long Known);

/// <summary>A record as stored.</summary>
/// <param name="Key">The key.</param>
/// <param name="Value">The value.</param>
/// <param name="Version">1, 2, 3 … with every put.</param>
/// <param name="Index">The indexed field, or null.</param>
/// <param name="UpdatedAt">When it was last put (Unix ms).</param>
public sealed record StoreRecord(string Key, ReadOnlyMemory<byte> Value, long Version, string? Index, long UpdatedAt);

/// <summary>A value of a numbered log.</summary>
/// <param name="Number">Its number in the log.</param>
/// <param name="Value">The value.</param>
/// <param name="ExpiresAt">Until when it is kept (Unix ms), or 0.</param>
public sealed record SequenceEntry(long Number, ReadOnlyMemory<byte> Value, long ExpiresAt);

/// <summary>Counts of an account.</summary>
/// <param name="Channel">The channel id.</param>
/// <param name="Account">The account, lower case.</param>
/// <param name="InboxPending">Messages without a finished turn.</param>
/// <param name="InboxDead">Messages whose turn was given up.</param>
/// <param name="OutboxPending">Replies that aren't settled.</param>
/// <param name="OutboxDead">Dead letters.</param>
/// <param name="OldestInboxAt">When the oldest unfinished message was accepted (Unix ms), or 0.</param>
/// <param name="OldestOutboxAt">When the oldest unsettled reply was accepted (Unix ms), or 0.</param>
public readonly record struct AccountCounts(
    string Channel, string Account, long InboxPending, long InboxDead, long OutboxPending, long OutboxDead, long OldestInboxAt, long OldestOutboxAt);

/// <summary>Filter and page of an outbox list.</summary>
public sealed record OutboxQuery
{
    /// <summary>Only this channel, or null.</summary>
    public string? Channel { get; init; }

    /// <summary>Only this account (lower case), or null.</summary>
    public string? Account { get; init; }

    /// <summary>Only this lane's session key, or null.</summary>
    public string? SessionKey { get; init; }

    /// <summary>Only these states; empty means all.</summary>
    public IReadOnlyList<DeliveryState> States { get; init; } = [];

    /// <summary>Only entries whose last failure's reason equals this, or null.</summary>
    public string? Error { get; init; }

    /// <summary>Only entries accepted before this time (Unix ms), or 0.</summary>
    public long AcceptedBefore { get; init; }

    /// <summary>Newest first when true.</summary>
    public bool Descending { get; init; }

    /// <summary>Continue behind this entry (its <see cref="OutboxEntry.AcceptedAt"/> and id), or null.</summary>
    public (long AcceptedAt, Guid Id)? After { get; init; }

    /// <summary>At most this many, 1…1000.</summary>
    public int Limit { get; init; } = 100;

    /// <summary>Leave payload and history out.</summary>
    public bool HeadersOnly { get; init; }
}

/// <summary>What a sweep may remove.</summary>
/// <param name="Now">Now (Unix ms): tombstones, records and values of logs that expired before go.</param>
/// <param name="SettledBefore">Receipts settled before this time go (Unix ms); dead letters have their own limit.</param>
/// <param name="DeadBefore">Dead and expired entries that ended before this time go (Unix ms).</param>
public readonly record struct SweepLimits(long Now, long SettledBefore, long DeadBefore);
