using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Abstractions.Storage;

/// <summary>One change. A batch of them is committed all or nothing.</summary>
public abstract class StoreWrite
{
    /// <summary>The <see cref="Claim"/> of a write that any host may make: a send, a client's ack, an operator's replay.</summary>
    public const long Unfenced = -1;

    /// <summary>
    /// The fencing token under which this is written: of the lane's turns for <see cref="InboxUpdate"/> and <see cref="OutboxAppend"/>, of the account's
    /// pushes for <see cref="OutboxUpdate"/>; ignored by inbox appends, which any host may make for any lane. Always 1 on SQLite. A write with an
    /// outdated token fails its batch with <see cref="Errors.ErrorCodes.ClaimLost"/>.
    /// </summary>
    public long Claim { get; init; } = 1;

    /// <summary>Result: it took place, and was no duplicate, no conflict, and not too late.</summary>
    public virtual bool TookPlace => true;
}

/// <summary>A change of a channel's own state: a record or a sequence. It may ride along in the commit of a message, see <c>IInbox</c> and <c>IOutbox</c>.</summary>
public abstract class RecordWrite : StoreWrite
{
    /// <summary>
    /// A write of a message, or a record that is put under an expected version, in the same batch, before this one: this one is made only if that one took place, in
    /// the same commit. Null: always. The order of such writes among themselves holds, that to other writes of the batch doesn't. The core sets it for writes that
    /// ride along with a message.
    /// </summary>
    public StoreWrite? With { get; set; }
}

/// <summary>Appends a message to a lane's inbox, once per dedupe key.</summary>
public sealed class InboxAppend : StoreWrite
{
    /// <summary>The lane; made if new.</summary>
    public required LaneKey Lane { get; init; }

    /// <summary>The entry's id, never used before. Ids that grow with time (version 7) are the cheapest to index.</summary>
    public required Guid Id { get; init; }

    /// <summary>What makes it the same message.</summary>
    public required UInt128 DedupeKey { get; init; }

    /// <summary>Until when the key is remembered (Unix ms). An older tombstone with the same key counts as forgotten when its own time is up.</summary>
    public required long DedupeUntil { get; init; }

    /// <summary>Now (Unix ms).</summary>
    public required long At { get; init; }

    /// <summary>The message as bytes. Not copied: it stays untouched until the commit completes.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>Result: the key was known; nothing was appended.</summary>
    public bool Duplicate { get; set; }

    /// <summary>Result: the id under which the message is known; <see cref="Id"/>, or the first one's when it is a duplicate.</summary>
    public Guid KnownId { get; set; }

    /// <summary>Result: the lane's id.</summary>
    public long LaneId { get; set; }

    /// <summary>Result: the number in the lane's inbox, 1, 2, 3 …</summary>
    public long Ordinal { get; set; }

    /// <inheritdoc/>
    public override bool TookPlace => !Duplicate;
}

/// <summary>Records what became of an inbox entry's turn. Only a pending entry changes: what is done or dead stays so.</summary>
public sealed class InboxUpdate : StoreWrite
{
    /// <summary>The lane.</summary>
    public required long LaneId { get; init; }

    /// <summary>The entry's ordinal.</summary>
    public required long Ordinal { get; init; }

    /// <summary>The new state. <see cref="TurnState.Done"/> drops the payload; <see cref="TurnState.Dead"/> keeps it.</summary>
    public required TurnState State { get; init; }

    /// <summary>How many turns were tried.</summary>
    public int Attempts { get; init; }

    /// <summary>Not before this time (Unix ms), for <see cref="TurnState.Pending"/>.</summary>
    public long NextAttemptAt { get; init; }

    /// <summary>Why it failed; null leaves the stored reason.</summary>
    public string? Error { get; init; }

    /// <summary>Now (Unix ms).</summary>
    public required long At { get; init; }

    /// <summary>Result: the entry was pending.</summary>
    public bool Changed { get; set; }

    /// <inheritdoc/>
    public override bool TookPlace => Changed;
}

