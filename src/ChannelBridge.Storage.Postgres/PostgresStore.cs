using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Common;
using ChannelBridge.Storage.Postgres.Reading;
using ChannelBridge.Storage.Postgres.Writing;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace ChannelBridge.Storage.Postgres;

/// <summary>
/// The store of several hosts: a PostgreSQL database. Each host commits what has queued up as one batch, in one round trip and one transaction; reads
/// use connections of their own. Only plain features are used, so a managed or replicated PostgreSQL (15 or newer) serves as it is.
/// </summary>
/// <remarks>
/// A commit's token is heeded while the commit is queued; once it is on its way it runs to its end, because payloads are not copied. When the
/// connection is lost under a commit, its outcome isn't known: the error says so, and a repeat under the same id is a duplicate if it was kept.
/// </remarks>
internal sealed partial class PostgresStore : IStore
{
    private const int OldestVersion = 15;

    private readonly PostgresStoreOptions _options;
    private readonly ILogger<PostgresStore> _logger;
    private readonly TimeProvider _time;
    private readonly string _place;
    private PostgresConnections? _connections;
    private PostgresWriter? _writer;
    private PostgresReader? _reader;
    private SpaceGauge? _space;
    private string _version = "";
    private int _disposed;

    /// <summary>Creates a store that is opened by <see cref="OpenAsync"/>.</summary>
    /// <param name="options">Its settings; not to be changed afterwards.</param>
    /// <param name="logger">Gets what an operator should know; never payloads or passwords.</param>
    /// <param name="time">The clock by which records expire.</param>
    public PostgresStore(PostgresStoreOptions options, ILogger<PostgresStore> logger, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(logger);
        ArgumentNullException.ThrowIfNull(time);
        options.Validate();
        _options = options;
        _logger = logger;
        _time = time;
        var place = new NpgsqlConnectionStringBuilder(options.ConnectionString);
        _place = $"{place.Host}:{place.Port}/{place.Database ?? place.Username}, schema {options.Schema}";
    }

    /// <inheritdoc/>
    public string Description => $"PostgreSQL {_version}{(_version.Length > 0 ? ", " : "")}{_place}";

    /// <inheritdoc/>
    public StoreHealth Health => _writer is not { } writer ? default : new StoreHealth(
        writer.QueueLength, _options.QueueCapacity, writer.Failures.LastCommitAt, writer.Failures.Failing, writer.Failures.FailingSince);

    /// <inheritdoc/>
    public Guid StoreId { get; private set; }

