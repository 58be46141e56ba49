using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using ChannelBridge.Core.Errors;
using ChannelBridge.Core.Storage;
using ChannelBridge.Storage.Common;
using ChannelBridge.Storage.Sqlite.Native;
using Microsoft.Extensions.Logging;
using SQLitePCL;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <summary>
/// The one writer: a thread of its own that takes what has queued up, applies it in one transaction, commits it, and tells the waiters. It doesn't
/// wait for more: while one group is flushed to the disk the next one gathers by itself, and a lone commit is not delayed.
/// </summary>
internal sealed partial class GroupWriter : IAsyncDisposable
{
    private static readonly TimeSpan BusyDelay = TimeSpan.FromMilliseconds(50);

    private readonly SqliteStoreOptions _options;
    private readonly WriterConnection _connection;
    private readonly ILogger _logger;
    private readonly Channel<CommitUnit> _queue;
    private readonly List<CommitUnit> _group = [];
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ManualResetEventSlim _wake = new(initialState: false, spinCount: 0);
    private readonly Action _setWake;
    private volatile bool _closing;
    private bool _failing;

    public GroupWriter(SqliteStoreOptions options, WriterConnection connection, ILogger logger)
    {
        _options = options;
        _connection = connection;
        _logger = logger;
        _setWake = _wake.Set;
        _queue = Channel.CreateBounded<CommitUnit>(new BoundedChannelOptions(options.QueueCapacity)
        {
            SingleReader = true,
            FullMode = BoundedChannelFullMode.Wait,

            // The only continuation sets the event that the writer thread waits for, so running it on the producer's thread is cheap and keeps
            // the writer independent of a starved thread pool.
            AllowSynchronousContinuations = true,
        });
        Telemetry.Add(this);
        new Thread(Run) { IsBackground = true, Name = "ChannelBridge store writer" }.Start();
    }

    /// <summary>How many commits wait.</summary>
    public int QueueLength => _queue.Reader.Count;

    /// <summary>Queues a unit, or throws at once when the queue is full.</summary>
    public ValueTask Enqueue(StoreWrite? single, IReadOnlyList<StoreWrite>? batch, CancellationToken cancellationToken)
    {
        var unit = CommitUnit.Rent(single, batch, cancellationToken);
        var task = unit.Task;
        if (_queue.Writer.TryWrite(unit)) return task;
        unit.Return();
        if (_closing) throw StoreErrors.Closed();
        Telemetry.Refused.Add(1);
        throw BridgeException.Busy($"The store's queue is full ({_options.QueueCapacity} commits wait); nothing was written, try again shortly.", BusyDelay);
    }

    /// <summary>Queues a unit of the store's own upkeep: waits for a place instead of failing.</summary>
    public async ValueTask EnqueueUpkeepAsync(StoreWrite write, CancellationToken cancellationToken)
    {
        var unit = CommitUnit.Rent(write, null, cancellationToken);
        var task = unit.Task;
        try
        {
            await _queue.Writer.WriteAsync(unit, cancellationToken).ConfigureAwait(false);
        }
        catch (ChannelClosedException)
        {
            unit.Return();
            throw StoreErrors.Closed();
        }

        await task.ConfigureAwait(false);
    }

    /// <summary>Takes nothing more, finishes what is queued, and ends the thread.</summary>
    public async ValueTask DisposeAsync()
    {
        _closing = true;
        _queue.Writer.TryComplete();
        await _finished.Task.ConfigureAwait(false);
        Telemetry.Remove(this);
    }