/// <summary>Puts a message whose turn was given up back at its lane's end, under a new ordinal and the same id: no attempts, no error.</summary>
public sealed class InboxReplay : StoreWrite
{
    /// <summary>The entry.</summary>
    public required Guid Id { get; init; }

    /// <summary>Result: the entry was dead, and is pending again.</summary>
    public bool Replayed { get; set; }

    /// <summary>Result: the lane's id.</summary>
    public long LaneId { get; set; }

    /// <summary>Result: the new ordinal.</summary>
    public long Ordinal { get; set; }
}

/// <summary>Drops a message whose turn was given up. Its tombstone stays, so that it isn't accepted anew while its sender may repeat it.</summary>
public sealed class InboxDiscard : StoreWrite
{
    /// <summary>The entry.</summary>
    public required Guid Id { get; init; }

    /// <summary>Result: it was dead, and is done with.</summary>
    public bool Discarded { get; set; }
}

/// <summary>Appends a message to a lane's outbox, once per id.</summary>
public sealed class OutboxAppend : StoreWrite
{
    /// <summary>The lane; made if new.</summary>
    public required LaneKey Lane { get; init; }

    /// <summary>The entry's id, derived from its idempotency key: the same id again is a duplicate.</summary>
    public required Guid Id { get; init; }

    /// <summary>The inbox entry that it answers, or null.</summary>
    public Guid? ReplyTo { get; init; }

    /// <summary>Now (Unix ms).</summary>
    public required long At { get; init; }

    /// <summary>Until when it is worth delivering (Unix ms), or 0 for ever.</summary>
    public long ExpiresAt { get; init; }

    /// <summary>The message as bytes. Not copied: it stays untouched until the commit completes.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>Result: the id was known; nothing was appended.</summary>
    public bool Duplicate { get; set; }

    /// <summary>Result: the lane's id.</summary>
    public long LaneId { get; set; }

    /// <summary>Result: the number in the lane, 1, 2, 3 … without holes; for a duplicate, the first one's.</summary>
    public long Seq { get; set; }

    /// <inheritdoc/>
    public override bool TookPlace => !Duplicate;
}

/// <summary>
/// Records how far an outbox entry got. A settled entry never goes back: only better news about it is taken (pushed → acked → delivered, with its
/// time, and a client's word that it has what was given up), anything else changes nothing. What is delivered counts as acked at the same time, if it wasn't before.
/// </summary>
public sealed class OutboxUpdate : StoreWrite
{
    /// <summary>The lane.</summary>
    public required long LaneId { get; init; }

    /// <summary>The entry's seq.</summary>
    public required long Seq { get; init; }

    /// <summary>The entry's id, if known. A settled entry is found by it only, so better news about one needs it.</summary>
    public Guid Id { get; init; }

    /// <summary>The new state.</summary>
    public required DeliveryState State { get; init; }

    /// <summary>True when nothing more is to be done for it: it leaves the lane's pending entries. Dead and expired entries keep their payload
    /// for a replay, others drop it.</summary>
    public required bool Settled { get; init; }

    /// <summary>Pushes that were tried and failed.</summary>
    public int Attempts { get; init; }

    /// <summary>Not before this time (Unix ms).</summary>
    public long NextAttemptAt { get; init; }

    /// <summary>The last failure's reason; null leaves the stored one.</summary>
    public string? Error { get; init; }

    /// <summary>One line to add to the entry's history of attempts (UTF-8 JSON object), or empty.</summary>
    public ReadOnlyMemory<byte> HistoryLine { get; init; }

    /// <summary>When the state was reached (Unix ms); stored as the time of that state.</summary>
    public required long At { get; init; }

    /// <summary>When it was last pushed (Unix ms), if that isn't stored yet; 0 leaves the stored time. The push itself costs no write.</summary>
    public long PushedAt { get; init; }

    /// <summary>Result: it was news; false for an entry that isn't there or is settled as well or better already.</summary>
    public bool Changed { get; set; }

    /// <inheritdoc/>
    public override bool TookPlace => Changed;
}

