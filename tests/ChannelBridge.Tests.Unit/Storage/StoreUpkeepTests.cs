using System.Text;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Postgres;
using ChannelBridge.Storage.Postgres.Upkeep;
using ChannelBridge.Storage.Sqlite;
using ChannelBridge.Storage.Sqlite.Native;
using ChannelBridge.Storage.Sqlite.Upkeep;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>What <c>channelbridge store</c> does: copies are whole and of one moment, damage is found, and what moves between engines is the same there.</summary>
public sealed class StoreUpkeepTests : IDisposable
{
    private const long At = 1_767_225_600_000;

    private static readonly LaneKey Lane = new("bncr", "main", "agent:main:bncr:direct:ä€😀");
    private static readonly LaneKey Other = new("bncr", "second", "agent:main:bncr:direct:b");

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Remove();

    [Fact]
    public async Task ExportImport_Sqlite_IsTheSameStore()
    {
        await FillAsync(_folder.File("a.db"));
        var exported = await ExportAsync(_folder.File("a.db"));
        SqliteUpkeep.Import(_folder.File("b.db"), new MemoryStream(Encoding.UTF8.GetBytes(exported)), null);

        Assert.Empty(SqliteUpkeep.Check(_folder.File("b.db"), quick: false));
        Assert.Equal(Rows(exported), Rows(await ExportAsync(_folder.File("b.db"))));
        await using var store = await OpenAsync(_folder.File("b.db"));
        Assert.Contains(store.StoreId.ToString(), exported, StringComparison.Ordinal);
        await AssertGoesOnAsync(store);
    }

    [Fact]
    public async Task Import_CutOffChangedOrForeign_LeavesNothing()
    {
        await FillAsync(_folder.File("a.db"));
        var exported = await ExportAsync(_folder.File("a.db"));
        var lines = exported.Split('\n');
        foreach (var (bad, word) in new[]
        {
            (string.Join('\n', lines[..^3]) + "\n", "cut off"), (exported[..(exported.Length / 2)], "damaged"),
                (exported.Replace("\"hello\"", "\"hallo\"", StringComparison.Ordinal)
                    .Replace("main:bncr:direct:b", "main:bncr:direct:c", StringComparison.Ordinal), "changed"),
            ("", "empty"), ("{}", "no array"), ("[\"something\",1,2]", "no exported store"),
            (exported.Replace("[\"channelbridge-store\",1,", "[\"channelbridge-store\",99,", StringComparison.Ordinal), "version 99"),
        })
        {
            var error = Assert.Throws<BridgeException>(() => SqliteUpkeep.Import(_folder.File("b.db"), new MemoryStream(Encoding.UTF8.GetBytes(bad)), null));
            Assert.Contains(word, error.Message, StringComparison.Ordinal);
            Assert.Equal([], Directory.GetFiles(_folder.Path, "b.db*").Where(file => !file.EndsWith(".lock", StringComparison.Ordinal)));
        }

        var there = Assert.Throws<BridgeException>(() => SqliteUpkeep.Import(_folder.File("a.db"), new MemoryStream(Encoding.UTF8.GetBytes(exported)), null));
        Assert.Equal(ErrorCodes.Conflict, there.Code);
    }

    /// <summary>A backup of a running host: of one moment, whole, with what is in no table yet, and nobody else's to read.</summary>
    [Fact]
    public async Task Backup_UnderLoad_HasEverythingAckedBeforeItAndNoHalves()
    {
        var store = await OpenAsync(_folder.File("a.db"));
        await using (store)
        {
            var acked = new List<InboxAppend>();
            for (var i = 0; i < 200; i++) acked.Add(await CommitAsync(store, Message(Lane, (UInt128)i)));
            using var stop = new CancellationTokenSource();
            var load = Task.Run(async () =>
            {
                for (var i = 1000; !stop.IsCancellationRequested; i++)
                {
                    // Both or none.
                    await store.CommitAsync([Message(Other, (UInt128)i), new SequenceNext { Name = "pairs" }]);
                }
            });
            SqliteUpkeep.Backup(_folder.File("a.db"), _folder.File("backup.db"), null);
            await stop.CancelAsync();
            await load;

            if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder.File("backup.db")));
            Assert.Empty(SqliteUpkeep.Check(_folder.File("backup.db"), quick: false));
            Assert.Empty(SqliteUpkeep.Check(_folder.File("a.db"), quick: false));
            Assert.Throws<BridgeException>(() => SqliteUpkeep.Backup(_folder.File("a.db"), _folder.File("backup.db"), null));
            Assert.Equal(ErrorCodes.StoreUnavailable, Assert.Throws<BridgeException>(() => SqliteUpkeep.Compact(_folder.File("a.db"))).Code);