    /// <inheritdoc/>
    public async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        if (_connections is not null) throw new InvalidOperationException("The store has been opened already.");
        using var activity = Telemetry.Source.StartActivity("store.open");
        var connections = new PostgresConnections(_options);
        try
        {
            await connections.ReserveAsync(cancellationToken).ConfigureAwait(false);
            var connection = await connections.Writer.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
            await using (connection.ConfigureAwait(false))
            {
                if (connection.PostgreSqlVersion.Major < OldestVersion)
                {
                    throw new BridgeException(
                        ErrorCodes.StoreUnavailable, $"PostgreSQL {connection.PostgreSqlVersion} is too old: {OldestVersion} or newer is needed.");
                }

                _version = connection.PostgreSqlVersion.ToString();
                StoreId = await PostgresSchema.MigrateAsync(connection, _options.Schema, cancellationToken).ConfigureAwait(false);
            }

            _reader = new PostgresReader(connections.Readers);
            _writer = new PostgresWriter(_options, connections.Writer, _time, _logger);
            _connections = connections;
            _space = new SpaceGauge(this, _time);
            LogOpened(_place, _version);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            await connections.DisposeAsync().ConfigureAwait(false);
            if (e is BridgeException) throw;
            var error = PostgresErrors.Map(e);
            throw new BridgeException(error.Code, $"The store {_place} can't be opened: {e.Message}", e) { Retryable = error.Retryable, RetryAfter = error.RetryAfter };
        }
    }

    /// <inheritdoc/>
    public async ValueTask ProbeAsync(CancellationToken cancellationToken)
    {
        await CommitAsync(new ProbeWrite { At = Now(), Bytes = Writer().Failures.ProbeBytes }, cancellationToken).ConfigureAwait(false);
        await GetRecordAsync("", "", cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask<StoreSpace> MeasureAsync(CancellationToken cancellationToken = default) => Reader().MeasureAsync(_options.Schema, Now(), cancellationToken);

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
    public async ValueTask<IReadOnlyList<PendingLane>> ListTurnLanesAsync(long after, int limit, CancellationToken cancellationToken = default) =>
        await Reader().ListTurnLanesAsync(after, limit, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<PendingLane>> ListPushLanesAsync(
        string channel, string account, long after, int limit, CancellationToken cancellationToken = default) =>
        await Reader().ListPushLanesAsync(channel, account, after, limit, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<InboxEntry>> ReadInboxAsync(
        long lane, long after, int limit, int maxBytes, CancellationToken cancellationToken = default) =>
        await Reader().ReadInboxAsync(lane, after, limit, maxBytes, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<OutboxEntry>> ReadOutboxAsync(
        long lane, long after, int limit, int maxBytes, CancellationToken cancellationToken = default) =>
        await Reader().ReadOutboxAsync(lane, after, limit, maxBytes, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<InboxEntry>> ListDeadInboxAsync(
        (long EndedAt, Guid Id)? after, int limit, bool headersOnly, CancellationToken cancellationToken = default) =>
        await Reader().ListDeadInboxAsync(after, limit, headersOnly, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public ValueTask<InboxEntry?> GetInboxAsync(Guid id, CancellationToken cancellationToken = default) => Reader().GetInboxAsync(id, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<OutboxEntry?> GetOutboxAsync(Guid id, CancellationToken cancellationToken = default) => Reader().GetOutboxAsync(id, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<OutboxEntry>> QueryOutboxAsync(OutboxQuery query, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(query);
        if (query.Limit is < 1 or > 1000) throw BridgeException.Invalid("limit must be 1 to 1000.");
        return await Reader().QueryOutboxAsync(query, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<AccountCounts>> CountAsync(CancellationToken cancellationToken = default) =>
        await Reader().CountAsync(cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<StoreRecord?> GetRecordAsync(string ns, string key, CancellationToken cancellationToken = default) =>
        (await Reader().ListRecordsAsync(ns, key, null, null, 1, Now(), cancellationToken).ConfigureAwait(false)).FirstOrDefault();

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<StoreRecord>> ListRecordsAsync(
        string ns, string? index, string? after, int limit, CancellationToken cancellationToken = default) =>
        await Reader().ListRecordsAsync(ns, null, index, after, limit, Now(), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<SequenceEntry>> ReadSequenceAsync(
        string sequence, long after, int limit, CancellationToken cancellationToken = default) =>
        await Reader().ReadSequenceAsync(sequence, after, limit, Now(), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask<long> SweepAsync(SweepLimits limits, CancellationToken cancellationToken = default)
    {
        using var activity = Telemetry.Source.StartActivity("store.sweep");
        return await PostgresSweep.RunAsync(Reader(), limits, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Finishes what is queued and closes the connections. Later calls fail.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        _reader = null;
        _space?.Dispose();
        if (_writer is not null) await _writer.DisposeAsync().ConfigureAwait(false);
        if (_connections is not null) await _connections.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>The open store's connections.</summary>
    internal PostgresConnections Connections => _connections ?? throw PostgresErrors.Closed();

    private PostgresWriter Writer() => _writer ?? throw PostgresErrors.Closed();

    private PostgresReader Reader() => _reader ?? throw PostgresErrors.Closed();

    private long Now() => _time.GetUtcNow().ToUnixTimeMilliseconds();

    [LoggerMessage(EventId = LogEvents.PostgresStoreOpened, Level = LogLevel.Information, Message = "Opened the store {Place} on PostgreSQL {Version}")]
    private partial void LogOpened(string place, string version);
}
