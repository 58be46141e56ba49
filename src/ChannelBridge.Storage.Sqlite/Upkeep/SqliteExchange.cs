using System.Security.Cryptography;
using ChannelBridge.Storage.Common;
using ChannelBridge.Storage.Sqlite.Native;

namespace ChannelBridge.Storage.Sqlite.Upkeep;

/// <summary>Tables of a SQLite store as rows of an export, and back.</summary>
internal static class SqliteExchange
{
    /// <summary>Writes a table's rows.</summary>
    public static void Export(SqliteDatabase database, ExchangeTable table, ExchangeWriter writer)
    {
        using var rows = database.PrepareOnce($"SELECT {table.ColumnList} FROM {table.Name} ORDER BY {table.Order}");
        var values = new object?[table.Columns.Count];
        while (rows.Step())
        {
            for (var i = 0; i < values.Length; i++)
            {
                values[i] = table.Columns[i].Kind switch
                {
                    ExchangeKind.Number => rows.GetInt64(i),
                    ExchangeKind.Text => rows.GetTextOrNull(i),
                    ExchangeKind.Id => rows.GetSize(i) == 16 ? rows.GetGuid(i) : null,
                    _ => rows.GetSize(i) == 0 ? null : rows.GetBytes(i).ToArray(),
                };
            }

            writer.Row(table, values);
        }
    }

    /// <summary>Fills an empty file.</summary>
    public static void Import(SqliteDatabase database, ExchangeReader reader)
    {
        database.Execute($"PRAGMA page_size = {SqliteSchema.PageBytes}; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; PRAGMA cache_size = -262144");
        SqliteSchema.Migrate(database, 0);
        database.Execute("BEGIN");
        var inserts = ExchangeFormat.Tables.ToDictionary(
            table => table.Name,
            table => database.Prepare(
                $"INSERT INTO {table.Name}({table.ColumnList}) VALUES({string.Join(", ", Enumerable.Range(1, table.Columns.Count).Select(i => $"?{i}"))})"));
        foreach (var (table, values) in reader.Rows())
        {
            var insert = inserts[table.Name];
            for (var i = 0; i < values.Length; i++)
            {
                switch (values[i])
                {
                    case long number: insert.Bind(i + 1, number); break;
                    case string text: insert.Bind(i + 1, text); break;
                    case Guid id: insert.Bind(i + 1, id); break;
                    case byte[] bytes: insert.Bind(i + 1, bytes); break;
                    // A message whose key was forgotten gets one that nothing has.
                    default:
                        if (table.Columns[i].Name == "dedupe") insert.Bind(i + 1, RandomNumberGenerator.GetBytes(16));
                        else insert.BindNull(i + 1);
                        break;
                }
            }

            insert.Run();
        }

        // The keys and the places of logs follow from the rows. Of two rows with one key the later one has it.
        database.Execute(
            """
            INSERT INTO dedupe_key(part, key, row, until) SELECT 0, dedupe, id, dedupe_until FROM inbox WHERE true ORDER BY dedupe, id
                ON CONFLICT(part, key) DO UPDATE SET row = excluded.row, until = excluded.until;
            INSERT INTO meta(key, value) SELECT 'key_mark', coalesce(max(id), 0) FROM inbox;
            INSERT INTO log_place(log, number, entry) SELECT log, number, id FROM log_entry ORDER BY log, number;
            """);
        using (var id = database.PrepareOnce("UPDATE meta SET value = ?1 WHERE key = 'store_id'")) id.Bind(1, reader.StoreId).Run();
        database.Execute("COMMIT; PRAGMA journal_mode = DELETE");
    }
}
