using System.Data;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Storage.Common;
using Npgsql;

namespace ChannelBridge.Storage.Postgres.Upkeep;

/// <summary>What an operator does with a store's tables beside running hosts, or without. Copies for safety are the server's: pg_dump, or its log's archive.</summary>
internal static class PostgresUpkeep
{
    private static readonly string[] Tables = ["account", "lane", "inbox", "inbox_key", "outbox", "record", "sequence", "log", "log_entry", "host", "meta"];

    /// <summary>Looks for damage: reads every row, and what must fit together; indexes, where the server has <c>amcheck</c>.</summary>
    /// <param name="options">The store.</param>
    /// <param name="quick">Leave out what takes longest: whether each index has its rows.</param>
    /// <param name="note">Hears what couldn't be looked at, and why.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>What is wrong, each a sentence; empty when nothing was found.</returns>
    public static Task<IReadOnlyList<string>> CheckAsync(PostgresStoreOptions options, bool quick, Action<string> note, CancellationToken cancellationToken) =>
        RunAsync<IReadOnlyList<string>>(options, async connection =>
        {
            await RequireStoreAsync(connection, options, cancellationToken).ConfigureAwait(false);
            var problems = new List<string>();
            foreach (var (table, bytes) in new[] { ("inbox", "payload"), ("outbox", "payload"), ("outbox", "history"), ("record", "value"), ("log_entry", "value") })
            {
                try
                {
                    // Reading a value is what finds it damaged; the server's own checksums, where they are on, find the rest.
                    await NumberAsync(connection, $"SELECT coalesce(sum(length(sha256({bytes}))), 0)::bigint FROM {table} WHERE {bytes} IS NOT NULL",
                        cancellationToken).ConfigureAwait(false);
                }
                catch (PostgresException e) when (e.SqlState.StartsWith("XX", StringComparison.Ordinal) || e.SqlState.StartsWith("58", StringComparison.Ordinal))
                {
                    problems.Add($"the table {table} can't be read: {e.MessageText}");
                }
            }

            foreach (var (what, sql) in Rules())
            {
                if (await NumberAsync(connection, sql, cancellationToken).ConfigureAwait(false) is > 0 and var count) problems.Add($"{count} {what}");
            }

            if (!quick) await CheckIndexesAsync(connection, options.Schema, problems, note, cancellationToken).ConfigureAwait(false);
            return problems;
        });

    /// <summary>Has the server take back what is free in the tables, beside running hosts.</summary>
    /// <returns>Their size before and afterwards.</returns>
    public static Task<(long Before, long After)> CompactAsync(PostgresStoreOptions options, IProgress<(long Done, long Total)>? progress, CancellationToken cancellationToken) =>
        RunAsync(options, async connection =>
        {
            await RequireStoreAsync(connection, options, cancellationToken).ConfigureAwait(false);
            var before = await SizeAsync(connection, options.Schema, cancellationToken).ConfigureAwait(false);
            for (var i = 0; i < Tables.Length; i++)
            {
                progress?.Report((i, Tables.Length));
                await ExecuteAsync(connection, $"VACUUM (ANALYZE) {options.Schema}.{Tables[i]}", cancellationToken).ConfigureAwait(false);
            }

            return (before, await SizeAsync(connection, options.Schema, cancellationToken).ConfigureAwait(false));
        });

