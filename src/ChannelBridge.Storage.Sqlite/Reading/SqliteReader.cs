using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Storage.Sqlite.Native;

namespace ChannelBridge.Storage.Sqlite.Reading;

/// <summary>One read-only connection with its statements. Used by one caller at a time; opens by itself, also after a failure.</summary>
internal sealed partial class SqliteReader(string path, TimeSpan busyTimeout) : IDisposable
{
    private SqliteDatabase? _database;
    private Statements? _statements;

    /// <summary>Opens the connection now, to see whether that works.</summary>
    public void Open() => _ = Use();

    /// <summary>How often the engine has prepared a statement anew because of a bound value.</summary>
    public int PreparedAnew => _database?.PreparedAnew ?? 0;

    /// <summary>Forgets the connection, which is opened again at the next use.</summary>
    public void Dispose()
    {
        _statements = null;
        _database?.Dispose();
        _database = null;
    }

    private Statements Use()
    {
        if (_statements is not null) return _statements;
        var database = SqliteDatabase.Open(path, readOnly: true, busyTimeout);
        try
        {
            database.Execute("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY");
            _statements = new Statements(database);
            _database = database;
            return _statements;
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    private bool FindLane(long id, out LaneKey key, out long account)
    {
        var find = Use().Lane.Bind(1, id);
        var found = find.Step();
        key = found ? new LaneKey(find.GetText(0), find.GetText(1), find.GetText(2)) : default;
        account = found ? find.GetInt64(3) : 0;
        find.Reset();
        return found;
    }

    private long FindAccount(string channel, string account)
    {
        var find = Use().Account.Bind(1, channel).Bind(2, account);
        var id = find.Step() ? find.GetInt64(0) : 0;
        find.Reset();
        return id;
    }

    // Everything that is read often, prepared once. INDEXED BY: a plan that scans the table would be a fault, so it fails when the store opens.
    // A bound value that the planner may look at, a limit or one that a partial index could be chosen by, has the engine prepare the statement anew each time
    // that another value is bound. The plus signs keep it from looking.
    private sealed class Statements(SqliteDatabase database)
    {
        public const string InboxColumns = "uuid, lane, ordinal, state, attempts, next_attempt_at, accepted_at, error, payload, ended_at";

        public const string OutboxHeaders =
            "uuid, lane, seq, state, settled, attempts, next_attempt_at, accepted_at, expires_at, pushed_at, acked_at, delivered_at, ended_at, error";

        public readonly SqliteDatabase Database = database;

        public readonly SqliteStatement Lane = database.Prepare(
            "SELECT a.channel, a.account, l.session_key, l.account FROM lane l JOIN account a ON a.id = l.account WHERE l.id = ?1");

        public readonly SqliteStatement Account = database.Prepare("SELECT id FROM account WHERE channel = ?1 AND account = ?2");

        public readonly SqliteStatement NextTurnLane = database.Prepare(
            "SELECT lane, ordinal FROM inbox INDEXED BY inbox_pending WHERE state = 0 AND lane > ?1 ORDER BY lane, ordinal LIMIT 1");

        public readonly SqliteStatement NextPushLane = database.Prepare(
            "SELECT lane, seq FROM outbox INDEXED BY outbox_pending WHERE settled = 0 AND account = ?1 AND lane > ?2 ORDER BY lane, seq LIMIT 1");

        public readonly SqliteStatement Inbox = database.Prepare(
            $"SELECT {InboxColumns} FROM inbox INDEXED BY inbox_pending WHERE state = 0 AND lane = ?1 AND ordinal > ?2 ORDER BY ordinal");

        public readonly SqliteStatement Outbox = database.Prepare(
            $"""
            SELECT {OutboxHeaders}, history, payload FROM outbox INDEXED BY outbox_pending
            WHERE settled = 0 AND account = ?1 AND lane = ?2 AND seq > ?3 ORDER BY seq
            """);

        public readonly SqliteStatement DeadInbox = database.Prepare(
            $"""
            SELECT {InboxColumns} FROM inbox INDEXED BY inbox_dead
            WHERE state = 2 AND ended_at >= ?1 AND (ended_at > ?1 OR uuid > ?2) ORDER BY ended_at, uuid LIMIT ?3 + 0
            """);

        public readonly SqliteStatement InboxById = database.Prepare($"SELECT {InboxColumns} FROM inbox WHERE uuid = ?1");

        public readonly SqliteStatement OutboxById = database.Prepare($"SELECT {OutboxHeaders}, history, payload FROM outbox WHERE uuid = ?1");

        public readonly SqliteStatement Record = database.Prepare(
            "SELECT key, value, version, idx, updated_at FROM record WHERE ns = ?1 AND key = ?2 AND (expires_at = 0 OR expires_at > ?3)");

        public readonly SqliteStatement Records = database.Prepare(
            """
            SELECT key, value, version, idx, updated_at FROM record
            WHERE ns = ?1 AND key > ?2 AND (+expires_at = 0 OR +expires_at > ?3) ORDER BY key LIMIT ?4 + 0
            """);

        public readonly SqliteStatement LogPlaces = database.Prepare(LogSql("log_place"));

        public readonly SqliteStatement LogRecent = database.Prepare(LogSql("log_recent"));

        public readonly SqliteStatement RecordsByIndex = database.Prepare(
            """
            SELECT key, value, version, idx, updated_at FROM record INDEXED BY record_index
            WHERE ns = ?1 AND key > ?2 AND (+expires_at = 0 OR +expires_at > ?3) AND idx = ?5 ORDER BY key LIMIT ?4 + 0
            """);

        // CROSS JOIN keeps the order of the tables: the places lead to the entries, in order and without sorting.
        private static string LogSql(string places) =>
            $"""
            SELECT e.number, e.value, e.expires_at FROM log l CROSS JOIN {places} p CROSS JOIN log_entry e
            WHERE l.name = ?1 AND p.log = l.id AND p.number > ?2 AND e.id = p.entry AND (+e.expires_at = 0 OR +e.expires_at > ?3)
            ORDER BY p.number LIMIT ?4 + 0
            """;
    }
}
