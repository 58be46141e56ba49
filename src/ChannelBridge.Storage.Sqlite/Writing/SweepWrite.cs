using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <summary>What a sweep step removes.</summary>
internal enum SweepKind
{
    /// <summary>Inbox tombstones and dead messages.</summary>
    Inbox,

    /// <summary>Outbox receipts and dead letters.</summary>
    Outbox,

    /// <summary>Expired records.</summary>
    Records,

    /// <summary>Values of numbered logs whose time is up.</summary>
    Logs,

    /// <summary>A part of the dedupe keys.</summary>
    Keys,
}

/// <summary>Removes some rows of what has outlived its time.</summary>
internal sealed class SweepWrite : StoreWrite
{
    /// <summary>How many rows one step removes at most.</summary>
    public const int MaxRows = 500;

    /// <summary>When an outbox entry may go: ?2 settled before, ?3 ended before.</summary>
    public const string OutboxCondition =
        "settled = 1 AND (state < 4 AND max(accepted_at, pushed_at, acked_at, delivered_at) < ?2 OR state >= 4 AND ended_at < ?3)";

    /// <summary>Which table.</summary>
    public required SweepKind Kind { get; init; }

    /// <summary>What may go.</summary>
    public required SweepLimits Limits { get; init; }

    /// <summary>The rows that a reader found; not used for records and logs.</summary>
    public IReadOnlyList<long> Rows { get; init; } = [];

    /// <summary>The part of the dedupe keys whose time is up.</summary>
    public long Part { get; init; }

    /// <summary>Result: how many rows went.</summary>
    public int Removed { get; set; }
}
