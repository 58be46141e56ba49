using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Protocol;
using ChannelBridge.Storage.Sqlite.Native;
using ChannelBridge.Storage.Sqlite.Young;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <content>Entries of the nursery: the same changes as the statements make to rows, and their way into the tables.</content>
internal sealed partial class WriteApplier
{
    // Larger ones go to their table at once: written twice, their bytes would cost more than they save.
    private const int LargePayload = 32 * 1024;

    private readonly YoungStatements _young;
    private Action<YoungEntry> _move = null!;

    // The greatest ids of rows that are in the tables. Ids that begin with the time are beyond them when they are new, and needn't be looked for.
    private Guid _newestInbox;
    private Guid _newestOutbox;

    private void LoadYoung()
    {
        _move = Move;
        _nursery.Load(_database, LaneOfEntry);
        foreach (var entry in _nursery.Inboxes) _keys.Restore(entry.DedupeKey, entry.Row, entry.DedupeUntil);
        _newestInbox = Newest("SELECT max(uuid) FROM inbox");
        _newestOutbox = Newest("SELECT max(uuid) FROM outbox");
    }

    private Guid Newest(string sql)
    {
        using var statement = _database.PrepareOnce(sql);
        return statement.Step() && statement.GetSize(0) == 16 ? statement.GetGuid(0) : Guid.Empty;
    }

    private static void Note(ref Guid newest, Guid id)
    {
        if (id > newest) newest = id;
    }

    private static bool Exists(SqliteStatement find, Guid id)
    {
        var found = find.Bind(1, id).Step();
        find.Reset();
        return found;
    }

    private void ApplyYoung(InboxUpdate write, YoungInbox entry)
    {
        write.Changed = entry.State.State == TurnState.Pending;
        if (!write.Changed) return;
        _nursery.Set(entry, entry.State with
        {
            State = write.State,
            Attempts = write.Attempts,
            NextAttemptAt = write.State == TurnState.Pending ? write.NextAttemptAt : 0,
            EndedAt = write.State == TurnState.Pending ? entry.State.EndedAt : write.At,
            Error = Storable(write.Error) ?? entry.State.Error,
            PayloadDropped = write.State == TurnState.Done,
        });
    }

    private void ApplyYoung(InboxReplay write, YoungInbox entry)
    {
        write.Replayed = entry.State.State == TurnState.Dead;
        (write.LaneId, write.Ordinal) = (0, 0);
        if (!write.Replayed) return;
        write.LaneId = entry.Lane.Id;
        write.Ordinal = NextIn(entry.Lane);

        // It may move before entries with smaller numbers do, which wouldn't tell this one.
        Touch(entry.Lane);
        _nursery.Set(entry, new InboxState { Ordinal = write.Ordinal });
    }

    private void ApplyYoung(OutboxUpdate write, YoungOutbox entry)
    {
        write.Changed = true;
        var state = entry.State;
        var ended = write.State is DeliveryState.Expired or DeliveryState.Dead;
        state.State = write.State;
        state.Attempts = write.Attempts;
        state.NextAttemptAt = write.NextAttemptAt;
        state.Error = Storable(write.Error) ?? state.Error;
        state.History = WithLine(state.History, write.HistoryLine.Span);
        var pushedAt = write.PushedAt == 0 && write.State == DeliveryState.Pushed ? write.At : write.PushedAt;
        if (pushedAt != 0) state.PushedAt = pushedAt;
        if (write.State is DeliveryState.Acked or DeliveryState.Delivered && write.At != 0) state.AckedAt = write.At;
        if (write.State == DeliveryState.Delivered && write.At != 0) state.DeliveredAt = write.At;
        if (ended && write.At != 0) state.EndedAt = write.At;
        state.Settled = write.Settled;
        state.PayloadDropped |= write.Settled && !ended;
        _nursery.Set(entry, state);
    }

    private void UpgradeYoung(OutboxUpdate write, YoungOutbox entry)
    {
        var state = entry.State;
        if (!state.Settled || state.State < DeliveryState.Pushed || (state.State >= write.State && !HasEnded(entry))) return;
        write.Changed = true;
        state.State = write.State;
        if (write.PushedAt != 0) state.PushedAt = write.PushedAt;
        if (state.AckedAt == 0) state.AckedAt = write.At;
        if (write.State == DeliveryState.Delivered && write.At != 0) state.DeliveredAt = write.At;
        state.EndedAt = 0;
        state.PayloadDropped = true;
        _nursery.Set(entry, state);
    }

