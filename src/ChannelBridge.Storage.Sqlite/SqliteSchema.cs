using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Storage.Sqlite.Native;
using ChannelBridge.Storage.Sqlite.Upkeep;

namespace ChannelBridge.Storage.Sqlite;

/// <summary>The tables, and how an older file becomes a current one: migration n leads from version n to n+1, in one transaction each.</summary>
internal static class SqliteSchema
{
    /// <summary>The version that this program reads and writes.</summary>
    public static int Current => Migrations.Length;

    /// <summary>
    /// Payloads of a group share pages, and each page costs the log and the checkpoint a system call or two: twice SQLite's own default halves those. Four
    /// times as much would save little more and cost lone commits and random keys a lot.
    /// </summary>
    public const int PageBytes = 8192;

    // "CBst": tells our files from other programs' databases.
    private const long ApplicationId = 0x43427374;

    // Why the tables look as they do. What costs is the number of pages that a commit of 64 rows from 64 lanes touches, because each of them is
    // written to the log in full.
    // * Rows are appended by a growing rowid, so that the payloads of a group share pages, whatever their lanes. Keying the table by (lane, ordinal)
    //   would touch one page for each lane.
    // * inbox_uuid: ids are time-ordered (version 7), so this index grows at its end. So does outbox_uuid for the replies of turns, whose ids begin
    //   with their turn's time.
    // * dedupe_key holds the dedupe keys, which are hashes. They come to it sorted, see DedupeKeys: one by one, each would cost a page. And they come
    //   to its newest part, see KeyParts: spread over all keys, a set of them would still write the whole index anew. dedupe_filter has a filter for
    //   each part that is full.
    // * The partial indexes hold only what is unfinished, so they stay small however many tombstones and receipts are kept. There is no index of
    //   all ordinals and seqs: only unfinished entries are asked for by lane and number; settled ones are found by their id.
    // * log_entry holds the values of numbered logs by a growing rowid: a message for a thousand receivers is a thousand neighbours. Where each entry of
    //   a log is stands in log_place, by log and number; what is new comes to log_recent first and moves in order when that has some thousand rows
    //   (LogStatements), so that neither costs a page for each receiver. log_once begins with the text, which is the same for all of them.
    // * outbox_accepted pages lists in time order and finds what a sweep may remove; it grows at its end as well.
    private static readonly string[] Migrations =
    [
        """
        CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;

        CREATE TABLE account(id INTEGER PRIMARY KEY, channel TEXT NOT NULL, account TEXT NOT NULL, UNIQUE(channel, account));

        CREATE TABLE lane(
            id INTEGER PRIMARY KEY,
            account INTEGER NOT NULL,
            session_key TEXT NOT NULL,
            last_in INTEGER NOT NULL,
            last_out INTEGER NOT NULL,
            UNIQUE(account, session_key));

        CREATE TABLE inbox(
            id INTEGER PRIMARY KEY,
            uuid BLOB NOT NULL,
            lane INTEGER NOT NULL,
            ordinal INTEGER NOT NULL,
            state INTEGER NOT NULL DEFAULT 0,
            attempts INTEGER NOT NULL DEFAULT 0,
            next_attempt_at INTEGER NOT NULL DEFAULT 0,
            accepted_at INTEGER NOT NULL,
            ended_at INTEGER NOT NULL DEFAULT 0,
            dedupe_until INTEGER NOT NULL,
            dedupe BLOB NOT NULL,
            error TEXT,
            payload BLOB);
        CREATE UNIQUE INDEX inbox_uuid ON inbox(uuid);
        CREATE INDEX inbox_pending ON inbox(lane, ordinal) WHERE state = 0;
        CREATE INDEX inbox_done ON inbox(dedupe_until) WHERE state = 1;
        CREATE INDEX inbox_dead ON inbox(ended_at) WHERE state = 2;
        CREATE TABLE inbox_key(key BLOB PRIMARY KEY, row INTEGER NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;

        CREATE TABLE outbox(
            id INTEGER PRIMARY KEY,
            uuid BLOB NOT NULL,
            account INTEGER NOT NULL,
            lane INTEGER NOT NULL,
            seq INTEGER NOT NULL,
            state INTEGER NOT NULL DEFAULT 0,
            settled INTEGER NOT NULL DEFAULT 0,
            attempts INTEGER NOT NULL DEFAULT 0,
            next_attempt_at INTEGER NOT NULL DEFAULT 0,
            accepted_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL DEFAULT 0,
            pushed_at INTEGER NOT NULL DEFAULT 0,
            acked_at INTEGER NOT NULL DEFAULT 0,
            delivered_at INTEGER NOT NULL DEFAULT 0,
            ended_at INTEGER NOT NULL DEFAULT 0,
            reply_to BLOB,
            error TEXT,
            history BLOB,
            payload BLOB);
        CREATE UNIQUE INDEX outbox_uuid ON outbox(uuid);
        CREATE INDEX outbox_pending ON outbox(account, lane, seq) WHERE settled = 0;
        CREATE INDEX outbox_accepted ON outbox(accepted_at);
        CREATE INDEX outbox_ended ON outbox(account, accepted_at) WHERE state >= 4;

        CREATE TABLE record(
            ns TEXT NOT NULL,
            key TEXT NOT NULL,
            version INTEGER NOT NULL,
            updated_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL,
            idx TEXT,
            value BLOB,
            PRIMARY KEY(ns, key)) WITHOUT ROWID;
        CREATE INDEX record_index ON record(ns, idx) WHERE idx IS NOT NULL;
        CREATE INDEX record_expiry ON record(expires_at) WHERE expires_at > 0;

        CREATE TABLE sequence(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        """,
        """
        CREATE TABLE dedupe_key(part INTEGER NOT NULL, key BLOB NOT NULL, row INTEGER NOT NULL, until INTEGER NOT NULL, PRIMARY KEY(part, key)) WITHOUT ROWID;
        CREATE TABLE dedupe_filter(part INTEGER PRIMARY KEY, bits BLOB NOT NULL);
        INSERT INTO dedupe_key(part, key, row, until) SELECT 0, key, row, until FROM inbox_key ORDER BY key;
        DROP TABLE inbox_key;
        """,
        """
        CREATE TABLE nursery(id INTEGER PRIMARY KEY, writes BLOB NOT NULL);
        """,
        """
        CREATE TABLE log(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, last INTEGER NOT NULL);
        CREATE TABLE log_entry(id INTEGER PRIMARY KEY, log INTEGER NOT NULL, number INTEGER NOT NULL, once TEXT, expires_at INTEGER NOT NULL, value BLOB);
        CREATE INDEX log_once ON log_entry(once, log) WHERE once IS NOT NULL;
        CREATE INDEX log_expiry ON log_entry(expires_at) WHERE expires_at > 0;
        CREATE TABLE log_recent(log INTEGER NOT NULL, number INTEGER NOT NULL, entry INTEGER NOT NULL, PRIMARY KEY(log, number)) WITHOUT ROWID;
        CREATE TABLE log_place(log INTEGER NOT NULL, number INTEGER NOT NULL, entry INTEGER NOT NULL, PRIMARY KEY(log, number)) WITHOUT ROWID;
        """,
        "DROP TABLE nursery",
    ];

