namespace ChannelBridge.Abstractions.Storage;

/// <summary>What a store knows of itself without asking its disk or server: it can be told while those hang.</summary>
/// <param name="QueuedCommits">Commits that wait for the writer.</param>
/// <param name="QueueCapacity">How many may wait before more are refused as busy.</param>
/// <param name="LastCommitAt">When a commit succeeded last (Unix ms), or 0.</param>
/// <param name="Failing">The error code since commits fail, or null while they succeed.</param>
/// <param name="FailingSince">Since when they fail (Unix ms), or 0.</param>
public readonly record struct StoreHealth(int QueuedCommits, int QueueCapacity, long LastCommitAt, string? Failing, long FailingSince);

/// <summary>How much room a store takes and how much it has.</summary>
public sealed record StoreSpace
{
    /// <summary>When it was measured (Unix ms).</summary>
    public required long MeasuredAt { get; init; }

    /// <summary>Bytes of the data: the database file, or the tables with their indexes.</summary>
    public required long DataBytes { get; init; }

    /// <summary>Bytes of the write-ahead log beside the data; null where the engine doesn't tell.</summary>
    public long? LogBytes { get; init; }

    /// <summary>Bytes inside the data that are free and will be used again; null where the engine doesn't tell.</summary>
    public long? FreeBytes { get; init; }

    /// <summary>Bytes that are free on the disk of the data; null where the host can't see it.</summary>
    public long? DiskFreeBytes { get; init; }

    /// <summary>True when the numbers of rows are the server's estimates.</summary>
    public bool Estimated { get; init; }

    /// <summary>Inbox entries: messages, tombstones and dead messages.</summary>
    public long InboxRows { get; init; }

    /// <summary>Outbox entries: messages, receipts and dead letters.</summary>
    public long OutboxRows { get; init; }

    /// <summary>Records.</summary>
    public long RecordRows { get; init; }

    /// <summary>Values of numbered logs.</summary>
    public long LogRows { get; init; }

    /// <summary>Dedupe keys that are remembered.</summary>
    public long DedupeKeys { get; init; }

    /// <summary>Messages given up, of inbox and outbox together.</summary>
    public long DeadLetters { get; init; }
}
