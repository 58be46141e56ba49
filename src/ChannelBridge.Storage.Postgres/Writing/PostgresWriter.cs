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
    /// <summary>The table that test writes fill, of the writer's connection alone.</summary>
    public const string ProbeTable = "pg_temp.channelbridge_probe";

    private const int Collisions = 5;
    private static readonly TimeSpan BusyDelay = TimeSpan.FromMilliseconds(50);

    private readonly PostgresStoreOptions _options;
    private readonly NpgsqlDataSource _source;
    private readonly ILogger _logger;
    private readonly Channel<CommitUnit> _queue;
    private readonly LaneIds _lanes;
    private readonly Task _running;
    private NpgsqlConnection? _connection;
    private bool _probeTable;
    private bool _allocates;
    private volatile bool _closing;
    private readonly CommitFailures _failures;

    public PostgresWriter(PostgresStoreOptions options, NpgsqlDataSource source, TimeProvider time, ILogger logger)
    {
        _options = options;
        _source = source;
        _logger = logger;
        _failures = new CommitFailures(PostgresErrors.Map, time, logger);
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

    /// <summary>Whether commits succeed, and since when not.</summary>
    public CommitFailures Failures => _failures;

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
            var probed = ProbeWrite.Only(group);
            foreach (var unit in group) unit.Complete();
            _failures.Succeeded(probed);
            return;
        }

        // One unit may be at fault: the others needn't suffer. After a lost connection the outcome isn't known, so all are told.
        if (group.Count > 1 && PostgresErrors.IsOfOneWrite(failure))
        {
            foreach (var unit in group)
            {
                List<CommitUnit> alone = [unit];
                if (await TryCommitAsync(alone).ConfigureAwait(false) is { } own)
                {
                    _failures.Fail(unit, own);
                }
                else
                {
                    _failures.Succeeded(ProbeWrite.Only(alone));
                    unit.Complete();
                }
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
                await PrepareProbeAsync(connection, units).ConfigureAwait(false);
                var plan = GroupPlan.Make(units);
                await _lanes.LoadAsync(plan.Stages, connection, CancellationToken.None).ConfigureAwait(false);
                await new GroupCommand(plan, _lanes, _allocates).RunAsync(connection, CancellationToken.None).ConfigureAwait(false);
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

    // What a test write fills is a table of this connection that each commit empties: its pages are taken from the disk anew each time, nobody else's
    // locks are in the way, and no catalog grows. Where the user may make no such table the test write is a small one.
    private async ValueTask PrepareProbeAsync(NpgsqlConnection connection, List<CommitUnit> units)
    {
        if (_probeTable || !units.Exists(unit => unit.Single is ProbeWrite)) return;
        using var allowed = new NpgsqlCommand("SELECT has_database_privilege(current_database(), 'TEMP')", connection);
        if (await allowed.ExecuteScalarAsync().ConfigureAwait(false) is true)
        {
            // Not where the server puts others' temporary tables: the disk of the database is in question.
            using var make = new NpgsqlCommand(
                $"SET temp_tablespaces = ''; CREATE TEMP TABLE IF NOT EXISTS {ProbeTable}(filler text) ON COMMIT DELETE ROWS", connection);
            await make.ExecuteNonQueryAsync().ConfigureAwait(false);
            _allocates = true;
        }

        _probeTable = true;
    }

    private async ValueTask<NpgsqlConnection> ConnectAsync()
    {
        if (_connection is { State: ConnectionState.Open } open) return open;
        await GiveUpAsync().ConfigureAwait(false);
        return _connection = await _source.OpenConnectionAsync().ConfigureAwait(false);
    }

    private async ValueTask GiveUpAsync()
    {
        _probeTable = _allocates = false;
        if (_connection is null) return;
        await _connection.DisposeAsync().ConfigureAwait(false);
        _connection = null;
    }

    [LoggerMessage(EventId = LogEvents.PostgresWriterCollision, Level = LogLevel.Debug, Message = "Another host's transaction was in the way; attempt {Attempt} is repeated")]
    private partial void LogCollision(int attempt);
}