    // The last version that had the table nursery: what is in it moves before it goes.
    internal const int LastWithNursery = 4;

    /// <summary>Makes sure that a file is ours and not from the future, before anything in it is changed.</summary>
    /// <returns>The version found; 0 for a new file.</returns>
    /// <exception cref="BridgeException">The file belongs to another program or to a newer version of this one.</exception>
    public static int Check(SqliteDatabase database, string path)
    {
        var found = (int)database.QueryInt64("PRAGMA user_version");
        var application = database.QueryInt64("PRAGMA application_id");
        if (application != ApplicationId && (application != 0 || found != 0 || database.QueryInt64("SELECT count(*) FROM sqlite_master") != 0))
        {
            throw new BridgeException(
                ErrorCodes.StoreUnavailable, $"{path} is a database of another program. Name another file for the store; nothing was changed.");
        }

        if (found > Current)
        {
            throw new BridgeException(
                ErrorCodes.StoreUnavailable,
                $"{path} was written by a newer version of ChannelBridge (schema {found}; this version knows {Current}). "
                + "Run the newer version, or name another file for the store; nothing was changed.");
        }

        return found;
    }

    /// <summary>Brings a checked database up to date.</summary>
    public static void Migrate(SqliteDatabase database, int found)
    {
        for (var version = found; version < Current; version++)
        {
            database.Execute("BEGIN IMMEDIATE");
            if (version == LastWithNursery) OldNursery.Move(database);
            database.Execute(Migrations[version]);
            if (version == 0)
            {
                database.Execute($"PRAGMA application_id = {ApplicationId}");
                using var statement = database.PrepareOnce("INSERT INTO meta(key, value) VALUES('store_id', ?1)");
                statement.Bind(1, Guid.NewGuid()).Run();
            }

            database.Execute($"PRAGMA user_version = {version + 1}");
            database.Execute("COMMIT");
        }
    }

    /// <summary>Reads the id that the store got when it was made.</summary>
    public static Guid ReadStoreId(SqliteDatabase database)
    {
        using var statement = database.PrepareOnce("SELECT value FROM meta WHERE key = 'store_id'");
        if (statement.Step() && statement.GetSize(0) == 16) return statement.GetGuid(0);
        throw new BridgeException(ErrorCodes.StoreCorrupt, "The store has lost its own id: the file is damaged. Restore it from a backup, or name another file.");
    }
}
