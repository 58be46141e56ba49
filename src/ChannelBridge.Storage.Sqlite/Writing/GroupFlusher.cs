namespace ChannelBridge.Storage.Sqlite.Writing;

/// <summary>
/// Flushes committed groups on a thread of its own, one at a time, so that the writer applies the next group meanwhile. The writer commits that
/// one only when this flush is over: groups stay as large as the disk is slow, and what a failed flush leaves in doubt is never built upon.
/// </summary>
internal sealed class GroupFlusher : IDisposable
{
    private readonly CommitQueue _queue;
    private readonly Action _flush;
    private readonly Action<CommittedGroup, Exception?> _done;
    private readonly ManualResetEventSlim _begin = new(initialState: false, spinCount: 0);
    private readonly Thread _thread;
    private CommittedGroup? _group;
    private Exception? _failure;

    /// <param name="queue">Is told when a flush begins and ends.</param>
    /// <param name="flush">Flushes; throws what went wrong.</param>
    /// <param name="done">Tells a group's waiters how it went.</param>
    public GroupFlusher(CommitQueue queue, Action flush, Action<CommittedGroup, Exception?> done)
    {
        _queue = queue;
        _flush = flush;
        _done = done;
        _thread = new Thread(Run) { IsBackground = true, Name = "ChannelBridge store flush" };
        _thread.Start();
    }

    /// <summary>Hands over a group that was just committed. No flush may be under way.</summary>
    public void Begin(CommittedGroup group)
    {
        _queue.FlushBegins();
        _group = group;
        _begin.Set();
    }

    /// <summary>Why a flush has failed since this was last asked, or null. No flush may be under way.</summary>
    public Exception? TakeFailure() => Interlocked.Exchange(ref _failure, null);

    /// <summary>Ends the thread. No flush may be under way.</summary>
    public void Dispose()
    {
        _group = null;
        _begin.Set();
        _thread.Join();
        _begin.Dispose();
    }

    private void Run()
    {
        while (true)
        {
            _begin.Wait();
            _begin.Reset();
            if (_group is not { } group) return;
            _group = null;
            Exception? failure = null;
            try
            {
                _flush();
            }
            catch (Exception e)
            {
                Volatile.Write(ref _failure, failure = e);
            }

            // The writer first: it has work to do, the waiters only to be told.
            _queue.FlushEnds();
            _done(group, failure);
        }
    }
}

