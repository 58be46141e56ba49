using System.Diagnostics;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Common;
using ChannelBridge.Storage.Sqlite.Native;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <summary>
/// The one writer: a thread of its own that applies what has queued up in one transaction, commits it, flushes it, and tells the waiters. It doesn't
/// wait for more: what comes while a group is flushed is the next one. A large group is flushed by another thread, so that the next one is applied meanwhile.
/// </summary>
internal sealed partial class GroupWriter : IAsyncDisposable
{
    private static readonly TimeSpan BusyDelay = TimeSpan.FromMilliseconds(50);

    private readonly SqliteStoreOptions _options;
    private readonly WriterConnection _connection;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CommitQueue _queue;
    private readonly GroupFlusher _flusher;
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private List<CommitUnit> _group = [];
    private List<CommitUnit>? _spare = [];
    private WriteApplier? _open;
    private readonly CommitFailures _failures;

    public GroupWriter(SqliteStoreOptions options, WriterConnection connection, TimeProvider time, ILogger logger)
    {
        _time = time;
        _options = options;
        _connection = connection;
        _logger = logger;
        _failures = new CommitFailures(StoreErrors.Map, time, logger);
        _queue = new CommitQueue(options.QueueCapacity);
        _flusher = new GroupFlusher(_queue, connection.Flush, Flushed);
        Telemetry.Add(this, () => QueueLength);
        new Thread(Run) { IsBackground = true, Name = "ChannelBridge store writer" }.Start();
    }

    private enum Phase
    {
        Open,
        Apply,
        Commit,
        Flush,
    }

    /// <summary>How many commits wait.</summary>
    public int QueueLength => _queue.Count;

    /// <summary>Whether commits succeed, and since when not.</summary>
    public CommitFailures Failures => _failures;

    /// <summary>Queues a unit, or throws at once when the queue is full.</summary>
    public ValueTask Enqueue(StoreWrite? single, IReadOnlyList<StoreWrite>? batch, CancellationToken cancellationToken)
    {
        if (TryEnqueue(single, batch, cancellationToken, out var task)) return task;
        Telemetry.Refused.Add(1);
        throw BridgeException.Busy($"The store's queue is full ({_options.QueueCapacity} commits wait); nothing was written, try again shortly.", BusyDelay);
    }

    /// <summary>Queues a unit of the store's own upkeep: waits for a place instead of failing.</summary>
    public async ValueTask EnqueueUpkeepAsync(StoreWrite write, CancellationToken cancellationToken)
    {
        ValueTask task;
        while (!TryEnqueue(write, null, cancellationToken, out task)) await Task.Delay(BusyDelay, _time, cancellationToken).ConfigureAwait(false);
        await task.ConfigureAwait(false);
    }

    /// <summary>Takes nothing more, finishes what is queued, and ends the threads.</summary>
    public async ValueTask DisposeAsync()
    {
        _queue.Close();
        await _finished.Task.ConfigureAwait(false);
        Telemetry.Remove(this);
    }

    private bool TryEnqueue(StoreWrite? single, IReadOnlyList<StoreWrite>? batch, CancellationToken cancellationToken, out ValueTask task)
    {
        var unit = CommitUnit.Rent(single, batch, cancellationToken);
        task = unit.Task;
        if (_queue.TryAdd(unit)) return true;
        unit.Return();
        return _queue.Closed ? throw StoreErrors.Closed() : false;
    }

    private void Run()
    {
        try
        {
            while (_queue.WaitForUnit()) RunGroup();
            _queue.WaitForFlush();
            if (_flusher.TakeFailure() is { } lost) _connection.Recover(lost);
            _flusher.Dispose();
            _queue.Dispose();
        }
        catch (Exception e)
        {
            // Nothing above throws by design; if it does, nobody may wait for ever.
            LogWriterDied(e);
            _queue.Close();
            foreach (var unit in _group) unit.Fail(StoreErrors.Map(e));
            while (_queue.TryTake(out var unit)) unit.Fail(StoreErrors.Map(e));
        }

        _finished.SetResult();
    }

    /// <summary>Applies units until the disk is free, and commits them.</summary>
    private void RunGroup()
    {
        var started = Stopwatch.GetTimestamp();
        var failure = Gather(out var phase);
        _queue.WaitForFlush();
        if (_flusher.TakeFailure() is { } lost)
        {
            // The group before this one is in doubt, and so is the log that this one would follow it in: it is applied anew, by itself.
            _connection.Recover(lost);
            failure = TryCommit(_group, out phase);
            if (failure is null)
            {
                Finish(started);
                return;
            }
        }
        else if (_group.Count == 0)
        {
            return;
        }
        else
        {
            failure ??= TryCommit(out phase);
            if (failure is null)
            {
                Deliver(started);
                TendLog();
                return;
            }

            _connection.Recover(failure);
        }

        FailOrSplit(failure, phase);
        _group.Clear();
    }

