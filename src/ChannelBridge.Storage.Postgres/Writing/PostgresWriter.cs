using System.Data;
using System.Diagnostics;
using System.Threading.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Common;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace ChannelBridge.Storage.Postgres.Writing;

/// <summary>
/// The one writer of a host: takes what has queued up, sends it as one batch, and tells the waiters when the server has flushed it. It doesn't wait
/// for more: while one group is on its way the next one gathers by itself.
/// </summary>
internal sealed partial class PostgresWriter : IAsyncDisposable
{
    private const int Collisions = 5;
    private static readonly TimeSpan BusyDelay = TimeSpan.FromMilliseconds(50);

    private readonly PostgresStoreOptions _options;
    private readonly NpgsqlDataSource _source;
    private readonly ILogger _logger;
    private readonly Channel<CommitUnit> _queue;
    private readonly LaneIds _lanes;
    private readonly Task _running;
    private NpgsqlConnection? _connection;
    private volatile bool _closing;
    private readonly CommitFailures _failures;

    public PostgresWriter(PostgresStoreOptions options, NpgsqlDataSource source, ILogger logger)
    {
        _options = options;
        _source = source;
        _logger = logger;
        _failures = new CommitFailures(PostgresErrors.Map, logger);
        _lanes = new LaneIds(options.LaneCacheSize);
        _queue = Channel.CreateBounded<CommitUnit>(new BoundedChannelOptions(options.QueueCapacity)
        {
            SingleReader = true,
            FullMode = BoundedChannelFullMode.Wait,
        });
        Telemetry.Add(this, () => QueueLength);
        _running = Task.Run(RunAsync);
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
        if (_closing) throw PostgresErrors.Closed();
        Telemetry.Refused.Add(1);
        throw BridgeException.Busy($"The store's queue is full ({_options.QueueCapacity} commits wait); nothing was written, try again shortly.", BusyDelay);
    }

    /// <summary>Takes nothing more, finishes what is queued, and closes the connection.</summary>
    public async ValueTask DisposeAsync()
    {
        _closing = true;
        _queue.Writer.TryComplete();
        await _running.ConfigureAwait(false);
        Telemetry.Remove(this);
        await GiveUpAsync().ConfigureAwait(false);
    }

    private async Task RunAsync()
    {
        var group = new List<CommitUnit>();
        while (await _queue.Reader.WaitToReadAsync(CancellationToken.None).ConfigureAwait(false))
        {
            group.Clear();
            var bytes = 0L;
            while (group.Count < _options.MaxGroupSize && bytes < _options.MaxGroupBytes && _queue.Reader.TryRead(out var unit))
            {
                if (unit.Token.IsCancellationRequested)
                {
                    unit.Fail(new OperationCanceledException(unit.Token));
                    continue;
                }

                bytes += unit.PayloadBytes();
                group.Add(unit);
            }

            if (group.Count > 0) await CommitGroupAsync(group).ConfigureAwait(false);
        }
    }

    private async Task CommitGroupAsync(List<CommitUnit> group)
    {
        var started = Stopwatch.GetTimestamp();
        var failure = await TryCommitAsync(group).ConfigureAwait(false);
        if (failure is null)
        {
            Telemetry.GroupSize.Record(group.Count);
            Telemetry.CommitDuration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
            foreach (var unit in group) unit.Complete();
            _failures.Succeeded();
            return;
        }

        // One unit may be at fault: the others needn't suffer. After a lost connection the outcome isn't known, so all are told.
        if (group.Count > 1 && PostgresErrors.IsOfOneWrite(failure))
        {
            foreach (var unit in group)
            {
                if (await TryCommitAsync([unit]).ConfigureAwait(false) is { } own) _failures.Fail(unit, own);
                else unit.Complete();
            }

            return;
        }

        foreach (var unit in group) _failures.Fail(unit, failure);
    }

    private async Task<Exception?> TryCommitAsync(List<CommitUnit> units)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                var connection = await ConnectAsync().ConfigureAwait(false);
                var plan = GroupPlan.Make(units);
                await _lanes.LoadAsync(plan.Stages, connection, CancellationToken.None).ConfigureAwait(false);
                await new GroupCommand(plan, _lanes).RunAsync(connection, CancellationToken.None).ConfigureAwait(false);
                return null;
            }
            catch (Exception e) when (PostgresErrors.IsCollision(e) && attempt < Collisions)
            {
                // Another host's transaction was in the way and this one was undone: the same again, at once.
                LogCollision(attempt);
            }
            catch (Exception e)
            {
                if (PostgresErrors.LeavesConnectionInDoubt(e)) _source.Clear();
                else if (e is PostgresException or BridgeException) return e;
                await GiveUpAsync().ConfigureAwait(false);
                return e;
            }
        }
    }

    private async ValueTask<NpgsqlConnection> ConnectAsync()
    {
        if (_connection is { State: ConnectionState.Open } open) return open;
        await GiveUpAsync().ConfigureAwait(false);
        return _connection = await _source.OpenConnectionAsync().ConfigureAwait(false);
    }

    private async ValueTask GiveUpAsync()
    {
        if (_connection is null) return;
        await _connection.DisposeAsync().ConfigureAwait(false);
        _connection = null;
    }

    [LoggerMessage(EventId = LogEvents.PostgresWriterCollision, Level = LogLevel.Debug, Message = "Another host's transaction was in the way; attempt {Attempt} is repeated")]
    private partial void LogCollision(int attempt);
}
