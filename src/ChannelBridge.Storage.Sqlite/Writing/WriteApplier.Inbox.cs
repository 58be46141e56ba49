using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Sqlite.Native;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <content>The inbox.</content>
internal sealed partial class WriteApplier
{
    private readonly InboxStatements _inbox;
    private readonly DedupeKeys _keys;

    private void Apply(InboxAppend write)
    {
        var lane = Lane(write.Lane);
        if (_keys.TryFind(write.DedupeKey, out var known) && IsDuplicate(write, known)) return;
        if (_nursery.Inbox(write.Id) is not null || (write.Id <= _newestInbox && Exists(_inbox.Find, write.Id)))
        {
            throw new SqliteException(Sqlite3.Constraint, "an inbox entry's id was used before");
        }

        write.Duplicate = false;
        write.KnownId = write.Id;
        write.LaneId = lane.Id;
        write.Ordinal = NextIn(lane);
        if (write.Payload.Length <= LargePayload)
        {
            _nursery.Add(write, lane, _keys.NextRow, write.Ordinal);
        }
        else
        {
            // Once is enough for its bytes.
            _inbox.Append
                .Bind(1, _keys.NextRow)
                .Bind(2, write.Id)
                .Bind(3, lane.Id)
                .Bind(4, write.Ordinal)
                .Bind(5, write.At)
                .Bind(6, write.DedupeUntil)
                .BindKey(7, write.DedupeKey)
                .Bind(8, write.Payload.Span)
                .Run();
            Note(ref _newestInbox, write.Id);
            Touch(lane);
        }

        _keys.Add(write.DedupeKey, write.DedupeUntil);
    }

    // When the old entry's time is up, the key simply names the new one from now on; the old one is finished and swept as any other.
    private bool IsDuplicate(InboxAppend write, long row)
    {
        if (_nursery.InboxOfRow(row) is { } young)
        {
            if (young.DedupeKey != write.DedupeKey || young.DedupeUntil <= write.At) return false;
            (write.Duplicate, write.KnownId, write.LaneId, write.Ordinal) = (true, young.Id, young.Lane.Id, young.State.Ordinal);
            return true;
        }

        var find = _inbox.FindKey.Bind(1, row).BindKey(2, write.DedupeKey);
        if (!find.Step())
        {
            find.Reset();
            return false;
        }

        write.Duplicate = find.GetInt64(0) > write.At;
        write.KnownId = find.GetGuid(1);
        write.LaneId = find.GetInt64(2);
        write.Ordinal = find.GetInt64(3);
        find.Reset();
        return write.Duplicate;
    }

    private void Apply(InboxUpdate write)
    {
        var transition = Transition.Of(write);
        var change = Transition.ChangeOf(write);
        if (_nursery.Inbox(write.LaneId, write.Ordinal) is { } young)
        {
            write.Changed = transition.HoldsFor(young.State);
            if (write.Changed) _nursery.Set(young, transition.Apply(young.State, change));
            return;
        }

        transition.Bind(_inbox.Of(transition).Bind(1, write.LaneId).Bind(2, write.Ordinal), change).Run();
        write.Changed = _database.Changes != 0;
    }

    private void Apply(InboxReplay write)
    {
        var young = _nursery.Inbox(write.Id);
        var row = 0L;
        if (young is not null) (write.Replayed, write.LaneId) = Transition.ReplayInbox.HoldsFor(young.State) ? (true, young.Lane.Id) : (false, 0);
        else (write.Replayed, row, write.LaneId) = FindEntry(_inbox.FindDead, write.Id);
        write.Ordinal = 0;
        if (!write.Replayed) return;

        // In the nursery it may move before entries with smaller numbers do, which wouldn't tell this one: so the lane's numbers are written in any case.
        var lane = young?.Lane ?? LaneOfEntry(write.LaneId);
        write.Ordinal = NextIn(lane);
        Touch(lane);
        var change = new Change { Place = write.Ordinal };
        if (young is not null) _nursery.Set(young, Transition.ReplayInbox.Apply(young.State, change));
        else Transition.ReplayInbox.Bind(_inbox.Replay.Bind(1, row), change).Run();
    }

    private void Apply(InboxDiscard write)
    {
        if (_nursery.Inbox(write.Id) is { } young)
        {
            write.Discarded = Transition.DiscardInbox.HoldsFor(young.State);
            if (write.Discarded) _nursery.Set(young, Transition.DiscardInbox.Apply(young.State, default));
            return;
        }

        _inbox.Discard.Bind(1, write.Id).Run();
        write.Discarded = _database.Changes != 0;
    }

    // Done and dead change the column of the index that finds the row. Naming the row by its key spares SQLite a temporary table for each update.
    private sealed class InboxStatements(SqliteDatabase database)
    {
        public readonly SqliteStatement Append = database.Prepare(
            "INSERT INTO inbox(id, uuid, lane, ordinal, accepted_at, dedupe_until, dedupe, payload) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");

        public readonly SqliteStatement Find = database.Prepare("SELECT 1 FROM inbox WHERE uuid = ?1");

        public readonly SqliteStatement FindKey = database.Prepare(
            "SELECT dedupe_until, uuid, lane, ordinal FROM inbox WHERE id = ?1 AND dedupe = ?2");

        public readonly SqliteStatement Retry = Transition.Retry.Prepare(database, "inbox", "lane = ?1 AND ordinal = ?2 AND " + Transition.Retry.Condition);

        public readonly SqliteStatement Done = Transition.Done.Prepare(database, "inbox", ByNumber(Transition.Done));

        public readonly SqliteStatement GiveUp = Transition.GiveUp.Prepare(database, "inbox", ByNumber(Transition.GiveUp));

        public readonly SqliteStatement FindDead = database.Prepare("SELECT id, lane FROM inbox WHERE uuid = ?1 AND state = 2");

        public readonly SqliteStatement Replay = Transition.ReplayInbox.Prepare(database, "inbox", "id = ?1");

        public readonly SqliteStatement Discard = Transition.DiscardInbox.Prepare(database, "inbox", "uuid = ?1 AND " + Transition.DiscardInbox.Condition);

        public SqliteStatement Of(Transition transition) => transition == Transition.Retry ? Retry : transition == Transition.Done ? Done : GiveUp;

        private static string ByNumber(Transition transition) => $"id = (SELECT id FROM inbox WHERE lane = ?1 AND ordinal = ?2 AND {transition.Condition})";
    }
}
