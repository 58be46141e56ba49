using ChannelBridge.Storage.Common;
using Npgsql;
using NpgsqlTypes;

namespace ChannelBridge.Storage.Postgres.Upkeep;

/// <summary>Tables of a PostgreSQL store as rows of an export, and back.</summary>
internal static class PostgresExchange
{
    // A message's key stands in a table of its own; a tombstone may have outlived it.
    private const string InboxRows =
        """
        SELECT i.uuid, i.lane, i.ordinal, i.state::bigint, i.attempts::bigint, i.next_attempt_at, i.accepted_at, i.ended_at, i.dedupe_until, k.key, i.error, i.payload
        FROM inbox i LEFT JOIN inbox_key k ON k.id = i.uuid ORDER BY i.accepted_at, i.uuid
        """;

    /// <summary>Writes a table's rows.</summary>
    public static async Task ExportAsync(NpgsqlConnection connection, ExchangeTable table, ExchangeWriter writer, CancellationToken cancellationToken)
    {
        var order = table.Name switch
        {
            "outbox" => "accepted_at, uuid",
            "log_entry" => "log, number",
            _ => table.Order,
        };
        var columns = string.Join(", ", table.Columns.Select(column => column.Kind == ExchangeKind.Number ? $"{Cast(table, column.Name)}::bigint" : column.Name));
        using var command = new NpgsqlCommand(table.Name == ExchangeFormat.Inbox ? InboxRows : $"SELECT {columns} FROM {table.Name} ORDER BY {order}", connection);
        var rows = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await using (rows.ConfigureAwait(false))
        {
            var values = new object?[table.Columns.Count];
            while (await rows.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                for (var i = 0; i < values.Length; i++) values[i] = rows.IsDBNull(i) ? null : rows.GetValue(i);
                writer.Row(table, values);
            }
        }
    }

    /// <summary>Fills the tables, inside the caller's transaction.</summary>
    public static async Task ImportAsync(NpgsqlConnection connection, ExchangeReader reader, CancellationToken cancellationToken)
    {
        await ExecuteAsync(connection, "CREATE TEMP TABLE inbox_import (LIKE inbox) ON COMMIT DROP; ALTER TABLE inbox_import ADD COLUMN dedupe uuid",
            cancellationToken).ConfigureAwait(false);
        NpgsqlBinaryImporter? copy = null;
        ExchangeTable? current = null;
        try
        {
            foreach (var (table, values) in reader.Rows())
            {
                if (table != current)
                {
                    await CompleteAsync(copy, cancellationToken).ConfigureAwait(false);
                    current = table;
                    var target = table.Name == ExchangeFormat.Inbox ? "inbox_import" : table.Name;
                    copy = await connection.BeginBinaryImportAsync($"COPY {target}({table.ColumnList}) FROM STDIN (FORMAT BINARY)", cancellationToken).ConfigureAwait(false);
                }

                await copy!.StartRowAsync(cancellationToken).ConfigureAwait(false);
                for (var i = 0; i < values.Length; i++) await WriteAsync(copy, table, i, values[i], cancellationToken).ConfigureAwait(false);
            }

            await CompleteAsync(copy, cancellationToken).ConfigureAwait(false);
            copy = null;
        }
        finally
        {
            // What wasn't completed is undone by this.
            if (copy is not null) await copy.DisposeAsync().ConfigureAwait(false);
        }

        // Of two messages with one key the later one has it.
        await ExecuteAsync(
            connection,
            """
            INSERT INTO inbox_key(key, id, accepted_at, until)
                SELECT DISTINCT ON (dedupe) dedupe, uuid, accepted_at, dedupe_until FROM inbox_import WHERE dedupe IS NOT NULL ORDER BY dedupe, accepted_at DESC, uuid DESC;
            ALTER TABLE inbox_import DROP COLUMN dedupe;
            INSERT INTO inbox SELECT * FROM inbox_import;
            SELECT setval(pg_get_serial_sequence('account', 'id'), greatest(max(id), 1)) FROM account;
            SELECT setval(pg_get_serial_sequence('lane', 'id'), greatest(max(id), 1)) FROM lane;
            SELECT setval(pg_get_serial_sequence('log', 'id'), greatest(max(id), 1)) FROM log;
            """,
            cancellationToken).ConfigureAwait(false);
        await ExecuteAsync(connection, $"UPDATE meta SET value = '{reader.StoreId:D}' WHERE key = 'store_id'", cancellationToken).ConfigureAwait(false);
    }

    private static string Cast(ExchangeTable table, string column) => table.Name == "outbox" && column == "settled" ? "settled::int" : column;

    private static Task WriteAsync(NpgsqlBinaryImporter copy, ExchangeTable table, int index, object? value, CancellationToken cancellationToken)
    {
        var name = table.Columns[index].Name;
        return value switch
        {
            null => copy.WriteNullAsync(cancellationToken),
            string text => copy.WriteAsync(text, NpgsqlDbType.Text, cancellationToken),
            Guid id => copy.WriteAsync(id, NpgsqlDbType.Uuid, cancellationToken),
            byte[] bytes => copy.WriteAsync(bytes, NpgsqlDbType.Bytea, cancellationToken),
            long number when name == "settled" => copy.WriteAsync(number != 0, NpgsqlDbType.Boolean, cancellationToken),
            long number when name == "state" => copy.WriteAsync(checked((short)number), NpgsqlDbType.Smallint, cancellationToken),
            long number when name == "attempts" || name == "account" || (table.Name == "account" && name == "id") =>
                copy.WriteAsync(checked((int)number), NpgsqlDbType.Integer, cancellationToken),
            long number => copy.WriteAsync(number, NpgsqlDbType.Bigint, cancellationToken),
            _ => throw new ArgumentException($"{value.GetType().Name} is no value of an export.", nameof(value)),
        };
    }

    private static async Task CompleteAsync(NpgsqlBinaryImporter? copy, CancellationToken cancellationToken)
    {
        if (copy is null) return;
        await copy.CompleteAsync(cancellationToken).ConfigureAwait(false);
        await copy.DisposeAsync().ConfigureAwait(false);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }
}
