using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Common;
using ChannelBridge.Storage.Sqlite.Native;
using ChannelBridge.Storage.Sqlite.Reading;
using ChannelBridge.Storage.Sqlite.Writing;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Storage.Sqlite;

/// <summary>
/// The store of a single host: one SQLite file with a write-ahead log, flushed before a commit is acknowledged. One thread writes and
/// commits what has queued up as a group; reads use connections of their own.
/// </summary>
/// <remarks>
/// A commit's token is heeded while the commit is queued; once the writer has taken it, it runs to its end, because payloads are not copied.
/// A failed write fails its own commit only; the store tries again with the next one and recovers by itself when the cause is gone.
/// </remarks>
internal sealed partial class SqliteStore : IStore
{
    private readonly SqliteStoreOptions _options;
    private readonly ILogger<SqliteStore> _logger;
    private readonly TimeProvider _time;
    private readonly string _path;
    private StoreFiles? _files;
    private WriterConnection? _connection;
    private GroupWriter? _writer;
    private ReaderPool? _readers;
    private SpaceGauge? _space;
    private long _forgotten;
    private int _opened;
    private int _disposed;

    /// <summary>Creates a store that is opened by <see cref="OpenAsync"/>.</summary>
    /// <param name="options">Its settings; not to be changed afterwards.</param>
    /// <param name="logger">Gets what an operator should know; never payloads.</param>
    /// <param name="time">The clock by which records expire.</param>
    public SqliteStore(SqliteStoreOptions options, ILogger<SqliteStore> logger, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(logger);
        ArgumentNullException.ThrowIfNull(time);
        options.Validate();
        _options = options;
        _logger = logger;
        _time = time;
        _path = Path.GetFullPath(options.Path);
    }

    /// <inheritdoc/>
    public string Description => _writer is null ? $"SQLite, {_path}" : $"SQLite {SqliteLibrary.Version}, {_path} (write-ahead log, flushed at each commit)";

    /// <inheritdoc/>
    public StoreHealth Health => _writer is not { } writer ? default : new StoreHealth(
        writer.QueueLength, _options.QueueCapacity, writer.Failures.LastCommitAt, writer.Failures.Failing, writer.Failures.FailingSince);

    /// <inheritdoc/>
    public Guid StoreId { get; private set; }