    private void ApplyYoung(OutboxReplay write, YoungOutbox entry)
    {
        write.Replayed = HasEnded(entry);
        (write.LaneId, write.Seq) = (0, 0);
        if (!write.Replayed) return;
        write.LaneId = entry.Lane.Id;
        write.Seq = NextOut(entry.Lane);
        Touch(entry.Lane);
        _nursery.Set(entry, entry.State with
        {
            Seq = write.Seq,
            State = DeliveryState.Accepted,
            Settled = false,
            Attempts = 0,
            NextAttemptAt = 0,
            ExpiresAt = 0,
            EndedAt = 0,
            Error = null,
            History = WithLine(entry.State.History, write.HistoryLine.Span),
        });
    }

    private static string? Storable(string? text) => text is null ? null : SoundText.Storable(text);

    private static bool HasEnded(YoungOutbox entry) => entry.State is { Settled: true, State: DeliveryState.Expired or DeliveryState.Dead };

    private static byte[]? WithLine(byte[]? history, ReadOnlySpan<byte> line) => line.IsEmpty ? history : [.. history ?? [], .. line, (byte)'\n'];

    private void Apply(MoveWrite write)
    {
        if (write.UpTo == 0) write.UpTo = _nursery.LastNumber;
        _nursery.Move(MoveWrite.MaxEntries, write.UpTo, _move);
        write.Done = _nursery.MovedNumber >= write.UpTo;
    }

    /// <summary>Puts an entry that leaves the nursery into its table.</summary>
    private void Move(YoungEntry young)
    {
        if (young is YoungInbox inbox) Move(inbox);
        else if (young is YoungOutbox { State.Discarded: false } outbox) Move(outbox);

        // The nursery told the lane's last numbers as long as it had an entry of that kind.
        if (young.Lane.LastInbox == young || young.Lane.LastOutbox == young) Touch(young.Lane);
    }

    private void Move(YoungInbox entry)
    {
        ref readonly var state = ref entry.State;
        _young.Inbox
            .Bind(1, entry.Row)
            .Bind(2, entry.Id)
            .Bind(3, entry.Lane.Id)
            .Bind(4, state.Ordinal)
            .Bind(5, (long)state.State)
            .Bind(6, state.Attempts)
            .Bind(7, state.NextAttemptAt)
            .Bind(8, entry.AcceptedAt)
            .Bind(9, state.EndedAt)
            .Bind(10, entry.DedupeUntil)
            .BindKey(11, entry.DedupeKey)
            .Bind(12, state.Error)
            .Bind(13, state.PayloadDropped ? [] : entry.Payload)
            .Run();
        Note(ref _newestInbox, entry.Id);
    }

    private void Move(YoungOutbox entry)
    {
        ref readonly var state = ref entry.State;
        _young.Outbox
            .Bind(1, entry.Id)
            .Bind(2, entry.Lane.Account)
            .Bind(3, entry.Lane.Id)
            .Bind(4, state.Seq)
            .Bind(5, (long)state.State)
            .Bind(6, state.Settled ? 1 : 0)
            .Bind(7, state.Attempts)
            .Bind(8, state.NextAttemptAt)
            .Bind(9, entry.AcceptedAt)
            .Bind(10, state.ExpiresAt)
            .Bind(11, state.PushedAt)
            .Bind(12, state.AckedAt)
            .Bind(13, state.DeliveredAt)
            .Bind(14, state.EndedAt)
            .Bind(16, state.Error)
            .Bind(17, state.History)
            .Bind(18, state.PayloadDropped ? [] : entry.Payload);
        (entry.ReplyTo is { } turn ? _young.Outbox.Bind(15, turn) : _young.Outbox.BindNull(15)).Run();
        Note(ref _newestOutbox, entry.Id);
    }

    private sealed class YoungStatements(SqliteDatabase database)
    {
        public readonly SqliteStatement Insert = database.Prepare("INSERT INTO nursery(id, writes) VALUES(?1, ?2)");

        public readonly SqliteStatement Delete = database.Prepare("DELETE FROM nursery WHERE id <= ?1");

        public readonly SqliteStatement Inbox = database.Prepare(
            """
            INSERT INTO inbox(id, uuid, lane, ordinal, state, attempts, next_attempt_at, accepted_at, ended_at, dedupe_until, dedupe, error, payload)
            VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
            """);

        public readonly SqliteStatement Outbox = database.Prepare(
            """
            INSERT INTO outbox(uuid, account, lane, seq, state, settled, attempts, next_attempt_at, accepted_at, expires_at, pushed_at, acked_at,
                delivered_at, ended_at, reply_to, error, history, payload)
            VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
            """);
    }
}
