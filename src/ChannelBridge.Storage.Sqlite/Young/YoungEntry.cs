using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Sqlite.Writing;

namespace ChannelBridge.Storage.Sqlite.Young;

/// <summary>
/// An entry of the nursery: not in its table yet. Its state as the writer sees it is apart from the one that is committed, which readers see. Used
/// again for other entries, because the collector would carry each of them through its generations; so it is only looked at under the nursery's lock.
/// </summary>
internal abstract class YoungEntry
{
    /// <summary>Its place in the order of appends; entries leave the nursery in this order.</summary>
    public long Number { get; set; }

    /// <summary>The entry's id.</summary>
    public Guid Id { get; set; }

    /// <summary>The lane.</summary>
    public LaneState Lane { get; set; } = null!;

    /// <summary>When it was accepted (Unix ms).</summary>
    public long AcceptedAt { get; set; }

    /// <summary>Where its payload is.</summary>
    public YoungPage Page { get; set; } = null!;

    /// <summary>Where in the page the payload begins, in bytes.</summary>
    public int Offset { get; set; }

    /// <summary>The payload's length in bytes.</summary>
    public int Length { get; set; }

    /// <summary>The writer's state differs from the committed one.</summary>
    public bool Touched { get; set; }

    /// <summary>Its append is committed: readers may see it.</summary>
    public bool Committed { get; set; }

    /// <summary>The payload; valid while the entry is in the nursery.</summary>
    public ReadOnlySpan<byte> Payload => Page.Buffer.AsSpan(Offset, Length);
}

/// <summary>An inbox entry of the nursery.</summary>
internal sealed class YoungInbox : YoungEntry
{
    /// <summary>The row that it will have.</summary>
    public long Row { get; set; }

    /// <summary>What makes it the same message.</summary>
    public UInt128 DedupeKey { get; set; }

    /// <summary>Until when the key is remembered (Unix ms).</summary>
    public long DedupeUntil { get; set; }

    /// <summary>The writer's state.</summary>
    public InboxState State;

    /// <summary>The committed state.</summary>
    public InboxState Kept;

    /// <summary>The next one of the lane's, in order of appends.</summary>
    public YoungInbox? Next { get; set; }
}

/// <summary>An outbox entry of the nursery.</summary>
internal sealed class YoungOutbox : YoungEntry
{
    /// <summary>The inbox entry that it answers.</summary>
    public Guid? ReplyTo { get; set; }

    /// <summary>The writer's state.</summary>
    public OutboxState State;

    /// <summary>The committed state.</summary>
    public OutboxState Kept;

    /// <summary>The next one of the lane's, in order of appends.</summary>
    public YoungOutbox? Next { get; set; }
}

/// <summary>What changes of an inbox entry.</summary>
internal struct InboxState
{
    public long Ordinal;
    public TurnState State;
    public int Attempts;
    public long NextAttemptAt;
    public long EndedAt;
    public string? Error;
    public bool PayloadDropped;
}

/// <summary>What changes of an outbox entry.</summary>
internal struct OutboxState
{
    public long Seq;
    public DeliveryState State;
    public bool Settled;
    public bool PayloadDropped;

    /// <summary>Removed for good: it will have no row.</summary>
    public bool Discarded;

    public int Attempts;
    public long NextAttemptAt;
    public long ExpiresAt;
    public long PushedAt;
    public long AckedAt;
    public long DeliveredAt;
    public long EndedAt;
    public string? Error;
    public byte[]? History;
}