            await using var restored = await OpenAsync(_folder.File("backup.db"));
            Assert.Equal(store.StoreId, restored.StoreId);
            foreach (var append in acked) Assert.NotNull(await restored.GetInboxAsync(append.Id));
            var lanes = await restored.ListTurnLanesAsync(0, 10);
            var pairs = lanes.FirstOrDefault(lane => lane.Key == Other) is { Id: > 0 } lane ? (await restored.ReadInboxAsync(lane.Id, 0, 1_000_000, int.MaxValue)).Count : 0;
            var number = new SequenceNext { Name = "pairs" };
            await restored.CommitAsync(number);
            Assert.Equal(pairs + 1, number.Value);
        }
    }

    [Fact]
    public async Task Check_DamagedFile_SaysSo()
    {
        var path = _folder.File("a.db");
        await FillAsync(path);
        Assert.Empty(SqliteUpkeep.Check(path, quick: false));
        Assert.Empty(SqliteUpkeep.Check(path, quick: true));

        using (var database = SqliteDatabase.Open(path, readOnly: false, TimeSpan.FromSeconds(5)))
        {
            database.Execute("INSERT INTO log_entry(log, number, expires_at) VALUES(777, 1, 0)");
            Assert.Contains(SqliteUpkeep.Check(path, quick: true), problem => problem.Contains("1 values of logs", StringComparison.Ordinal));
            database.Execute("DELETE FROM log_entry WHERE log = 777");
            database.CheckpointTruncate();
        }

        using (var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite))
        {
            // Every page but the first: some of them are read by any check.
            for (file.Position = SqliteSchema.PageBytes; file.Position < file.Length - 64; file.Position += SqliteSchema.PageBytes - 32)
                file.Write(Enumerable.Repeat((byte)0xA5, 32).ToArray());
        }

        Assert.NotEmpty(SqliteUpkeep.Check(path, quick: false));
        File.WriteAllText(_folder.File("text.db"), new string('x', 10_000));
        Assert.NotEmpty(SqliteUpkeep.Check(_folder.File("text.db"), quick: false));
        Assert.Equal(ErrorCodes.NotFound, Assert.Throws<BridgeException>(() => SqliteUpkeep.Check(_folder.File("none.db"), quick: false)).Code);
    }

    [Fact]
    public async Task Compact_AfterMuchWasRemoved_GivesItBackAndLosesNothing()
    {
        var path = _folder.File("a.db");
        await using (var store = await OpenAsync(path))
        {
            for (var i = 0; i < 40; i++) await store.CommitAsync(new RecordPut { Namespace = "n", Key = $"{i}", Value = new byte[100_000], At = At });
            for (var i = 1; i < 40; i++) await store.CommitAsync(new RecordDelete { Namespace = "n", Key = $"{i}" });
        }

        var (before, after) = SqliteUpkeep.Compact(path);
        Assert.InRange(after, 1, before / 4);
        Assert.Empty(SqliteUpkeep.Check(path, quick: false));
        await using var again = await OpenAsync(path);
        Assert.Equal(100_000, (await again.GetRecordAsync("n", "0"))!.Value.Length);
    }

    internal static string[] Rows(string exported) => [.. exported.Split('\n')[1..^2].Order(StringComparer.Ordinal)];

    internal static async Task<string> ExportAsync(string path)
    {
        using var output = new MemoryStream();
        await SqliteUpkeep.ExportAsync(path, output, Path.GetDirectoryName(path)!, null, At);
        return Encoding.UTF8.GetString(output.ToArray());
    }

    internal static async Task<SqliteStore> OpenAsync(string path)
    {
        var store = new SqliteStore(new SqliteStoreOptions { Path = path }, NullLogger<SqliteStore>.Instance, TimeProvider.System);
        await store.OpenAsync(CancellationToken.None);
        return store;
    }

    /// <summary>A store with every kind of entry in every state, most of it in no table yet.</summary>
    internal static async Task FillAsync(string path)
    {
        await using var store = await OpenAsync(path);
        var inbox = new List<InboxAppend>();
        for (var i = 0; i < 6; i++) inbox.Add(await CommitAsync(store, Message(i < 4 ? Lane : Other, (UInt128)(100 + i), i == 5 ? 50_000 : 10)));
        await store.CommitAsync(new InboxUpdate { LaneId = inbox[0].LaneId, Ordinal = 1, State = TurnState.Done, Attempts = 1, At = At + 1 });
        await store.CommitAsync(
            new InboxUpdate
            {
                LaneId = inbox[0].LaneId,
                Ordinal = 2,
                State = TurnState.Dead,
                Attempts = 3,
                At = At + 2,
                Error = "TIMEOUT: \"too late\"\n\u0001"
            });
        await store.CommitAsync(
            new InboxUpdate
            {
                LaneId = inbox[0].LaneId,
                Ordinal = 3,
                State = TurnState.Pending,
                Attempts = 2,
                NextAttemptAt = At + 5,
                At = At + 2,
                Error = "x"
            });
        for (var i = 0; i < 6; i++)
        {
            var append = new OutboxAppend
            {
                Lane = i < 5 ? Lane : Other,
                Id = Guid.CreateVersion7(),
                ReplyTo = i % 2 == 0 ? inbox[i].Id : null,
                At = At + i,
                ExpiresAt = i == 1 ? At + 99 : 0,
                Payload = Encoding.UTF8.GetBytes("{\"hello\":1}"),
            };
            await store.CommitAsync(append);
            if (i is 0 or > 3) continue;
            await store.CommitAsync(new OutboxUpdate
            {
                LaneId = append.LaneId,
                Seq = append.Seq,
                Id = append.Id,
                State = i == 1 ? DeliveryState.Acked : i == 2 ? DeliveryState.Dead : DeliveryState.Pushed,
                Settled = i < 3,
                Attempts = i,
                At = At + 10,
                PushedAt = At + 9,
                Error = i == 2 ? "push-retry-limit" : null,
                HistoryLine = i == 2 ? "{\"at\":1}"u8.ToArray() : default,
            });
        }

        await store.CommitAsync([
            new RecordPut { Namespace = "ns", Key = "a", Value = new byte[] { 0, 255, 1 }, Index = "i", ExpiresAt = long.MaxValue, At = At },
            new RecordPut { Namespace = "ns", Key = "b", Value = default, At = At },
            new SequenceNext { Name = "n" },
            new SequenceNext { Name = "n" },
            new SequenceAppend { Sequence = "log", Value = new byte[] { 1 }, Once = "first", At = At },
            new SequenceAppend { Sequence = "log", Value = new byte[] { 2 }, At = At },
        ]);
    }

    /// <summary>Numbers, keys and states go on where they were.</summary>
    internal static async Task AssertGoesOnAsync(IStore store)
    {
        var known = Message(Lane, 100);
        var fresh = Message(Lane, 999);
        var again = new SequenceAppend { Sequence = "log", Value = new byte[] { 9 }, Once = "first", At = At };
        var next = new SequenceAppend { Sequence = "log", Value = new byte[] { 3 }, At = At };
        var number = new SequenceNext { Name = "n" };
        var reply = new OutboxAppend { Lane = Lane, Id = Guid.CreateVersion7(), At = At, Payload = new byte[] { 1 } };
        var fourth = new LaneKey("bncr", "third", "agent:main:bncr:direct:new");
        await store.CommitAsync([known, fresh, again, next, number, reply]);
        await store.CommitAsync(Message(fourth, 1000));
        Assert.True(known.Duplicate);
        Assert.Equal((false, 5), (fresh.Duplicate, fresh.Ordinal));
        Assert.Equal((true, 1, 3), (again.Duplicate, again.Number, next.Number));
        Assert.Equal((3, 6), (number.Value, reply.Seq));
        Assert.Equal([3, 4, 5], (await store.ReadInboxAsync(fresh.LaneId, 0, 10, int.MaxValue)).Select(entry => (int)entry.Ordinal));
        Assert.Single(await store.ListDeadInboxAsync(null, 10, headersOnly: true));
        Assert.Equal(new byte[] { 0, 255, 1 }, (await store.GetRecordAsync("ns", "a"))!.Value.ToArray());
        Assert.Equal([1, 2, 3], (await store.ReadSequenceAsync("log", 0, 10)).Select(entry => (int)entry.Number));
        var dead = Assert.Single(await store.QueryOutboxAsync(new OutboxQuery { States = [DeliveryState.Dead] }));
        Assert.Equal("push-retry-limit", dead.Error);
    }

    private static InboxAppend Message(LaneKey lane, UInt128 key, int size = 10) => new()
    {
        Lane = lane,
        Id = Guid.CreateVersion7(),
        DedupeKey = key,
        DedupeUntil = At + 1_000_000_000,
        At = At,
        Payload = Enumerable.Repeat((byte)'x', size).ToArray(),
    };

    private static async Task<T> CommitAsync<T>(SqliteStore store, T write)
        where T : StoreWrite
    {
        await store.CommitAsync(write);
        return write;
    }
}