    /// <summary>Writes everything as text that any engine can import, as it is at one moment; hosts may run meanwhile.</summary>
    public static Task ExportAsync(PostgresStoreOptions options, Stream output, IProgress<long>? progress, long now, CancellationToken cancellationToken) =>
        RunAsync(options, async connection =>
        {
            await RequireStoreAsync(connection, options, cancellationToken).ConfigureAwait(false);
            var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                using var writer = new ExchangeWriter(output, progress);
                var id = await ScalarAsync(connection, "SELECT value FROM meta WHERE key = 'store_id'", cancellationToken).ConfigureAwait(false);
                writer.Begin(Guid.Parse((string)id!), "postgres", now);
                foreach (var table in ExchangeFormat.Tables) await PostgresExchange.ExportAsync(connection, table, writer, cancellationToken).ConfigureAwait(false);
                writer.End();
            }

            return 0;
        });

    /// <summary>Fills an empty schema from an export, under the exported store's id: all of it or nothing. No host may use it meanwhile.</summary>
    public static async Task ImportAsync(PostgresStoreOptions options, Stream input, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        using var reader = new ExchangeReader(input, progress);
        await RunAsync(options, async connection =>
        {
            await PostgresSchema.MigrateAsync(connection, options.Schema, cancellationToken).ConfigureAwait(false);
            var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                foreach (var table in Tables.Except(["meta", "host"]))
                {
                    await ExecuteAsync(connection, $"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE", cancellationToken).ConfigureAwait(false);
                    if (await ScalarAsync(connection, $"SELECT 1 FROM {table} LIMIT 1", cancellationToken).ConfigureAwait(false) is null) continue;
                    throw new BridgeException(
                        ErrorCodes.Conflict,
                        $"The schema {options.Schema} holds a store already ({table} isn't empty); nothing was imported. Name another one with Store:Schema, or drop it.");
                }

                if (await NumberAsync(connection, "SELECT count(*) FROM host WHERE expires_at > clock_timestamp()", cancellationToken).ConfigureAwait(false) > 0)
                    throw new BridgeException(ErrorCodes.Conflict, $"A host uses the schema {options.Schema}; stop it first. Nothing was imported.");
                await PostgresExchange.ImportAsync(connection, reader, cancellationToken).ConfigureAwait(false);
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
            }

            foreach (var table in Tables) await ExecuteAsync(connection, $"ANALYZE {table}", cancellationToken).ConfigureAwait(false);
            return 0;
        }).ConfigureAwait(false);
    }

    private static IEnumerable<(string What, string Sql)> Rules() =>
    [
        ("messages of conversations that don't exist", "SELECT count(*) FROM inbox i LEFT JOIN lane l ON l.id = i.lane WHERE l.id IS NULL"),
        ("replies of conversations that don't exist", "SELECT count(*) FROM outbox o LEFT JOIN lane l ON l.id = o.lane WHERE l.id IS NULL"),
        ("conversations of accounts that don't exist", "SELECT count(*) FROM lane l LEFT JOIN account a ON a.id = l.account WHERE a.id IS NULL"),
        ("values of logs that don't exist", "SELECT count(*) FROM log_entry e LEFT JOIN log l ON l.id = e.log WHERE l.id IS NULL"),
        (
            "conversations whose numbers would be given out twice",
            """
            SELECT count(*) FROM lane l LEFT JOIN (SELECT lane, max(ordinal) AS most FROM inbox GROUP BY lane) i ON i.lane = l.id
                LEFT JOIN (SELECT lane, max(seq) AS most FROM outbox GROUP BY lane) o ON o.lane = l.id
            WHERE i.most > l.last_in OR o.most > l.last_out
            """),
        ("pages that failed the server's checksum since its statistics began", "SELECT coalesce(checksum_failures, 0) FROM pg_stat_database WHERE datname = current_database()"),
    ];

    private static async Task CheckIndexesAsync(NpgsqlConnection connection, string schema, List<string> problems, Action<string> note, CancellationToken cancellationToken)
    {
        if (await ScalarAsync(connection, "SELECT 1 FROM pg_extension WHERE extname = 'amcheck'", cancellationToken).ConfigureAwait(false) is null)
        {
            note("indexes weren't checked: the extension amcheck isn't installed in the database (CREATE EXTENSION amcheck)");
            return;
        }

        foreach (var table in Tables)
        {
            try
            {
                await ExecuteAsync(
                    connection,
                    $"SELECT bt_index_check(i.indexrelid, true) FROM pg_index i WHERE i.indrelid = '{schema}.{table}'::regclass AND i.indisvalid",
                    cancellationToken).ConfigureAwait(false);
            }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.InsufficientPrivilege or PostgresErrorCodes.UndefinedFunction)
            {
                note($"indexes weren't checked: {e.MessageText}");
                return;
            }
            catch (PostgresException e) when (e.SqlState.StartsWith("XX", StringComparison.Ordinal))
            {
                problems.Add($"an index of {table} is damaged: {e.MessageText}");
            }
        }
    }

    private static async Task RequireStoreAsync(NpgsqlConnection connection, PostgresStoreOptions options, CancellationToken cancellationToken)
    {
        if (await ScalarAsync(connection, $"SELECT to_regclass('{options.Schema}.meta')::text", cancellationToken).ConfigureAwait(false) is null)
            throw new BridgeException(ErrorCodes.NotFound, $"There is no store in the schema {options.Schema} of this database.");
        // Brings an older one up to date, and refuses a newer one or another program's.
        await PostgresSchema.MigrateAsync(connection, options.Schema, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<T> RunAsync<T>(PostgresStoreOptions options, Func<NpgsqlConnection, Task<T>> work)
    {
        try
        {
            // The planner may do as it likes here, unlike on a host's connections: these are statements over everything. And they take their time.
            var settings = new NpgsqlConnectionStringBuilder(options.ConnectionString) { Pooling = false, CommandTimeout = 0, SearchPath = $"{options.Schema},public" };
            settings.ApplicationName ??= "channelbridge store";
            var connection = new NpgsqlConnection(settings.ConnectionString);
            await using (connection.ConfigureAwait(false))
            {
                await connection.OpenAsync().ConfigureAwait(false);
                return await work(connection).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is NpgsqlException or System.Net.Sockets.SocketException)
        {
            var error = PostgresErrors.Map(e);
            throw new BridgeException(error.Code, $"{error.Message} ({(e as PostgresException)?.MessageText ?? e.Message})", e);
        }
    }

    private static async Task<long> SizeAsync(NpgsqlConnection connection, string schema, CancellationToken cancellationToken) => await NumberAsync(
        connection,
        $"SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE "
            + $"n.nspname = '{schema}' AND c.relkind = 'r'",
        cancellationToken).ConfigureAwait(false);

    private static async Task<long> NumberAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken) =>
        await ScalarAsync(connection, sql, cancellationToken).ConfigureAwait(false) as long? ?? 0;

    private static async Task<object?> ScalarAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is var value and not DBNull ? value : null;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }
}
