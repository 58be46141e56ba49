using ChannelBridge.Storage.Sqlite.Native;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <summary>
/// Moves what was committed from the log into the database file, on a thread and a connection of its own: done by the writer, as the engine would,
/// it stops every commit until it is done. While commits go on the log can't be moved to its end, so the writer does the little that is left,
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

    // The writer's own: how far the round before went (or the log, when it was finished), and how long the log is at the next one.
    private int _before;
    private int _next;

    /// <param name="database">A connection for this alone; it is disposed with this.</param>
    /// <param name="longLog">How many pages the log has when it is moved.</param>
    /// <param name="logger">Gets what an operator should know.</param>
    public Checkpointer(SqliteDatabase database, int longLog, ILogger logger)
    {
        _database = database;
        _longLog = _next = longLog;
        _logger = logger;

        // Only a connection that has read once knows that there is a log.
        database.QueryInt64("PRAGMA user_version");
        _thread = new Thread(Run) { IsBackground = true, Name = "ChannelBridge store checkpoint" };
        _thread.Start();
    }

    /// <summary>True while a round is under way on the other thread.</summary>
    internal bool Running => _running;

    /// <summary>To be told after each commit, by the writer's thread.</summary>
    /// <param name="frames">How long the log is now, in pages.</param>
    /// <param name="finish">Moves the rest of the log on the writer's connection.</param>
    /// <exception cref="SqliteException">A checkpoint failed: what the system holds of the files is in doubt.</exception>
    public void Committed(int frames, Action finish)
    {
        if (_running) return;
        if (Interlocked.Exchange(ref _failure, null) is { } failure) throw failure;
        if (frames < Math.Max(_before, _moved))
        {
            // The log has begun anew.
            (_moved, _before, _next) = (0, 0, _longLog);
        }

        var (moved, progress) = (_moved, _moved - _before);
        _moved = 0;
        if (moved > 0 && frames - moved <= ShortRest)
        {
            // The log begins anew with the next commit, unless a reader still needs it: then after as much again, not at each commit.
            (_before, _next) = (frames, frames + _longLog);
            finish();
        }
        else if (frames >= _next || progress > ShortRest)
        {
            // One more round at once only while rounds get on; one that a reader holds up is tried again after as much again.
            (_before, _next) = (Math.Max(_before, moved), frames + _longLog);
            _running = true;
            _begin.Set();
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

    [LoggerMessage(EventId = LogEvents.CheckpointerFailed, Level = LogLevel.Warning, Message = "The store's log couldn't be moved into its file; it grows until that works again")]
    private partial void LogFailed(Exception exception);
}
