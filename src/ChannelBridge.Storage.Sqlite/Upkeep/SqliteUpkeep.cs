using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Storage.Common;
using ChannelBridge.Storage.Sqlite.Native;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Storage.Sqlite.Upkeep;

/// <summary>What an operator does with a store's file beside or without a running host. Works on the calling thread, for as long as it takes.</summary>
internal static class SqliteUpkeep
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Looks for damage, in one snapshot; a host may run meanwhile.</summary>
    /// <param name="path">The file.</param>
    /// <param name="quick">Leave out what takes longest: whether each index has its rows.</param>
    /// <returns>What is wrong, each a sentence; empty when nothing was found.</returns>
    /// <exception cref="BridgeException">It can't be looked at: no store, of another program, of a newer version.</exception>
    public static IReadOnlyList<string> Check(string path, bool quick)
    {
        RequireFile(path);
        var problems = new List<string>();
        try
        {
            using var database = SqliteDatabase.Open(path, readOnly: true, Patience);
            database.Execute("BEGIN");
            var found = SqliteSchema.Check(database, path);
            if (found == 0) throw BridgeException.Invalid($"{path} is empty: no host has used it yet.");
            using (var check = database.PrepareOnce(quick ? "PRAGMA quick_check(20)" : "PRAGMA integrity_check(20)"))
            {
                while (check.Step())
                {
                    if (check.GetText(0) is var text && text != "ok") problems.Add($"the file is damaged: {text}");
                }
            }

            CheckContent(database, found, problems);
        }
        catch (SqliteException e) when ((e.Code & 0xFF) is Sqlite3.Corrupt or Sqlite3.NotADatabase)
        {
            problems.Add($"the file is damaged: {e.Message}");
        }
        catch (SqliteException e)
        {
            throw StoreErrors.Map(e);
        }
        catch (BridgeException e) when (e.Code == ErrorCodes.StoreCorrupt)
        {
            problems.Add(e.Message);
        }

        return problems;
    }

    /// <summary>Copies the store as it is at one moment to a new file, the owner's only; a host may run meanwhile. The file is there whole or not at all.</summary>
    /// <param name="path">The store.</param>
    /// <param name="target">The new file.</param>
    /// <param name="progress">Hears how many bytes of how many have been written.</param>
    public static void Backup(string path, string target, IProgress<(long Done, long Total)>? progress)
    {
        RequireFile(path);
        RequireAbsent(target);
        var partial = target + ".partial";
        try
        {
            File.Delete(partial);
            using (StoreFiles.CreateOwnerOnly(partial))
            {
                // The engine fills a file that is empty and leaves its mode alone.
            }

            using (var database = SqliteDatabase.Open(path, readOnly: true, Patience))
            {
                if (SqliteSchema.Check(database, path) == 0) throw BridgeException.Invalid($"{path} is empty: no host has used it yet.");
                var total = database.QueryInt64("PRAGMA page_count") * database.QueryInt64("PRAGMA page_size");
                using var watch = progress is null ? null
                    : new Timer(_ => progress.Report((StoreFiles.SizeOf(partial), total)), null, TimeSpan.Zero, TimeSpan.FromMilliseconds(250));
                using var copy = database.PrepareOnce("VACUUM INTO ?1");
                copy.Bind(1, partial).Run();
            }

            StoreFiles.Keep(partial, target);
        }
        catch (SqliteException e)
        {
            File.Delete(partial);
            throw StoreErrors.Map(e);
        }
        catch
        {
            File.Delete(partial);
            throw;
        }
    }

    /// <summary>Writes the file anew without what is free in it. No host may use it meanwhile.</summary>
    /// <returns>Its size before and afterwards.</returns>
    public static (long Before, long After) Compact(string path)
    {
        RequireFile(path);
        using var files = StoreFiles.Lock(path);
        try
        {
            using var database = SqliteDatabase.Open(path, readOnly: false, Patience);
            if (SqliteSchema.Check(database, path) == 0) throw BridgeException.Invalid($"{path} is empty: no host has used it yet.");
            var before = StoreFiles.SizeOf(path) + StoreFiles.SizeOf(path + "-wal");
            database.CheckpointTruncate();
            database.Execute("VACUUM");
            if (!database.CheckpointTruncate()) throw new SqliteException(Sqlite3.Busy, "another program reads the file");
            return (before, StoreFiles.SizeOf(path) + StoreFiles.SizeOf(path + "-wal"));
        }
        catch (SqliteException e)
        {
            throw StoreErrors.Map(e);
        }
    }

    /// <summary>Writes everything as text that any engine can import; a host may run meanwhile.</summary>
    /// <param name="path">The store.</param>
    /// <param name="output">Where to.</param>
    /// <param name="scratch">A folder with room for a copy of the store, which the export is made of.</param>
    /// <param name="progress">Hears how many rows have been written.</param>
    /// <param name="now">Now (Unix ms).</param>
    public static async Task ExportAsync(string path, Stream output, string scratch, IProgress<long>? progress, long now)
    {
        var copy = Path.Combine(scratch, $".channelbridge-export-{Guid.NewGuid():N}.db");
        try
        {
            Backup(path, copy, null);
            // An older file lacks some tables: opening the copy mends that.
            var store = new SqliteStore(new SqliteStoreOptions { Path = copy }, NullLogger<SqliteStore>.Instance, TimeProvider.System);
            Guid id;
            await using (store.ConfigureAwait(false))
            {
                await store.OpenAsync(CancellationToken.None).ConfigureAwait(false);
                id = store.StoreId;
            }

            using var writer = new ExchangeWriter(output, progress);
            using var database = SqliteDatabase.Open(copy, readOnly: true, Patience);
            writer.Begin(id, "sqlite", now);
            foreach (var table in ExchangeFormat.Tables) SqliteExchange.Export(database, table, writer);
            writer.End();
        }
        catch (SqliteException e)
        {
            throw StoreErrors.Map(e);
        }
        finally
        {
            foreach (var suffix in (string[])["", "-wal", "-shm", ".lock"]) File.Delete(copy + suffix);
        }
    }

    /// <summary>Makes a store of an export, under the exported one's id. It is there whole or not at all.</summary>
    /// <param name="path">The new store; must not exist.</param>
    /// <param name="input">What was exported.</param>
    /// <param name="progress">Hears how many rows have been read.</param>
    public static void Import(string path, Stream input, IProgress<long>? progress)
    {
        using var files = StoreFiles.Lock(path);
        RequireAbsent(path);
        foreach (var beside in (string[])[path + "-wal", path + "-shm"]) RequireAbsent(beside);
        var partial = path + ".partial";
        try
        {
            File.Delete(partial);
            StoreFiles.CreateOwnerOnly(partial).Dispose();
            using var reader = new ExchangeReader(input, progress);
            using (var database = SqliteDatabase.Open(partial, readOnly: false, Patience)) SqliteExchange.Import(database, reader);
            StoreFiles.Keep(partial, path);
        }
        catch (SqliteException e)
        {
            throw StoreErrors.Map(e);
        }
        finally
        {
            foreach (var suffix in (string[])["", "-journal", "-wal", "-shm"]) File.Delete(partial + suffix);
        }
    }

    private static void CheckContent(SqliteDatabase database, int found, List<string> problems)
    {
        SqliteSchema.ReadStoreId(database);
        Count("messages of conversations that don't exist", "SELECT count(*) FROM inbox i WHERE NOT EXISTS (SELECT 1 FROM lane l WHERE l.id = i.lane)");
        Count("replies of conversations that don't exist", "SELECT count(*) FROM outbox o WHERE NOT EXISTS (SELECT 1 FROM lane l WHERE l.id = o.lane)");
        Count("conversations of accounts that don't exist", "SELECT count(*) FROM lane l WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.id = l.account)");
        Count("values of logs that don't exist", "SELECT count(*) FROM log_entry e WHERE NOT EXISTS (SELECT 1 FROM log l WHERE l.id = e.log)");
        // While an older file's newest messages aren't in their tables, their conversations' numbers aren't either.
        if (found <= SqliteSchema.LastWithNursery) return;
        Count(
            "conversations whose numbers would be given out twice",
            """
            SELECT count(*) FROM lane l WHERE EXISTS (SELECT 1 FROM inbox i INDEXED BY inbox_pending WHERE i.state = 0 AND i.lane = l.id AND i.ordinal > l.last_in)
                OR EXISTS (SELECT 1 FROM outbox o INDEXED BY outbox_pending WHERE o.settled = 0 AND o.account = l.account AND o.lane = l.id AND o.seq > l.last_out)
            """);

        void Count(string what, string sql)
        {
            if (database.QueryInt64(sql) is > 0 and var count) problems.Add($"{count} {what}");
        }
    }

    private static void RequireFile(string path)
    {
        SqliteLibrary.EnsureLoaded();
        if (!File.Exists(path)) throw new BridgeException(ErrorCodes.NotFound, $"There is no store at {path}.");
    }

    private static void RequireAbsent(string path)
    {
        if (File.Exists(path)) throw new BridgeException(ErrorCodes.Conflict, $"{path} exists already; it isn't overwritten. Name another one, or move it away first.");
    }
}
