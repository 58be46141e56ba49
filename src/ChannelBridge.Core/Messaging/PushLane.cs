using ChannelBridge.Abstractions.Messaging;
namespace ChannelBridge.Core.Messaging;

/// <summary>A message in the outbox that is in memory.</summary>
internal sealed class PushEntry(Guid id, long seq, OutboundMessage message, long acceptedAt, long expiresAt, int size)
{
    public Guid Id => id;

    public long Seq => seq;

    public OutboundMessage Message => message;

    public long AcceptedAt => acceptedAt;

    /// <summary>Unix ms, or 0.</summary>
    public long ExpiresAt => expiresAt;

    public int Size => size;

    /// <summary>Pushes that failed.</summary>
    public int Attempts { get; set; }

    /// <summary>Not before this time of <see cref="AccountOutbox.Ticks"/>; 0 at once, <see cref="AccountOutbox.Held"/> not before the user writes.</summary>
    public long DueAt { get; set; }

    /// <summary>When it was last pushed (Unix ms), or 0.</summary>
    public long PushedAt { get; set; }

    /// <summary>True when watchers know of the last push.</summary>
    public bool PushTold { get; set; }

    /// <summary>The same as <see cref="PushedAt"/>, by <see cref="AccountOutbox.Ticks"/>.</summary>
    public long PushedTicks { get; set; }

    /// <summary>What <see cref="PushLane.Releases"/> was when it was last pushed.</summary>
    public int ReleasesAtPush { get; set; }

    /// <summary>True while it is being given up: neither an ack nor a refusal counts any more.</summary>
    public bool Ending { get; set; }

    /// <summary>The messages before it that don't come, as its last push told.</summary>
    public IReadOnlyList<SkippedMessages> Told { get; set; } = [];

    /// <summary>Where it was last pushed, or null.</summary>
    public string? ConnectionId { get; set; }

    /// <summary>Completes when its receipt is recorded, or couldn't be; made when somebody wants to know.</summary>
    public TaskCompletionSource? Recorded { get; set; }
}

/// <summary>
/// The push cursor of a lane: one message at a time for clients that ack, a stream of flushed ones for clients that don't; always in order.
/// </summary>
internal sealed class PushLane(long id, LaneKey key, int window, LaneMemory memory) : IDisposable
{
    public long Id { get; } = id;

    public LaneKey Key { get; } = key;

    public Lock Gate { get; } = new();

    public LaneWindow<PushEntry> Window { get; } = new(window, memory);

    /// <summary>The attachment (see <see cref="AccountOutbox"/>) for which the lane's pushes were made; another one means: push again.</summary>
    public int Attachment { get; set; }

    /// <summary>True while somebody walks the lane; nobody else does then.</summary>
    public bool Walking { get; set; }

    /// <summary>True while the lane has work and therefore a pin.</summary>
    public bool Pinned { get; set; }

    /// <summary>The head, pushed and waiting for its ack; null when none waits.</summary>
    public PushEntry? Awaiting { get; set; }

    /// <summary>Until when the ack may take, by <see cref="AccountOutbox.Ticks"/>.</summary>
    public long AckDeadline { get; set; }

    /// <summary>Flushed to a client that doesn't ack, and not yet proven.</summary>
    public List<PushEntry> Unconfirmed { get; } = [];

    /// <summary>Acked, their receipts on the way to the disk.</summary>
    public List<PushEntry> Settling { get; } = [];

    /// <summary>The lowest seq whose receipt could not be recorded, so that the store has it unsettled still; 0 none.</summary>
    public long RepairFrom { get; set; }

    /// <summary>Not before this time of <see cref="AccountOutbox.Ticks"/> is it gone through from <see cref="RepairFrom"/>.</summary>
    public long RepairAt { get; set; }

    /// <summary>How often the user wrote, counted while messages may be held for that.</summary>
    public int Releases { get; set; }

    /// <summary>The numbers whose messages don't come, as far as that hasn't been told to the target of now; null: not read from the store yet.</summary>
    public List<SkippedMessages>? Skipped { get; set; }

    public ITimer? Timer { get; set; }

    public void Dispose() => Timer?.Dispose();
}
