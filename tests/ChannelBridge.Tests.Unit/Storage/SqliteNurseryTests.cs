using System.Text;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Sqlite;
using ChannelBridge.Storage.Sqlite.Native;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>Entries that aren't in their tables yet: what a crash leaves of them, where they move, and what doesn't go there at all.</summary>
public sealed class SqliteNurseryTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private SqliteStore _store = null!;
    private int _keys;

    public async Task InitializeAsync() => _store = await OpenAsync(_folder);

    public async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        _folder.Remove();
    }

    [Theory]
    [InlineData(32_768)]
    [InlineData(10)]
    public async Task Crash_LeavesEveryStateAndEveryNumber(int young)
    {
        await _store.DisposeAsync();
        _store = await OpenAsync(_folder, young);
        var inbox = new List<InboxAppend>();
        var outbox = new List<OutboxAppend>();
        for (var i = 0; i < 30; i++)
        {
            inbox.Add(await AppendAsync($"in {i}"));
            var reply = new OutboxAppend { Lane = Lane, Id = Guid.NewGuid(), ReplyTo = inbox[i].Id, At = 2, ExpiresAt = 9, Payload = Bytes($"out {i}") };
            await _store.CommitAsync(reply);
            outbox.Add(reply);
        }

        await UpdateAsync(inbox[0], TurnState.Done);
        await UpdateAsync(inbox[29], TurnState.Done);
        await UpdateAsync(inbox[28], TurnState.Dead);
        await UpdateAsync(inbox[27], TurnState.Dead);
        await _store.CommitAsync(new InboxReplay { Id = inbox[27].Id });
        await SettleAsync(outbox[29], DeliveryState.Acked);
        await SettleAsync(outbox[28], DeliveryState.Dead);
        await SettleAsync(outbox[27], DeliveryState.Dead);
        await SettleAsync(outbox[26], DeliveryState.Dead);
        await _store.CommitAsync(new OutboxReplay { Id = outbox[27].Id, At = 5, HistoryLine = Bytes("{}") });
        await _store.CommitAsync(new OutboxDiscard { Id = outbox[26].Id });

        var copy = new TempFolder();
        foreach (var name in new[] { "store.db", "store.db-wal" }) File.Copy(_folder.File(name), copy.File(name));
        await using (var other = await OpenAsync(copy))
        {
            foreach (var append in inbox) Assert.Equal(Show(await _store.GetInboxAsync(append.Id)), Show(await other.GetInboxAsync(append.Id)));
            foreach (var append in outbox) Assert.Equal(Show(await _store.GetOutboxAsync(append.Id)), Show(await other.GetOutboxAsync(append.Id)));
            var pending = await other.ReadInboxAsync(inbox[0].LaneId, 0, 100, int.MaxValue);
            Assert.Equal([.. Enumerable.Range(2, 26).Select(number => (long)number), 31], pending.Select(entry => entry.Ordinal));
            Assert.Equal("in 27", Encoding.UTF8.GetString(pending[^1].Payload.Span));
            Assert.Null(await other.GetOutboxAsync(outbox[26].Id));
            Assert.Equal(await _store.CountAsync(), await other.CountAsync());

            var next = Message("next");
            await other.CommitAsync(next);
            Assert.Equal(32, next.Ordinal);
            var again = new OutboxAppend { Lane = Lane, Id = Guid.NewGuid(), At = 2, Payload = Bytes("next") };
            await other.CommitAsync(again);
            Assert.Equal(32, again.Seq);
        }

        copy.Remove();
    }

    [Fact]
    public async Task Page_Damaged_IsCorruptAndNeverAWrongMessage()
    {
        await AppendAsync("a message");
        await _store.DisposeAsync();
        Execute("UPDATE nursery SET writes = CAST(replace(CAST(writes AS BLOB), x'61206D657373616765', x'61206D657373616766') AS BLOB)");
        var error = await Assert.ThrowsAsync<BridgeException>(() => OpenAsync(_folder));
        Assert.Equal(ErrorCodes.StoreCorrupt, error.Code);
    }

    [Fact]
    public async Task Pages_WhoseEntriesHaveMoved_AreGone()
    {
        for (var i = 0; i < 100; i++) await AppendAsync($"in {i}");
        Assert.Equal(100, Query("SELECT count(*) FROM nursery"));
        await _store.SweepAsync(new SweepLimits(0, 0, 0));
        Assert.Equal((0, 100), (Query("SELECT count(*) FROM nursery"), Query("SELECT count(*) FROM inbox")));

        await _store.DisposeAsync();
        _store = await OpenAsync(_folder, young: 10);
        for (var i = 0; i < 100; i++) await AppendAsync($"more {i}");
        Assert.InRange(Query("SELECT count(*) FROM nursery"), 10, 12);
        Assert.InRange(Query("SELECT count(*) FROM inbox"), 188, 190);
        Assert.Equal(200, (await _store.ReadInboxAsync(1, 0, 1000, int.MaxValue)).Count);
    }

    [Fact]
    public async Task LargePayloads_GoToTheirTableAtOnce_AndStayInOrderWithTheOthers()
    {
        var appends = new List<InboxAppend>();
        for (var i = 0; i < 12; i++) appends.Add(await AppendAsync(new string('x', i % 3 == 0 ? 100_000 : 10)));
        Assert.Equal(4, Query("SELECT count(*) FROM inbox"));
        Assert.Equal(appends.Select(append => append.Id), (await _store.ReadInboxAsync(1, 0, 100, int.MaxValue)).Select(entry => entry.Id));
        foreach (var append in appends)
        {
            var again = Message("again", append.DedupeKey);
            await _store.CommitAsync(again);
            Assert.Equal((true, append.Id), (again.Duplicate, again.KnownId));
        }

        foreach (var append in appends) await UpdateAsync(append, TurnState.Done);
        Assert.Empty(await _store.ReadInboxAsync(1, 0, 100, int.MaxValue));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Inbox_IdUsedBefore_FailsAloneAndHoldsUpNothing(bool moved)
    {
        var first = await AppendAsync("first");
        if (moved) await _store.SweepAsync(new SweepLimits(0, 0, 0));
        await Assert.ThrowsAsync<BridgeException>(async () => await _store.CommitAsync(Message("second", id: first.Id)));
        var next = await AppendAsync("next");
        Assert.Equal(2, next.Ordinal);
        await _store.SweepAsync(new SweepLimits(0, 0, 0));
        Assert.Equal(2, Query("SELECT count(*) FROM inbox"));
    }

    [Fact]
    public async Task Reads_WhileEntriesMove_MissNothing()
    {
        // Guards against an entry that is neither here nor there for a moment.
        await _store.DisposeAsync();
        _store = await OpenAsync(_folder, young: 50);
        using var end = new CancellationTokenSource();
        var read = Task.Run(async () =>
        {
            var reads = 0;
            while (!end.IsCancellationRequested)
            {
                var entries = await _store.ReadInboxAsync(1, 0, int.MaxValue, int.MaxValue);
                Assert.Equal(Enumerable.Range(1, entries.Count).Select(number => (long)number), entries.Select(entry => entry.Ordinal));
                Assert.Equal(entries.Count, entries.Select(entry => entry.Id).Distinct().Count());
                reads++;
            }

            return reads;
        });
        for (var i = 0; i < 500; i++) await AppendAsync($"in {i}");
        await end.CancelAsync();
        Assert.True(await read > 0);
        Assert.Equal(500, (await _store.ReadInboxAsync(1, 0, int.MaxValue, int.MaxValue)).Count);
    }

    private static LaneKey Lane => new("bncr", "main", "lane");

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string Show(InboxEntry? entry) => entry is null ? "none" : $"{entry with { Payload = default }} {Encoding.UTF8.GetString(entry.Payload.Span)}";

    private static string Show(OutboxEntry? entry) => entry is null
        ? "none"
        : $"{entry with { Payload = default, History = default }} {Encoding.UTF8.GetString(entry.History.Span)} {Encoding.UTF8.GetString(entry.Payload.Span)}";

    private InboxAppend Message(string text, UInt128? key = null, Guid? id = null) => new()
    {
        Lane = Lane,
        Id = id ?? Guid.CreateVersion7(),
        DedupeKey = key ?? (UInt128)(++_keys),
        DedupeUntil = long.MaxValue,
        At = 1,
        Payload = Bytes(text),
    };

    private async Task<InboxAppend> AppendAsync(string text)
    {
        var append = Message(text);
        await _store.CommitAsync(append);
        return append;
    }

    private ValueTask UpdateAsync(InboxAppend append, TurnState state) =>
        _store.CommitAsync(new InboxUpdate { LaneId = append.LaneId, Ordinal = append.Ordinal, State = state, Attempts = 3, Error = "why", At = 4 });

    private ValueTask SettleAsync(OutboxAppend append, DeliveryState state) => _store.CommitAsync(
        new OutboxUpdate { LaneId = append.LaneId, Seq = append.Seq, Id = append.Id, State = state, Settled = true, At = 4, HistoryLine = Bytes("{\"at\":4}") });

    private static async Task<SqliteStore> OpenAsync(TempFolder folder, int young = 32_768)
    {
        var store = new SqliteStore(
            new SqliteStoreOptions { Path = folder.File("store.db"), YoungEntries = young }, NullLogger<SqliteStore>.Instance, TimeProvider.System);
        await store.OpenAsync(CancellationToken.None);
        return store;
    }

    private long Query(string sql)
    {
        using var database = SqliteDatabase.Open(_folder.File("store.db"), readOnly: true, TimeSpan.FromSeconds(5));
        return database.QueryInt64(sql);
    }

    private void Execute(string sql)
    {
        using var database = SqliteDatabase.Open(_folder.File("store.db"), readOnly: false, TimeSpan.FromSeconds(5));
        database.Execute(sql);
    }
}
