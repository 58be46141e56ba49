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
        if (write.Id <= _newestInbox && Exists(_inbox.Find, write.Id)) throw new SqliteException(Sqlite3.Constraint, "an inbox entry's id was used before");

        write.Duplicate = false;
        write.KnownId = write.Id;
        write.LaneId = lane.Id;
        write.Ordinal = NextIn(lane);
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
        _keys.Add(write.DedupeKey, write.DedupeUntil);
    }

    // When the old entry's time is up, the key simply names the new one from now on; the old one is finished and swept as any other.
    private bool IsDuplicate(InboxAppend write, long row)
    {
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
        var update = write.State switch
        {
            TurnState.Pending => _inbox.Retry.Bind(5, write.NextAttemptAt),
            TurnState.Done => _inbox.Done.Bind(5, write.At),
            _ => _inbox.GiveUp.Bind(5, write.At),
        };
        update.Bind(1, write.LaneId).Bind(2, write.Ordinal).Bind(3, write.Attempts).Bind(4, write.Error).Run();
        write.Changed = _database.Changes != 0;
    }

    private void Apply(InboxReplay write)
    {
        (write.Replayed, var row, write.LaneId) = FindEntry(_inbox.FindDead, write.Id);
        write.Ordinal = 0;
        if (!write.Replayed) return;
        write.Ordinal = NextIn(LaneOfEntry(write.LaneId));
        _inbox.Replay.Bind(1, row).Bind(2, write.Ordinal).Run();
    }

    private void Apply(InboxDiscard write)
    {
        _inbox.Discard.Bind(1, write.Id).Run();
        write.Discarded = _database.Changes != 0;
    }

    // SQLite decides by a statement's text which indexes an update touches, so each outcome is a statement with its state as a number. Done and dead change
    // the column of the index that finds the row: naming the row by its key spares SQLite a temporary table for each update.
    private sealed class InboxStatements(SqliteDatabase database)
    {
        private const string PendingRow = "id = (SELECT id FROM inbox WHERE lane = ?1 AND ordinal = ?2 AND state = 0)";

        public readonly SqliteStatement Append = database.Prepare(
            "INSERT INTO inbox(id, uuid, lane, ordinal, accepted_at, dedupe_until, dedupe, payload) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");

        public readonly SqliteStatement Find = database.Prepare("SELECT 1 FROM inbox WHERE uuid = ?1");

        public readonly SqliteStatement FindKey = database.Prepare(
            "SELECT dedupe_until, uuid, lane, ordinal FROM inbox WHERE id = ?1 AND dedupe = ?2");

        public readonly SqliteStatement Retry = database.Prepare(
            "UPDATE inbox SET attempts = ?3, error = coalesce(?4, error), next_attempt_at = ?5 WHERE lane = ?1 AND ordinal = ?2 AND state = 0");

        public readonly SqliteStatement Done = database.Prepare(
            $"UPDATE inbox SET state = 1, attempts = ?3, error = coalesce(?4, error), next_attempt_at = 0, ended_at = ?5, payload = NULL WHERE {PendingRow}");

        /// <summary>Given up: the payload stays, for a replay.</summary>
        public readonly SqliteStatement GiveUp = database.Prepare(
            $"UPDATE inbox SET state = 2, attempts = ?3, error = coalesce(?4, error), next_attempt_at = 0, ended_at = ?5 WHERE {PendingRow}");

        public readonly SqliteStatement FindDead = database.Prepare("SELECT id, lane FROM inbox WHERE uuid = ?1 AND state = 2");

        public readonly SqliteStatement Replay = database.Prepare(
            "UPDATE inbox SET ordinal = ?2, state = 0, attempts = 0, next_attempt_at = 0, ended_at = 0, error = NULL WHERE id = ?1");

        public readonly SqliteStatement Discard = database.Prepare("UPDATE inbox SET state = 1, payload = NULL WHERE uuid = ?1 AND state = 2");
    }
}
