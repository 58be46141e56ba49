using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Storage.Sqlite.Native;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <summary>
/// The writer's connection and its repair. After a failed read, write or flush, what the operating system holds of the log may differ from what
/// is on the disk: a page that couldn't be written counts as clean, and the next flush reports success over the gap. So the connection is given
/// up; the next one first moves everything that was committed from the log into the database file, which writes those pages anew, flushes it,
/// and empties the log. Only when all of that has succeeded are new commits taken.
/// </summary>
internal sealed partial class WriterConnection(SqliteStoreOptions options, string path, ILogger logger) : IDisposable
{
    private readonly LaneCache _lanes = new(options.LaneCacheSize);
    private readonly ILogger _logger = logger;
    private SqliteDatabase? _database;
    private WriteApplier? _applier;
    private LogFlusher? _log;
    private Checkpointer? _checkpointer;
    private Action? _finishCheckpoint;

    /// <summary>Opens the file for the first time and brings its schema up to date.</summary>
    /// <returns>The store's id.</returns>
    public Guid Open()
    {
        var database = Connect(out var found);
        try
        {
            if (found < SqliteSchema.Current)
            {
                SqliteSchema.Migrate(database, found);
                if (found > 0) LogMigrated(found, SqliteSchema.Current);
            }

            // A file that can only be read is found now, not at the first message.
            database.Execute("BEGIN IMMEDIATE; ROLLBACK");
            var id = SqliteSchema.ReadStoreId(database);
            Use(database);
            return id;
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>The connection's statements; opens it again after a failure.</summary>
    public WriteApplier Get()
    {
        if (_applier is null) Reopen();
        options.Faults.BeforeGroup(_database!.Execute);
        return _applier!;
    }

    /// <summary>Returns when everything committed is on the disk. On any thread, but never while the connection is given up.</summary>
    public void Flush()
    {
        try
        {
            _log ??= new LogFlusher(path);
            options.Faults.Flush(_log.Flush);
        }
        catch (Exception e) when (e is not SqliteException)
        {
            throw new SqliteException(Sqlite3.IoErrorFsync, e.Message);
        }
    }

    /// <summary>To be called after a commit, outside of a transaction: keeps the log short.</summary>
    /// <exception cref="SqliteException">The connection must be given up.</exception>
    public void TendLog() => _checkpointer?.Committed(_database!.LogFrames, _finishCheckpoint!);

    /// <summary>Makes the connection usable after a failure, or gives it up.</summary>
    public void Recover(Exception failure)
    {
        try
        {
            _applier?.Rollback();
            if (failure is not SqliteException e || !IsSuspect(e)) return;
        }
        catch (SqliteException e)
        {
            LogRollbackFailed(e);
        }

        GiveUp();
    }

    /// <summary>Empties the log into the database file and closes.</summary>
    public void Dispose()
    {
        if (_database is null) return;
        _checkpointer?.Dispose();
        _checkpointer = null;
        try
        {
            if (!_database.CheckpointTruncate()) LogCheckpointIncomplete();
        }
        catch (SqliteException e)
        {
            // Everything acknowledged is in the log; the next start moves it.
            LogCheckpointFailed(e);
        }

        GiveUp();
    }

    private static bool IsSuspect(SqliteException e) =>
        e.Code is Sqlite3.IoError or Sqlite3.Corrupt or Sqlite3.NotADatabase or Sqlite3.CantOpen or Sqlite3.ReadOnly or Sqlite3.Perm;

    private void GiveUp()
    {
        _applier = null;
        _checkpointer?.Dispose();
        _checkpointer = null;
        _log?.Dispose();
        _log = null;
        _database?.Dispose();
        _database = null;
    }

    private void Use(SqliteDatabase database)
    {
        var applier = new WriteApplier(database, _lanes, options.RecentKeys);
        database.WatchLog();
        _checkpointer = new Checkpointer(SqliteDatabase.Open(path, readOnly: false, options.BusyTimeout), options.LogPages, _logger);
        _finishCheckpoint = () => database.Checkpoint();
        _database = database;
        _applier = applier;
    }

    private void Reopen()
    {
        options.Faults.BeforeReopen();

        // Never make a new file in the old one's place: what was acknowledged would be silently gone.
        if (!File.Exists(path)) throw new SqliteException(Sqlite3.CantOpen, "the file is gone");
        var database = Connect(out _);
        try
        {
            if (!database.CheckpointTruncate()) throw new SqliteException(Sqlite3.Busy, "the log couldn't be emptied");
            Use(database);
            LogReopened();
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    private SqliteDatabase Connect(out int found)
    {
        var database = SqliteDatabase.Open(path, readOnly: false, options.BusyTimeout);
        try
        {
            found = SqliteSchema.Check(database, path);
            if (found == 0) database.Execute($"PRAGMA page_size = {SqliteSchema.PageBytes}");
            var mode = database.QueryText("PRAGMA journal_mode = WAL");
            if (!string.Equals(mode, "wal", StringComparison.OrdinalIgnoreCase))
            {
                throw new BridgeException(
                    ErrorCodes.StoreUnavailable,
                    $"{path} can't be used with a write-ahead log (it stays in mode '{mode}'). Put the store on a local, writable file system.");
            }

            // NORMAL: the engine flushes around checkpoints; the flush of each commit is ours, so that the next group is applied meanwhile.
            database.Execute(
                $"""
                PRAGMA synchronous = NORMAL;
                PRAGMA journal_size_limit = 134217728;
                PRAGMA cache_size = -{options.CacheBytes / 1024};
                PRAGMA temp_store = MEMORY;
                PRAGMA secure_delete = FAST;
                """);
            return database;
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    [LoggerMessage(EventId = LogEvents.WriterConnectionMigrated, Level = LogLevel.Information, Message = "Brought the store from schema {Found} to {Current}")]
    private partial void LogMigrated(int found, int current);

    [LoggerMessage(EventId = LogEvents.WriterConnectionReopened, Level = LogLevel.Warning,
        Message = "Opened the store's file again after a failure; everything committed is in place")]
    private partial void LogReopened();

    [LoggerMessage(EventId = LogEvents.WriterConnectionRollbackFailed, Level = LogLevel.Warning,
        Message = "A failed transaction couldn't be rolled back; the connection is given up")]
    private partial void LogRollbackFailed(Exception exception);

    [LoggerMessage(EventId = LogEvents.WriterConnectionCheckpointIncomplete, Level = LogLevel.Warning,
        Message = "The store's log couldn't be emptied at the end because another program still reads it; the next start does it")]
    private partial void LogCheckpointIncomplete();

    [LoggerMessage(EventId = LogEvents.WriterConnectionCheckpointFailed, Level = LogLevel.Warning,
        Message = "The store's log couldn't be emptied at the end; the next start does it")]
    private partial void LogCheckpointFailed(Exception exception);
}