    private void Run()
    {
        try
        {
            while (WaitForWork())
            {
                var bytes = 0L;
                while (_group.Count < _options.MaxGroupSize && bytes < _options.MaxGroupBytes && _queue.Reader.TryRead(out var unit))
                {
                    if (unit.Token.IsCancellationRequested)
                    {
                        unit.Fail(new OperationCanceledException(unit.Token));
                        continue;
                    }

                    bytes += unit.PayloadBytes();
                    _group.Add(unit);
                }

                if (_group.Count > 0) CommitGroup();
                _group.Clear();
            }

            _finished.SetResult();
        }
        catch (Exception e)
        {
            // Nothing above throws by design; if it does, nobody may wait for ever.
            LogWriterDied(e);
            _closing = true;
            _queue.Writer.TryComplete(e);
            foreach (var unit in _group) unit.Fail(StoreErrors.Map(e));
            while (_queue.Reader.TryRead(out var unit)) unit.Fail(StoreErrors.Map(e));
            _finished.SetResult();
        }
    }

    [SuppressMessage("Reliability", "CA2012", Justification = "The awaiter is consumed once; a dedicated thread waits without a task for each wait.")]
    private bool WaitForWork()
    {
        var awaiter = _queue.Reader.WaitToReadAsync(CancellationToken.None).ConfigureAwait(false).GetAwaiter();
        if (!awaiter.IsCompleted)
        {
            _wake.Reset();
            awaiter.UnsafeOnCompleted(_setWake);
            _wake.Wait();
        }

        return awaiter.GetResult();
    }

    private void CommitGroup()
    {
        var started = Stopwatch.GetTimestamp();
        var failure = TryCommit(_group, out var phase);
        if (failure is null)
        {
            Telemetry.GroupSize.Record(_group.Count);
            Telemetry.CommitDuration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
            foreach (var unit in _group) unit.Complete();
            if (_failing) LogRecovered();
            _failing = false;
            return;
        }

        if (_group.Count == 1 || !IsWorthSplitting(failure, phase))
        {
            foreach (var unit in _group) Fail(unit, failure);
            return;
        }

        // One unit may be at fault (too large for what is left of the disk, a repeated id, a damaged page): the others needn't suffer.
        var alone = new List<CommitUnit>(1);
        for (var i = 0; i < _group.Count; i++)
        {
            alone.Clear();
            alone.Add(_group[i]);
            failure = TryCommit(alone, out phase);
            if (failure is null)
            {
                _group[i].Complete();
            }
            else if (IsWorthSplitting(failure, phase))
            {
                Fail(_group[i], failure);
            }
            else
            {
                for (; i < _group.Count; i++) Fail(_group[i], failure);
            }
        }
    }

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
            return null;
        }
        catch (Exception e)
        {
            _connection.Recover(e);
            return e;
        }
    }

    // Not when every single one would fail the same way, and never after a failed commit: whether it reached the disk isn't known, so the only
    // honest answer to each unit is the failure.
    private static bool IsWorthSplitting(Exception failure, Phase phase) => phase switch
    {
        Phase.Open => false,
        Phase.Commit => failure is SqliteException { Code: raw.SQLITE_FULL },
        _ => failure is not SqliteException { Code: raw.SQLITE_BUSY or raw.SQLITE_READONLY or raw.SQLITE_CANTOPEN or raw.SQLITE_PERM or raw.SQLITE_NOTADB },
    };

    private void Fail(CommitUnit unit, Exception failure)
    {
        var error = StoreErrors.Map(failure);
        if (error.Code.StartsWith("STORE_", StringComparison.Ordinal) || error.Code == ErrorCodes.Internal)
        {
            Telemetry.Failures.Add(1);
            if (!_failing || error.Code == ErrorCodes.Internal) LogFailing(failure, error.Code);
            _failing = true;
        }

        // A new object for each waiter: they throw it on different threads.
        unit.Fail(ReferenceEquals(error, failure) ? error : StoreErrors.Map(failure));
    }

    private enum Phase
    {
        Open,
        Apply,
        Commit,
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The store can't be written ({Code}); what was sent is refused, and each new commit tries again")]
    private partial void LogFailing(Exception exception, string code);

    [LoggerMessage(Level = LogLevel.Information, Message = "The store can be written again")]
    private partial void LogRecovered();

    [LoggerMessage(Level = LogLevel.Critical, Message = "The store's writer ended unexpectedly; restart the host")]
    private partial void LogWriterDied(Exception exception);
}
