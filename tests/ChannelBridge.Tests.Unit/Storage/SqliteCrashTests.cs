using System.Text;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Sqlite;
using ChannelBridge.Storage.Sqlite.Native;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>What a crash leaves of entries in every state, and that a number or an id is never used twice.</summary>
public sealed class SqliteCrashTests : IAsyncLifetime
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

    [Fact]
    public async Task Crash_LeavesEveryStateAndEveryNumber()
    {
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
    public async Task Inbox_IdUsedBefore_FailsAloneAndHoldsUpNothing()
    {
        var first = await AppendAsync("first");
        await Assert.ThrowsAsync<BridgeException>(async () => await _store.CommitAsync(Message("second", id: first.Id)));
        var next = await AppendAsync("next");
        Assert.Equal(2, next.Ordinal);
        Assert.Equal(2, Query("SELECT count(*) FROM inbox"));
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

    private static async Task<SqliteStore> OpenAsync(TempFolder folder)
    {
        var store = new SqliteStore(new SqliteStoreOptions { Path = folder.File("store.db") }, NullLogger<SqliteStore>.Instance, TimeProvider.System);
        await store.OpenAsync(CancellationToken.None);
        return store;
    }

    private long Query(string sql)
    {
        using var database = SqliteDatabase.Open(_folder.File("store.db"), readOnly: true, TimeSpan.FromSeconds(5));
        return database.QueryInt64(sql);
    }
}
