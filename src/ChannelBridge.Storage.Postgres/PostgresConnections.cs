using ChannelBridge.Abstractions.Errors;
using Npgsql;

namespace ChannelBridge.Storage.Postgres;

/// <summary>
/// A host's connections, apart by what they are for, so that none of them waits for another: one for the writer, one that renews the host's own row, one
/// for claims, one that listens, the rest for reads. Each is kept once it is open, of those for reads one.
/// </summary>
internal sealed class PostgresConnections : IAsyncDisposable
{
    /// <summary>How many a host needs to work: writer, renewal, claims, listener, one reader.</summary>
    public const int Needed = 5;

    private const int MaxPooled = 16;
    private const int NotForReads = 3;
    private const int ShortageAttempts = 10;
    private static readonly TimeSpan ShortagePause = TimeSpan.FromMilliseconds(500);

    private readonly PostgresStoreOptions _options;

    public PostgresConnections(PostgresStoreOptions options)
    {
        _options = options;
        var pooled = new NpgsqlConnectionStringBuilder(options.ConnectionString).MaxPoolSize;
        // Npgsql's own default is all that a server takes by its default: a second host would be turned away.
        if (pooled == 100) pooled = MaxPooled;
        Writer = Create(1);
        Renewal = Create(1);
        Claims = Create(1);
        Readers = Create(Math.Max(1, pooled - NotForReads));
    }

    /// <summary>The writer's.</summary>
    public NpgsqlDataSource Writer { get; }

    /// <summary>For the host's own row, whose renewal must not wait behind anything.</summary>
    public NpgsqlDataSource Renewal { get; }

    /// <summary>For taking and giving back claims.</summary>
    public NpgsqlDataSource Claims { get; }

    /// <summary>For reads.</summary>
    public NpgsqlDataSource Readers { get; }

    /// <summary>Gets one of each kind, so that a host that can't have them doesn't start. They stay in their pools; the listener's is opened again by it.</summary>
    /// <exception cref="BridgeException">The server gives too few.</exception>
    public async Task ReserveAsync(CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var held = new List<NpgsqlConnection>(Needed);
            try
            {
                held.Add(await Writer.OpenConnectionAsync(cancellationToken).ConfigureAwait(false));
                held.Add(await Renewal.OpenConnectionAsync(cancellationToken).ConfigureAwait(false));
                held.Add(await Claims.OpenConnectionAsync(cancellationToken).ConfigureAwait(false));
                held.Add(await Readers.OpenConnectionAsync(cancellationToken).ConfigureAwait(false));
                held.Add(await OpenListenerAsync(cancellationToken).ConfigureAwait(false));
                return;
            }
            catch (PostgresException e) when (PostgresErrors.IsShortage(e))
            {
                // The connections of a host that has just ended may still be counted.
                if (attempt == ShortageAttempts)
                {
                    throw new BridgeException(
                        ErrorCodes.StoreUnavailable,
                        $"The database gives this host {held.Count} of the {Needed} connections that it needs (writer, renewal, claims, one reader, listener): {e.MessageText}. "
                        + "Raise the server's max_connections (or the user's or the database's limit), or lower Maximum Pool Size in the connection string of each host.",
                        e)
                    {
                        Retryable = true,
                    };
                }
            }
            finally
            {
                foreach (var connection in held) await connection.DisposeAsync().ConfigureAwait(false);
            }

            await Task.Delay(ShortagePause, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>A connection outside the pools, for the one who listens.</summary>
    public async Task<NpgsqlConnection> OpenListenerAsync(CancellationToken cancellationToken)
    {
        var settings = Settings(new NpgsqlConnectionStringBuilder(_options.ConnectionString));
        settings.Pooling = false;
        var connection = new NpgsqlConnection(settings.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Readers.DisposeAsync().ConfigureAwait(false);
        await Claims.DisposeAsync().ConfigureAwait(false);
        await Renewal.DisposeAsync().ConfigureAwait(false);
        await Writer.DisposeAsync().ConfigureAwait(false);
    }

    private NpgsqlConnectionStringBuilder Settings(NpgsqlConnectionStringBuilder settings)
    {
        settings.ApplicationName ??= "channelbridge";
        settings.CommandTimeout = (int)_options.CommandTimeout.TotalSeconds;
        // A server that swallows what is sent must not hold a reconnect up for longer than a statement.
        settings.Timeout = Math.Min(settings.Timeout, settings.CommandTimeout);
        return settings;
    }

    private NpgsqlDataSource Create(int most)
    {
        var builder = new NpgsqlDataSourceBuilder(_options.ConnectionString);
        var settings = Settings(builder.ConnectionStringBuilder);

        // Statements are few and run all the time. What the initializer sets must survive in the pool, so connections are not reset.
        if (settings.MaxAutoPrepare == 0) settings.MaxAutoPrepare = 64;
        settings.AutoPrepareMinUsages = 2;
        settings.MinPoolSize = 1;
        settings.MaxPoolSize = most;
        settings.NoResetOnClose = true;

        // Every statement here finds its rows by an index. A plan made while a table was small would scan it, and stay when it is large.
        // A server or user set to acknowledge before the flush would make our acknowledgements false; anything stronger than "on" is left alone.
        var setup =
            $"""
            SET search_path = {_options.Schema};
            SET enable_seqscan = off;
            SET enable_hashjoin = off;
            SET enable_mergejoin = off;
            SET enable_material = off;
            SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
            """;
        builder.UsePhysicalConnectionInitializer(
            connection =>
            {
                using var command = new NpgsqlCommand(setup, connection);
                command.ExecuteNonQuery();
            },
            async connection =>
            {
                using var command = new NpgsqlCommand(setup, connection);
                await command.ExecuteNonQueryAsync().ConfigureAwait(false);
            });
        return builder.Build();
    }
}