    /// <summary>Takes units and applies them as they come, for as long as a flush is under way or units are queued.</summary>
    /// <returns>What went wrong with the last of them, or null.</returns>
    private Exception? Gather(out Phase phase)
    {
        phase = Phase.Open;
        var bytes = 0L;
        _open = null;
        try
        {
            while (_group.Count < _options.MaxGroupSize && bytes < _options.MaxGroupBytes)
            {
                if (!_queue.TryTake(out var unit))
                {
                    if (_queue.WaitForUnitsOrFlush()) continue;
                    return null;
                }

                if (unit.Token.IsCancellationRequested)
                {
                    unit.Fail(new OperationCanceledException(unit.Token));
                    continue;
                }

                bytes += unit.PayloadBytes();
                _group.Add(unit);
                if (_open is null)
                {
                    var applier = _connection.Get();
                    applier.Begin();
                    phase = Phase.Apply;
                    _open = applier;
                }

                _open.Apply(unit);
            }

            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }

    /// <summary>Commits what <see cref="Gather"/> has applied.</summary>
    private Exception? TryCommit(out Phase phase)
    {
        phase = Phase.Commit;
        try
        {
            _open!.Commit(_options.Faults);
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }

    /// <summary>Has the committed group flushed, and its waiters told.</summary>
    private void Deliver(long started)
    {
        if (_group.Count >= _options.OverlapAt)
        {
            _flusher.Begin(new CommittedGroup(_group, started));
            _group = Interlocked.Exchange(ref _spare, null) ?? [];
            return;
        }

        if (TryFlush() is not { } failure)
        {
            Finish(started);
            return;
        }

        _connection.Recover(failure);
        foreach (var unit in _group) _failures.Fail(unit, failure);
        _group.Clear();
    }

    private void TendLog()
    {
        try
        {
            _connection.TendLog();
        }
        catch (Exception e)
        {
            // What the flush under way says of its group still stands or falls by itself.
            _queue.WaitForFlush();
            _connection.Recover(_flusher.TakeFailure() ?? e);
        }
    }

    /// <summary>Tells the waiters of a group that the writer has flushed itself.</summary>
    private void Finish(long started)
    {
        Complete(new CommittedGroup(_group, started));
        _group.Clear();
    }

    private void Complete(CommittedGroup group)
    {
        Telemetry.GroupSize.Record(group.Units.Count);
        Telemetry.CommitDuration.Record(Stopwatch.GetElapsedTime(group.Started).TotalSeconds);
        var probed = ProbeWrite.Only(group.Units);
        group.Complete();
        _failures.Succeeded(probed);
    }

    /// <summary>On the flusher's thread.</summary>
    private void Flushed(CommittedGroup group, Exception? failure)
    {
        if (failure is null) Complete(group);
        else foreach (var unit in group.Units) _failures.Fail(unit, failure);
        group.Units.Clear();
        Volatile.Write(ref _spare, group.Units);
    }

    private void FailOrSplit(Exception failure, Phase phase)
    {
        if (_group.Count == 1 || !IsWorthSplitting(failure, phase))
        {
            foreach (var unit in _group) _failures.Fail(unit, failure);
            return;
        }

        // One unit may be at fault (too large for what is left of the disk, a repeated id, a damaged page): the others needn't suffer.
        var alone = new List<CommitUnit>(1);
        for (var i = 0; i < _group.Count; i++)
        {
            alone.Clear();
            alone.Add(_group[i]);
            if (TryCommit(alone, out phase) is not { } fault)
            {
                _failures.Succeeded(ProbeWrite.Only(alone));
                _group[i].Complete();
            }
            else if (IsWorthSplitting(fault, phase))
            {
                _failures.Fail(_group[i], fault);
            }
            else
            {
                for (; i < _group.Count; i++) _failures.Fail(_group[i], fault);
            }
        }
    }

    /// <summary>Applies, commits and flushes, all on this thread.</summary>
    private Exception? TryCommit(List<CommitUnit> units, out Phase phase)
    {
        phase = Phase.Open;
        try
        {
            var applier = _connection.Get();
            phase = Phase.Apply;
            applier.Begin();
            foreach (var unit in units) applier.Apply(unit);
            phase = Phase.Commit;
            applier.Commit(_options.Faults);
            phase = Phase.Flush;
            _connection.Flush();
            return null;
        }
        catch (Exception e)
        {
            _connection.Recover(e);
            return e;
        }
    }

    private Exception? TryFlush()
    {
        try
        {
            _connection.Flush();
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }

    // Not when every single one would fail the same way, and never after a failed commit or flush: whether it reached the disk isn't known, so the
    // only honest answer to each unit is the failure.
    private static bool IsWorthSplitting(Exception failure, Phase phase) => phase switch
    {
        Phase.Open or Phase.Flush => false,
        Phase.Commit => failure is SqliteException { Code: Sqlite3.Full },
        _ => failure is not SqliteException { Code: Sqlite3.Busy or Sqlite3.ReadOnly or Sqlite3.CantOpen or Sqlite3.Perm or Sqlite3.NotADatabase },
    };

    [LoggerMessage(EventId = LogEvents.GroupWriterWriterDied, Level = LogLevel.Critical, Message = "The store's writer ended unexpectedly; restart the host")]
    private partial void LogWriterDied(Exception exception);
}