/// <summary>The same between SQLite and PostgreSQL.</summary>
[NeedsServer(PostgresServer.Variable)]
public sealed class StoreExchangeTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private readonly string _schema = $"t{Guid.NewGuid():N}";

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        _folder.Remove();
        if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable(PostgresServer.Variable))) await PostgresServer.ExecuteAsync($"DROP SCHEMA IF EXISTS {_schema} CASCADE");
    }

    [StoreFact]
    public async Task SqliteToPostgresAndBack_IsTheSameStore()
    {
        var options = new PostgresStoreOptions { ConnectionString = PostgresServer.Require(), Schema = _schema };
        await StoreUpkeepTests.FillAsync(_folder.File("a.db"));
        var exported = await StoreUpkeepTests.ExportAsync(_folder.File("a.db"));

        // A file that is cut off leaves nothing behind that a second try would trip over.
        var cut = await Assert.ThrowsAsync<BridgeException>(() => PostgresUpkeep.ImportAsync(
            options, new MemoryStream(Encoding.UTF8.GetBytes(string.Join('\n', exported.Split('\n')[..^2]) + "\n")), null, CancellationToken.None));
        Assert.Equal(ErrorCodes.InvalidRequest, cut.Code);
        await PostgresUpkeep.ImportAsync(options, new MemoryStream(Encoding.UTF8.GetBytes(exported)), null, CancellationToken.None);
        Assert.Empty(await PostgresUpkeep.CheckAsync(options, quick: false, _ => { }, CancellationToken.None));

        using var output = new MemoryStream();
        await PostgresUpkeep.ExportAsync(options, output, null, 1, CancellationToken.None);
        Assert.Equal(StoreUpkeepTests.Rows(exported), StoreUpkeepTests.Rows(Encoding.UTF8.GetString(output.ToArray())));
        output.Position = 0;
        SqliteUpkeep.Import(_folder.File("b.db"), output, null);
        await using (var back = await StoreUpkeepTests.OpenAsync(_folder.File("b.db"))) await StoreUpkeepTests.AssertGoesOnAsync(back);

        var full = await Assert.ThrowsAsync<BridgeException>(() => PostgresUpkeep.ImportAsync(
            options, new MemoryStream(Encoding.UTF8.GetBytes(exported)), null, CancellationToken.None));
        Assert.Equal(ErrorCodes.Conflict, full.Code);
        await using (var store = new PostgresStore(options, NullLogger<PostgresStore>.Instance, TimeProvider.System))
        {
            await store.OpenAsync(CancellationToken.None);
            Assert.Contains(store.StoreId.ToString(), exported, StringComparison.Ordinal);
            await StoreUpkeepTests.AssertGoesOnAsync(store);
        }

        Assert.Empty(await PostgresUpkeep.CheckAsync(options, quick: true, _ => { }, CancellationToken.None));
        await PostgresUpkeep.CompactAsync(options, null, CancellationToken.None);
        await PostgresServer.ExecuteAsync($"UPDATE {_schema}.lane SET last_in = 0");
        Assert.Contains("given out twice", Assert.Single(await PostgresUpkeep.CheckAsync(options, quick: true, _ => { }, CancellationToken.None)), StringComparison.Ordinal);
        Assert.Equal(ErrorCodes.NotFound, (await Assert.ThrowsAsync<BridgeException>(() => PostgresUpkeep.CheckAsync(
            new PostgresStoreOptions { ConnectionString = options.ConnectionString, Schema = _schema + "x" }, quick: true, _ => { }, CancellationToken.None))).Code);
    }
}
