using System.Runtime.InteropServices;
using System.Text;

namespace ChannelBridge.Storage.Sqlite.Native;

/// <summary>One connection. Used by one thread at a time; whoever opens it disposes it.</summary>
internal sealed class SqliteDatabase : IDisposable
{
    private readonly List<SqliteStatement> _statements = [];
    private nint _handle;
    private unsafe int* _frames;

    private SqliteDatabase(nint handle) => _handle = handle;

    /// <summary>True when no transaction is open.</summary>
    public bool AutoCommit => Sqlite3.GetAutoCommit(_handle) != 0;

    /// <summary>Rows changed by the last statement.</summary>
    public int Changes => Sqlite3.Changes(_handle);

    /// <summary>The key of the last inserted row.</summary>
    public long LastRowId => Sqlite3.LastInsertRowId(_handle);

    /// <summary>How often the engine has prepared a lasting statement anew.</summary>
    public int PreparedAnew => _statements.Sum(static statement => statement.PreparedAnew);

    /// <summary>Opens a file that exists.</summary>
    public static SqliteDatabase Open(string path, bool readOnly, TimeSpan busyTimeout)
    {
        SqliteLibrary.EnsureLoaded();

        // NOMUTEX: a connection is never used by two threads at once, so SQLite needs no lock of its own.
        var code = Sqlite3.Open(path, out var handle, Sqlite3.OpenNoMutex | (readOnly ? Sqlite3.OpenReadOnly : Sqlite3.OpenReadWrite), 0);
        if (code != Sqlite3.Ok)
        {
            // A handle comes even with a failure, and knows more about it.
            var extended = handle == 0 ? code : Sqlite3.ExtendedErrorCode(handle);
            if (handle != 0) Sqlite3.Close(handle);
            throw new SqliteException(extended, SqliteLibrary.ErrorText(code));
        }

        Sqlite3.ExtendedResultCodes(handle, 1);
        Sqlite3.BusyTimeout(handle, (int)busyTimeout.TotalMilliseconds);
        return new SqliteDatabase(handle);
    }

    /// <summary>Prepares a statement that lives as long as the connection.</summary>
    public SqliteStatement Prepare(string sql)
    {
        var statement = new SqliteStatement(this, PrepareCore(sql, Sqlite3.PreparePersistent));
        _statements.Add(statement);
        return statement;
    }

    /// <summary>Prepares a statement that the caller disposes.</summary>
    public SqliteStatement PrepareOnce(string sql) => new(this, PrepareCore(sql, 0));

    /// <summary>Runs one or several statements, ignoring rows.</summary>
    public unsafe void Execute(string sql)
    {
        var bytes = Encoding.UTF8.GetBytes(sql);
        fixed (byte* start = bytes)
        {
            for (var next = start; next < start + bytes.Length;)
            {
                Check(Sqlite3.Prepare(_handle, next, (int)(start + bytes.Length - next), 0, out var statement, out next));

                // A comment or white space has no statement.
                if (statement == 0) continue;
                int code;
                do code = Sqlite3.Step(statement);
                while (code == Sqlite3.Row);
                var failure = code == Sqlite3.Done ? null : Failure(code);
                Sqlite3.Finalize(statement);
                if (failure is not null) throw failure;
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

    /// <summary>Copies what it can of the log into the database file without keeping anybody waiting; gives how many pages of the log are there now.</summary>
    public int Checkpoint()
    {
        var code = Sqlite3.Checkpoint(_handle, 0, Sqlite3.CheckpointPassive, out _, out var moved);

        // Somebody else is at it.
        if (code is Sqlite3.Busy or Sqlite3.Locked) return 0;
        Check(code);
        return moved;
    }

    /// <summary>From now on the engine doesn't checkpoint by itself, and <see cref="LogFrames"/> tells how long the log is.</summary>
    public unsafe void WatchLog()
    {
        _frames = (int*)NativeMemory.AllocZeroed(sizeof(int));
        Sqlite3.SetLogHook(_handle, &OnCommit, _frames);
    }

    /// <summary>Pages in the log after the last commit of this connection.</summary>
    public unsafe int LogFrames => *_frames;

    /// <summary>Makes the exception for a result code, with the connection's own message.</summary>
    public unsafe SqliteException Failure(int code)
    {
        var extended = Sqlite3.ExtendedErrorCode(_handle);
        var message = Marshal.PtrToStringUTF8((nint)Sqlite3.ErrorMessage(_handle)) ?? "";
        return new SqliteException((extended & 0xFF) == (code & 0xFF) ? extended : code, message);
    }

    /// <inheritdoc/>
    public unsafe void Dispose()
    {
        foreach (var statement in _statements) statement.Dispose();
        _statements.Clear();

        // close_v2 waits for statements that somebody still has to finish, instead of failing.
        if (_handle != 0) Sqlite3.Close(_handle);
        _handle = 0;
        NativeMemory.Free(_frames);
        _frames = null;
    }

    [UnmanagedCallersOnly]
    private static unsafe int OnCommit(void* frames, nint database, byte* name, int count)
    {
        *(int*)frames = count;
        return Sqlite3.Ok;
    }

    private unsafe nint PrepareCore(string sql, uint flags)
    {
        var bytes = Encoding.UTF8.GetBytes(sql);
        fixed (byte* start = bytes)
        {
            Check(Sqlite3.Prepare(_handle, start, bytes.Length, flags, out var statement, out _));
            return statement;
        }
    }

    private void Check(int code)
    {
        if (code != Sqlite3.Ok) throw Failure(code);
    }
}
