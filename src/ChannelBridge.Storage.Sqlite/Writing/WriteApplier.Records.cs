using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Sqlite.Native;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <content>Records, sequences, and the sweep.</content>
internal sealed partial class WriteApplier
{
    private readonly RecordStatements _records;
    private readonly LogStatements _logs;
    private readonly SweepStatements _sweep;

    private void Apply(RecordPut write)
    {
        var find = _records.Find.Bind(1, write.Namespace).Bind(2, write.Key).Bind(3, write.At);
        var version = find.Step() ? find.GetInt64(0) : 0;
        find.Reset();
        write.Conflict = write.ExpectedVersion is { } expected && expected != version;
        write.Version = version;
        if (write.Conflict) return;

        write.Version = version + 1;
        _records.Put
            .Bind(1, write.Namespace)
            .Bind(2, write.Key)
            .Bind(3, write.Version)
            .Bind(4, write.At)
            .Bind(5, write.ExpiresAt)
            .Bind(6, write.Index)
            .Bind(7, write.Value.Span)
            .Run();
    }

    private void Apply(RecordDelete write) => _records.Delete.Bind(1, write.Namespace).Bind(2, write.Key).Run();

    private void Apply(SequenceNext write)
    {
        _records.Next.Bind(1, write.Name).Run();
        var read = _records.Current.Bind(1, write.Name);
        read.Step();
        write.Value = read.GetInt64(0);
        read.Reset();
    }

    private void Apply(SweepWrite write)
    {
        write.Removed = 0;
        switch (write.Kind)
        {
            case SweepKind.Inbox:
                _sweep.Inbox.Bind(2, write.Limits.Now).Bind(3, write.Limits.DeadBefore);
                foreach (var row in write.Rows) Remove(_sweep.Inbox.Bind(1, row));
                break;
            case SweepKind.Outbox:
                _sweep.Outbox.Bind(2, write.Limits.SettledBefore).Bind(3, write.Limits.DeadBefore);
                foreach (var row in write.Rows) Remove(_sweep.Outbox.Bind(1, row));
                break;
            case SweepKind.Keys:
                Remove(_sweep.Keys.Bind(1, write.Part).Bind(2, SweepWrite.MaxRows));
                if (write.Removed < SweepWrite.MaxRows) _sweep.Filter.Bind(1, write.Part).Run();
                break;
            case SweepKind.Logs:
                write.Removed = _logs.Sweep(write.Limits.Now, SweepWrite.MaxRows);
                break;
            case SweepKind.Records:
                Remove(_sweep.Records.Bind(1, write.Limits.Now).Bind(2, SweepWrite.MaxRows));
                break;
        }

        void Remove(SqliteStatement statement)
        {
            statement.Run();
            write.Removed += _database.Changes;
        }
    }

    private sealed class RecordStatements(SqliteDatabase database)
    {
        public readonly SqliteStatement Find = database.Prepare(
            "SELECT version FROM record WHERE ns = ?1 AND key = ?2 AND (expires_at = 0 OR expires_at > ?3)");

        public readonly SqliteStatement Put = database.Prepare(
            """
            INSERT INTO record(ns, key, version, updated_at, expires_at, idx, value) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)
            ON CONFLICT(ns, key) DO UPDATE SET version = excluded.version, updated_at = excluded.updated_at, expires_at = excluded.expires_at,
                idx = excluded.idx, value = excluded.value
            """);

        public readonly SqliteStatement Delete = database.Prepare("DELETE FROM record WHERE ns = ?1 AND key = ?2");

        public readonly SqliteStatement Next = database.Prepare(
            "INSERT INTO sequence(name, value) VALUES(?1, 1) ON CONFLICT(name) DO UPDATE SET value = value + 1");

        public readonly SqliteStatement Current = database.Prepare("SELECT value FROM sequence WHERE name = ?1");
    }

    // A row that a reader found may have changed since: the conditions are checked again.
    private sealed class SweepStatements(SqliteDatabase database)
    {
        public readonly SqliteStatement Inbox = database.Prepare(
            "DELETE FROM inbox WHERE id = ?1 AND dedupe_until <= ?2 AND (state = 1 OR state = 2 AND ended_at < ?3)");

        public readonly SqliteStatement Outbox = database.Prepare("DELETE FROM outbox WHERE id = ?1 AND " + SweepWrite.OutboxCondition);

        public readonly SqliteStatement Keys = database.Prepare(
            "DELETE FROM dedupe_key WHERE part = ?1 AND key IN (SELECT key FROM dedupe_key WHERE part = ?1 ORDER BY key LIMIT ?2)");

        public readonly SqliteStatement Filter = database.Prepare("DELETE FROM dedupe_filter WHERE part = ?1");

        public readonly SqliteStatement Records = database.Prepare(
            """
            DELETE FROM record WHERE (ns, key) IN
                (SELECT ns, key FROM record WHERE expires_at > 0 AND expires_at <= ?1 ORDER BY expires_at LIMIT ?2)
            """);
    }
}
