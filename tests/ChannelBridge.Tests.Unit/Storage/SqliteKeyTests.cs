using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Sqlite;
using ChannelBridge.Storage.Sqlite.Native;
using ChannelBridge.Storage.Sqlite.Writing;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>Dedupe keys that have moved to the file: parts, their filters, what becomes of an older file's index, and of parts whose time is up.</summary>
public sealed class SqliteKeyTests : IAsyncLifetime
{
    // Sets of five keys, and four sets to a part: twelve parts.
    private const int Recent = 5;
    private const int Messages = 250;
    private readonly TempFolder _folder = new();
    private readonly List<InboxAppend> _kept = [];
    private SqliteStore _store = null!;

    private string DbPath => _folder.File("store.db");

    public async Task InitializeAsync()
    {
        await OpenAsync();
        for (var number = 1; number <= Messages; number++) await KeepAsync((UInt128)number * 0x9E3779B97F4A7C15, until: 1000);
    }

    public async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        _folder.Remove();
    }

    [Fact]
    public async Task Keys_OfManyParts_AreKnownAgain_AlsoAfterARestart()
    {
        await VerifyAsync();
        await ReopenAsync();
        await VerifyAsync();
        Assert.InRange(Query("SELECT count(DISTINCT part) FROM dedupe_key"), 8, Messages / Recent);
        Assert.InRange(Query("SELECT count(*) FROM dedupe_filter"), 8, Messages / Recent);
    }

    [Fact]
    public async Task Keys_OfAnOlderFile_AreKnownAgain()
    {
        await _store.SweepAsync(new SweepLimits(0, 0, 0));
        await _store.DisposeAsync();
        Execute(
            """
            CREATE TABLE inbox_key(key BLOB PRIMARY KEY, row INTEGER NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
            INSERT INTO inbox_key SELECT key, row, until FROM dedupe_key;
            DROP TABLE dedupe_key; DROP TABLE dedupe_filter;
            DROP TABLE log; DROP TABLE log_entry; DROP TABLE log_recent; DROP TABLE log_place; PRAGMA user_version = 1
            """);
        await OpenAsync();
        await VerifyAsync();
        for (var number = 1; number <= 50; number++) await KeepAsync((UInt128)number << 64, until: 1000);
        await ReopenAsync();
        await VerifyAsync();
        Assert.Equal(1, Query("SELECT count(*) FROM dedupe_filter WHERE part = 0"));
    }

    [Theory]
    [InlineData("UPDATE dedupe_filter SET bits = zeroblob(length(bits))")]
    [InlineData("UPDATE dedupe_filter SET bits = x'00'")]
    [InlineData("DELETE FROM dedupe_filter")]
    public async Task Filter_ThatIsDamagedOrGone_IsMadeAnew(string damage)
    {
        await _store.DisposeAsync();
        Execute(damage);
        await OpenAsync();
        await VerifyAsync();
    }

    [Fact]
    public async Task Keys_WhoseTimeIsUp_GoByParts_AndTheMessagesAreNew()
    {
        foreach (var append in _kept) await _store.CommitAsync(new InboxUpdate { LaneId = append.LaneId, Ordinal = append.Ordinal, State = TurnState.Done, At = 2 });
        var young = new List<InboxAppend>();
        for (var number = 1; number <= 50; number++) young.Add(await KeepAsync((UInt128)number << 64, until: 5000));
        Assert.Equal(Messages, await _store.SweepAsync(new SweepLimits(2000, 0, 0)));
        await ReopenAsync();
        Assert.InRange(Query("SELECT count(*) FROM dedupe_key WHERE until <= 2000"), 0, 4 * Recent);
        Assert.Equal(0, Query("SELECT count(*) FROM dedupe_filter WHERE part NOT IN (SELECT part FROM dedupe_key)"));
        foreach (var append in young) Assert.True(await IsDuplicateAsync(append, at: 2000));
        foreach (var append in _kept.Take(Messages)) Assert.False(await IsDuplicateAsync(append, at: 2000));
    }

    [Fact]
    public void Filter_KnowsWhatItWasGiven_AndLittleElse()
    {
        var filter = new KeyFilter(10_000);
        var random = new Random(3);
        var keys = Enumerable.Range(0, 10_000).Select(_ => new UInt128((ulong)random.NextInt64(), (ulong)random.NextInt64())).ToArray();
        foreach (var key in keys) filter.Add(key);
        var read = KeyFilter.From(filter.ToBytes())!;
        Assert.All(keys, key => Assert.True(read.MayContain(key)));
        Assert.InRange(Enumerable.Range(0, 10_000).Count(number => read.MayContain((UInt128)number)), 0, 300);
    }

    private async Task VerifyAsync()
    {
        foreach (var append in _kept) Assert.True(await IsDuplicateAsync(append, at: 1));
    }

    private async Task<bool> IsDuplicateAsync(InboxAppend append, long at)
    {
        var again = Message(append.DedupeKey, append.DedupeUntil + 1000, at);
        await _store.CommitAsync(again);
        if (again.Duplicate) Assert.Equal(append.Id, again.KnownId);
        return again.Duplicate;
    }

    private async Task<InboxAppend> KeepAsync(UInt128 key, long until)
    {
        var append = Message(key, until, at: 1);
        await _store.CommitAsync(append);
        Assert.False(append.Duplicate);
        _kept.Add(append);
        return append;
    }

    private static InboxAppend Message(UInt128 key, long until, long at) => new()
    {
        Lane = new LaneKey("bncr", "main", "lane"),
        Id = Guid.CreateVersion7(),
        DedupeKey = key,
        DedupeUntil = until,
        At = at,
        Payload = new byte[10],
    };

    private async Task ReopenAsync()
    {
        await _store.DisposeAsync();
        await OpenAsync();
    }

    private async Task OpenAsync()
    {
        _store = new SqliteStore(new SqliteStoreOptions { Path = DbPath, RecentKeys = Recent }, NullLogger<SqliteStore>.Instance, TimeProvider.System);
        await _store.OpenAsync(CancellationToken.None);
    }

    private long Query(string sql)
    {
        using var database = SqliteDatabase.Open(DbPath, readOnly: true, TimeSpan.FromSeconds(5));
        return database.QueryInt64(sql);
    }

    private void Execute(string sql)
    {
        using var database = SqliteDatabase.Open(DbPath, readOnly: false, TimeSpan.FromSeconds(5));
        database.Execute(sql);
    }
}
