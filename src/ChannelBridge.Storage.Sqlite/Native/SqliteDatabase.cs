using System.Text;
using SQLitePCL;

namespace ChannelBridge.Storage.Sqlite.Native;

/// <summary>One connection. Used by one thread at a time.</summary>
internal sealed class SqliteDatabase : IDisposable
{
    private readonly sqlite3 _handle;
    private readonly List<SqliteStatement> _statements = [];

    private SqliteDatabase(sqlite3 handle) => _handle = handle;

    /// <summary>True when no transaction is open.</summary>
    public bool AutoCommit => raw.sqlite3_get_autocommit(_handle) != 0;

    /// <summary>Rows changed by the last statement.</summary>
    public int Changes => raw.sqlite3_changes(_handle);

    /// <summary>The key of the last inserted row.</summary>
    public long LastRowId => raw.sqlite3_last_insert_rowid(_handle);

    /// <summary>Opens a file that exists.</summary>
    public static SqliteDatabase Open(string path, bool readOnly, TimeSpan busyTimeout)
    {
        SqliteLibrary.EnsureLoaded();

        // NOMUTEX: a connection is never used by two threads at once, so SQLite needs no lock of its own.
        var flags = raw.SQLITE_OPEN_NOMUTEX | (readOnly ? raw.SQLITE_OPEN_READONLY : raw.SQLITE_OPEN_READWRITE);
        var code = raw.sqlite3_open_v2(path, out var handle, flags, null);
        if (code != raw.SQLITE_OK)
        {
            // The handle, if there is one, is released by its finalizer-safe dispose; it knows the reason.
            var extended = handle is null || handle.IsInvalid ? code : raw.sqlite3_extended_errcode(handle);
            handle?.Dispose();
            throw new SqliteException(extended, raw.sqlite3_errstr(code).utf8_to_string());
        }

        raw.sqlite3_extended_result_codes(handle, 1);
        raw.sqlite3_busy_timeout(handle, (int)busyTimeout.TotalMilliseconds);
        return new SqliteDatabase(handle);
    }

    /// <summary>Prepares a statement that lives as long as the connection.</summary>
    public SqliteStatement Prepare(string sql)
    {
        var statement = PrepareCore(sql, raw.SQLITE_PREPARE_PERSISTENT);
        _statements.Add(statement);
        return statement;
    }

    /// <summary>Prepares a statement that the caller disposes.</summary>
    public SqliteStatement PrepareOnce(string sql) => PrepareCore(sql, 0);

    /// <summary>Runs one or several statements, ignoring rows.</summary>
    public void Execute(string sql)
    {
        ReadOnlySpan<byte> rest = Encoding.UTF8.GetBytes(sql);
        while (rest.Length > 0)
        {
            Check(raw.sqlite3_prepare_v3(_handle, rest, 0, out var statement, out rest));
            using (statement)
            {
                // A comment or white space has no statement.
                if (statement is null || statement.IsInvalid) continue;
                int code;
                do code = raw.sqlite3_step(statement);
                while (code == raw.SQLITE_ROW);
                if (code != raw.SQLITE_DONE) throw Failure(code);
            }
        }
    }

    /// <summary>The first column of the first row as a number; 0 when there is no row.</summary>
    public long QueryInt64(string sql)
    {
        using var statement = PrepareOnce(sql);
        return statement.Step() ? statement.GetInt64(0) : 0;
    }

    /// <summary>The first column of the first row as text; empty when there is no row.</summary>
    public string QueryText(string sql)
    {
        using var statement = PrepareOnce(sql);
        return statement.Step() ? statement.GetText(0) : "";
    }

    /// <summary>Copies the log into the database file and empties it. False when a reader or writer was in the way.</summary>
    public bool CheckpointTruncate() => QueryInt64("PRAGMA wal_checkpoint(TRUNCATE)") == 0;

    /// <summary>Makes the exception for a result code, with the connection's own message.</summary>
    public SqliteException Failure(int code)
    {
        var extended = raw.sqlite3_extended_errcode(_handle);
        return new SqliteException((extended & 0xFF) == (code & 0xFF) ? extended : code, raw.sqlite3_errmsg(_handle).utf8_to_string());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var statement in _statements) statement.Dispose();
        _statements.Clear();
        _handle.Dispose();
    }

    private SqliteStatement PrepareCore(string sql, uint flags)
    {
        Check(raw.sqlite3_prepare_v3(_handle, Encoding.UTF8.GetBytes(sql), flags, out var handle));
        return new SqliteStatement(this, handle);
    }

    private void Check(int code)
    {
        if (code != raw.SQLITE_OK) throw Failure(code);
    }
}