    /// <inheritdoc/>
    public ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _opened, 1) != 0) throw new InvalidOperationException("The store has been opened already.");

        // Opening may replay a log and migrate: file work that takes its time, so not on the caller's thread.
        return new ValueTask(Task.Run(Open, cancellationToken));
    }

    /// <inheritdoc/>
    public async ValueTask ProbeAsync(CancellationToken cancellationToken)
    {
        await CommitAsync(new ProbeWrite { At = Now(), Bytes = Writer().Failures.ProbeBytes }, cancellationToken).ConfigureAwait(false);
        await Readers().ReadAsync(static (r, _) => r.GetRecord("", "", 0), 0, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask<StoreSpace> MeasureAsync(CancellationToken cancellationToken = default)
    {
        var readers = Readers();
        return new ValueTask<StoreSpace>(Task.Run(
            async () =>
            {
                var space = await readers.ReadAsync(static (r, now) => r.Measure(now), Now(), cancellationToken).ConfigureAwait(false);
                return space with { LogBytes = StoreFiles.SizeOf(_path + "-wal"), DiskFreeBytes = StoreFiles.FreeOn(_path) };
            },
            cancellationToken));
    }

    /// <inheritdoc/>
    public ValueTask CommitAsync(StoreWrite write, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(write);
        return Writer().Enqueue(write, null, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask CommitAsync(IReadOnlyList<StoreWrite> batch, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return batch.Count == 0 ? ValueTask.CompletedTask : Writer().Enqueue(null, batch, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<PendingLane>> ListTurnLanesAsync(long after, int limit, CancellationToken cancellationToken = default) =>
        Readers().ReadAsync(static (r, s) => r.ListTurnLanes(s.after, s.limit), (after, limit), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<PendingLane>> ListPushLanesAsync(
        string channel, string account, long after, int limit, CancellationToken cancellationToken = default) =>
        Readers().ReadAsync(
            static (r, s) => r.ListPushLanes(s.channel, s.account, s.after, s.limit), (channel, account, after, limit), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<InboxEntry>> ReadInboxAsync(
        long lane, long after, int limit, int maxBytes, CancellationToken cancellationToken = default) =>
        Readers().ReadAsync(static (r, s) => r.ReadInbox(s.lane, s.after, s.limit, s.maxBytes), (lane, after, limit, maxBytes), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<OutboxEntry>> ReadOutboxAsync(
        long lane, long after, int limit, int maxBytes, CancellationToken cancellationToken = default) =>
        Readers().ReadAsync(static (r, s) => r.ReadOutbox(s.lane, s.after, s.limit, s.maxBytes), (lane, after, limit, maxBytes), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<InboxEntry>> ListDeadInboxAsync(
        (long EndedAt, Guid Id)? after, int limit, bool headersOnly, CancellationToken cancellationToken = default) =>
        Readers().ReadAsync(static (r, s) => r.ListDeadInbox(s.after, s.limit, s.headersOnly), (after, limit, headersOnly), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<InboxEntry?> GetInboxAsync(Guid id, CancellationToken cancellationToken = default) =>
        Readers().ReadAsync(static (r, s) => r.GetInbox(s), id, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<OutboxEntry?> GetOutboxAsync(Guid id, CancellationToken cancellationToken = default) =>
        Readers().ReadAsync(static (r, s) => r.GetOutbox(s), id, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<OutboxEntry>> QueryOutboxAsync(OutboxQuery query, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(query);
        if (query.Limit is < 1 or > 1000) throw BridgeException.Invalid("limit must be 1 to 1000.");
        return Readers().ReadAsync(static (r, s) => r.QueryOutbox(s), query, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<AccountCounts>> CountAsync(CancellationToken cancellationToken = default) =>
        Readers().ReadAsync(static (r, _) => r.Count(), 0, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<StoreRecord?> GetRecordAsync(string ns, string key, CancellationToken cancellationToken = default) =>
        Readers().ReadAsync(static (r, s) => r.GetRecord(s.ns, s.key, s.now), (ns, key, now: Now()), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<StoreRecord>> ListRecordsAsync(
        string ns, string? index, string? after, int limit, CancellationToken cancellationToken = default) =>
        Readers().ReadAsync(
            static (r, s) => r.ListRecords(s.ns, s.index, s.after, s.limit, s.now), (ns, index, after, limit, now: Now()), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<SequenceEntry>> ReadSequenceAsync(
        string sequence, long after, int limit, CancellationToken cancellationToken = default) =>
        Readers().ReadAsync(
            static (r, s) => r.ReadSequence(s.sequence, s.after, s.limit, s.now), (sequence, after, limit, now: Now()), cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<long> SweepAsync(SweepLimits limits, CancellationToken cancellationToken = default)
    {
        using var activity = Telemetry.Source.StartActivity("store.sweep");
        var removed = await SweepRowsAsync(SweepKind.Inbox, limits, cancellationToken).ConfigureAwait(false);
        _forgotten += removed;
        removed += await SweepRowsAsync(SweepKind.Outbox, limits, cancellationToken).ConfigureAwait(false);
        foreach (var kind in (SweepKind[])[SweepKind.Records, SweepKind.Logs])
        {
            SweepWrite step;
            do
            {
                step = new SweepWrite { Kind = kind, Limits = limits };
                await Writer().EnqueueUpkeepAsync(step, cancellationToken).ConfigureAwait(false);
                removed += step.Removed;
            }
            while (step.Removed == SweepWrite.MaxRows);
        }

        if (_forgotten >= _options.RecentKeys)
        {
            await SweepKeysAsync(limits, cancellationToken).ConfigureAwait(false);
            _forgotten = 0;
        }

        return removed;
    }

    /// <summary>Finishes what is queued, empties the log into the file, closes, and releases the lock. Later calls fail.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        _space?.Dispose();
        if (_writer is not null) await _writer.DisposeAsync().ConfigureAwait(false);
        if (_readers is not null) await _readers.CloseAsync().ConfigureAwait(false);
        _connection?.Dispose();
        _files?.Dispose();
    }

    private void Open()
    {
        using var activity = Telemetry.Source.StartActivity("store.open");
        StoreFiles? files = null;
        WriterConnection? connection = null;
        try
        {
            SqliteLibrary.EnsureLoaded(_options.Engine);
            files = StoreFiles.Lock(_path);
            files.Prepare();
            connection = new WriterConnection(_options, _path, _logger);
            StoreId = connection.Open();
            _readers = new ReaderPool(() => new SqliteReader(_path, _options.BusyTimeout), _options.Readers);
            _writer = new GroupWriter(_options, connection, _time, _logger);
            _connection = connection;
            _files = files;
            _space = new SpaceGauge(this, _time);
            LogOpened(_path, SqliteLibrary.Version, SqliteLibrary.Loaded == SqliteEngine.Package ? "package" : "system");
            if (SqliteLibrary.HasLogFault) LogFaultyEngine(SqliteLibrary.Version);
        }
        catch (Exception e)
        {
            connection?.Dispose();
            files?.Dispose();
            _opened = 0;
            if (e is BridgeException) throw;
            var error = StoreErrors.Map(e);
            throw new BridgeException(error.Code, $"The store {_path} can't be opened: {error.Message}", e)
            {
                Retryable = error.Retryable,
                RetryAfter = error.RetryAfter,
            };
        }
    }

    // A reader finds the rows, so that the writer is never held up by a search.
    private async ValueTask<long> SweepRowsAsync(SweepKind kind, SweepLimits limits, CancellationToken cancellationToken)
    {
        var removed = 0L;
        var cursor = (Time: long.MinValue, Row: 0L);
        while (true)
        {
            var (rows, next) = await Readers().ReadAsync(
                static (r, s) =>
                {
                    var (time, row) = s.cursor;
                    var found = r.FindSweepable(s.kind, s.limits, ref time, ref row);
                    return (found, (time, row));
                },
                (kind, limits, cursor),
                cancellationToken).ConfigureAwait(false);
            if (rows.Count == 0) return removed;
            cursor = next;
            var step = new SweepWrite { Kind = kind, Limits = limits, Rows = rows };
            await Writer().EnqueueUpkeepAsync(step, cancellationToken).ConfigureAwait(false);
            removed += step.Removed;
            if (rows.Count < SweepWrite.MaxRows || step.Removed == 0) return removed;
        }
    }

    // Keys whose row is gone do no harm, they only take space. A part of them goes as a whole, once the time of all in it is up; the newest stays,
    // because keys still come to it.
    private async ValueTask SweepKeysAsync(SweepLimits limits, CancellationToken cancellationToken)
    {
        var part = await KeyPartAsync(-1).ConfigureAwait(false);
        while (part is { } current)
        {
            var next = await KeyPartAsync(current.Part).ConfigureAwait(false);
            if (next is not null && current.Over)
            {
                SweepWrite step;
                do
                {
                    step = new SweepWrite { Kind = SweepKind.Keys, Limits = limits, Part = current.Part };
                    await Writer().EnqueueUpkeepAsync(step, cancellationToken).ConfigureAwait(false);
                }
                while (step.Removed == SweepWrite.MaxRows);
            }

            part = next;
        }

        ValueTask<(long Part, bool Over)?> KeyPartAsync(long after) =>
            Readers().ReadAsync(static (r, s) => r.FindKeyPart(s.limits, s.after), (limits, after), cancellationToken);
    }

    private GroupWriter Writer() => _writer ?? throw StoreErrors.Closed();

    private ReaderPool Readers() => _readers ?? throw StoreErrors.Closed();

    private long Now() => _time.GetUtcNow().ToUnixTimeMilliseconds();

    [LoggerMessage(EventId = LogEvents.SqliteStoreOpened, Level = LogLevel.Information, Message = "Opened the store {Path} with SQLite {Version} (the {Source}'s)")]
    private partial void LogOpened(string path, string version, string source);

    [LoggerMessage(EventId = LogEvents.SqliteStoreFaultyEngine, Level = LogLevel.Warning,
        Message = "SQLite {Version} has a fault that can damage the store when a commit meets a checkpoint (WAL reset). Mended in 3.51.3, 3.50.7 and 3.44.6: "
            + "use the engine that comes with ChannelBridge (Store:SqliteEngine=package), or update the system's")]
    private partial void LogFaultyEngine(string version);
}
