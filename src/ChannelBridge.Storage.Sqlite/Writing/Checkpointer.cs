using ChannelBridge.Storage.Sqlite.Native;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <summary>
/// Moves what was committed from the log into the database file, on a thread and a connection of its own: done by the writer, as the engine would,
/// it stops every commit for tens of milliseconds. While commits go on the log can't be moved to its end, so the writer does the little that is left,
/// which lets the engine begin the log anew.
/// </summary>
internal sealed partial class Checkpointer : IDisposable
{
    // So much is left to the writer at most; more than that is moved by another round here.
    private const int ShortRest = 400;

    private readonly SqliteDatabase _database;
    private readonly int _longLog;
    private readonly ILogger _logger;
    private readonly ManualResetEventSlim _begin = new(initialState: false, spinCount: 0);
    private readonly Thread _thread;
    private volatile bool _running;
    private volatile bool _ending;
    private volatile int _moved;
    private Exception? _failure;
    private int _after;

    /// <param name="database">A connection for this alone; it is disposed with this.</param>
    /// <param name="longLog">How many pages the log has when it is moved.</param>
    /// <param name="logger">Gets what an operator should know.</param>
    public Checkpointer(SqliteDatabase database, int longLog, ILogger logger)
    {
        _database = database;
        _longLog = _after = longLog;
        _logger = logger;

        // Only a connection that has read once knows that there is a log.
        database.QueryInt64("PRAGMA user_version");
        _thread = new Thread(Run) { IsBackground = true, Name = "ChannelBridge store checkpoint" };
        _thread.Start();
    }

    /// <summary>To be told after each commit, by the writer's thread.</summary>
    /// <param name="frames">How long the log is now, in pages.</param>
    /// <param name="finish">Moves the rest of the log on the writer's connection.</param>
    /// <exception cref="SqliteException">A checkpoint failed: what the system holds of the files is in doubt.</exception>
    public void Committed(int frames, Action finish)
    {
        if (_running) return;
        if (Interlocked.Exchange(ref _failure, null) is { } failure) throw failure;
        if (_moved > 0 && frames - _moved <= ShortRest && frames >= _moved)
        {
            _moved = 0;
            finish();
            _after = _longLog;
        }
        else if (frames >= _after)
        {
            // When a reader keeps the log from being emptied, it is tried again after as much again, not at each commit.
            if (_moved == 0) _after = frames + _longLog;
            _running = true;
            _begin.Set();
        }
        else if (frames < _moved)
        {
            // The log has begun anew.
            _moved = 0;
            _after = _longLog;
        }
    }

    /// <summary>Waits for a checkpoint that is under way and ends.</summary>
    public void Dispose()
    {
        _ending = true;
        _begin.Set();
        _thread.Join();
        _begin.Dispose();
        _database.Dispose();
    }

    private void Run()
    {
        while (true)
        {
            _begin.Wait();
            _begin.Reset();
            if (_ending) return;
            try
            {
                _moved = _database.Checkpoint();
            }
            catch (Exception e)
            {
                LogFailed(e);
                Volatile.Write(ref _failure, e);
            }

            _running = false;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The store's log couldn't be moved into its file; it grows until that works again")]
    private partial void LogFailed(Exception exception);
}