/// <summary>
/// Puts a dead or expired entry back at its lane's end under a new seq and the same id: no attempts, no error, no end, and no time to live any
/// more, because that counted from the first acceptance.
/// </summary>
public sealed class OutboxReplay : StoreWrite
{
    /// <summary>The entry.</summary>
    public required Guid Id { get; init; }

    /// <summary>Now (Unix ms).</summary>
    public required long At { get; init; }

    /// <summary>One line to add to the history (who, when), UTF-8 JSON object.</summary>
    public ReadOnlyMemory<byte> HistoryLine { get; init; }

    /// <summary>Result: the entry was dead or expired, and is pending again.</summary>
    public bool Replayed { get; set; }

    /// <summary>Result: the lane's id.</summary>
    public long LaneId { get; set; }

    /// <summary>Result: the new seq.</summary>
    public long Seq { get; set; }
}

/// <summary>Removes a dead or expired entry for good.</summary>
public sealed class OutboxDiscard : StoreWrite
{
    /// <summary>The entry.</summary>
    public required Guid Id { get; init; }

    /// <summary>Result: it was there, dead or expired, and is gone.</summary>
    public bool Discarded { get; set; }
}

/// <summary>Puts a record.</summary>
public sealed class RecordPut : RecordWrite
{
    /// <summary>The namespace, e.g. <c>bncr.route</c>.</summary>
    public required string Namespace { get; init; }

    /// <summary>The key.</summary>
    public required string Key { get; init; }

    /// <summary>The value.</summary>
    public required ReadOnlyMemory<byte> Value { get; init; }

    /// <summary>The one indexed field, or null.</summary>
    public string? Index { get; init; }

    /// <summary>When it expires (Unix ms), or 0 for never.</summary>
    public long ExpiresAt { get; init; }

    /// <summary>The version that must be stored now: null any, 0 none.</summary>
    public long? ExpectedVersion { get; init; }

    /// <summary>Now (Unix ms).</summary>
    public required long At { get; init; }

    /// <summary>Result: the expected version wasn't there; nothing was put.</summary>
    public bool Conflict { get; set; }

    /// <summary>Result: the version stored now.</summary>
    public long Version { get; set; }

    /// <inheritdoc/>
    public override bool TookPlace => !Conflict;
}

/// <summary>Deletes a record, if it is there.</summary>
public sealed class RecordDelete : RecordWrite
{
    /// <summary>The namespace.</summary>
    public required string Namespace { get; init; }

    /// <summary>The key.</summary>
    public required string Key { get; init; }
}

/// <summary>
/// Appends a value to a numbered log: a sequence whose values are kept and can be read in order. Its numbers are 1, 2, 3 … without a hole, whatever
/// crashes, whichever host appends: who has seen number n can read every earlier one that hasn't expired.
/// </summary>
public sealed class SequenceAppend : RecordWrite
{
    /// <summary>The log's name; made if new. Logs and the sequences of <see cref="SequenceNext"/> count apart, even under the same name.</summary>
    public required string Sequence { get; init; }

    /// <summary>What makes it the same value, or null: while an entry of this log with the same text is kept, nothing is appended.</summary>
    public string? Once { get; init; }

    /// <summary>The value. Not copied: it stays untouched until the commit completes.</summary>
    public required ReadOnlyMemory<byte> Value { get; init; }

    /// <summary>Until when it is kept (Unix ms), or 0 for ever. Numbers never start again, even when every entry has gone.</summary>
    public long ExpiresAt { get; init; }

    /// <summary>Now (Unix ms).</summary>
    public required long At { get; init; }

    /// <summary>Result: <see cref="Once"/> was known; nothing was appended.</summary>
    public bool Duplicate { get; set; }

    /// <summary>Result: the number of the value; for a duplicate, the first one's.</summary>
    public long Number { get; set; }
}

/// <summary>Takes the next number of a named sequence.</summary>
public sealed class SequenceNext : RecordWrite
{
    /// <summary>The sequence's name; made if new.</summary>
    public required string Name { get; init; }

    /// <summary>Result: 1, 2, 3 …</summary>
    public long Value { get; set; }
}
