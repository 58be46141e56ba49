using ChannelBridge.Storage.Sqlite.Native;
using ChannelBridge.Storage.Sqlite.Young;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <content>Entries of the nursery: how they are found at a start, and their way into the tables. What changes them is in <see cref="Transition"/>.</content>
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
