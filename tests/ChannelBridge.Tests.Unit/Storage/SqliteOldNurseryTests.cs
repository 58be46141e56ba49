using System.IO.Compression;
using System.Text;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Sqlite;
using ChannelBridge.Storage.Sqlite.Native;
using ChannelBridge.Storage.Sqlite.Upkeep;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>
/// A file of schema 4 (<c>StoreOfSchema4/store.db.gz</c>), which kept its newest entries apart: 12 inbox and 11 outbox entries were in their tables, the others
/// on 49 pages, in every state. <c>expected.txt</c> is what the version that wrote it read of each entry.
/// </summary>
public sealed class SqliteOldNurseryTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Remove();

    [Fact]
    public async Task Open_FileWithANursery_HasEveryEntryInItsState_AndEveryNumber()
    {
        Unpack();
        Assert.Empty(SqliteUpkeep.Check(_folder.File("store.db"), quick: false));
        for (var start = 0; start < 2; start++)
        {
            await using var store = await OpenAsync();
            foreach (var line in await File.ReadAllLinesAsync(Fixture("expected.txt")))
            {
                var parts = line.Split(' ', 3);
                Assert.Equal(parts[2], parts[0] == "in" ? Show(await store.GetInboxAsync(Guid.Parse(parts[1]))) : Show(await store.GetOutboxAsync(Guid.Parse(parts[1]))));
            }

            var pending = await store.ReadInboxAsync(1, 0, 100, int.MaxValue);
            Assert.Equal([2, 3, .. Enumerable.Range(5, 23).Select(number => (long)number), 31], pending.Select(entry => entry.Ordinal));
            Assert.Single(await store.ListPushLanesAsync("bncr", "two", 0, 10));
        }

        await using var again = await OpenAsync();
        var duplicate = Message(key: 29);
        await again.CommitAsync(duplicate);
        Assert.Equal((true, 29L), (duplicate.Duplicate, duplicate.Ordinal));
        var next = Message(key: 1000);
        await again.CommitAsync(next);
        var reply = new OutboxAppend { Lane = Lane, Id = Guid.CreateVersion7(), At = 2, Payload = "next"u8.ToArray() };
        await again.CommitAsync(reply);
        Assert.Equal((32L, 32L), (next.Ordinal, reply.Seq));
        Assert.Empty(SqliteUpkeep.Check(_folder.File("store.db"), quick: false));
    }

    [Fact]
    public async Task Open_FileWithADamagedPage_SaysSo_AndChangesNothing()
    {
        Unpack();
        using (var database = SqliteDatabase.Open(_folder.File("store.db"), readOnly: false, TimeSpan.FromSeconds(5)))
        {
            // "in 20" of one message.
            database.Execute("UPDATE nursery SET writes = CAST(replace(CAST(writes AS BLOB), x'696E203230', x'696E203231') AS BLOB)");
        }

        for (var start = 0; start < 2; start++) Assert.Equal(ErrorCodes.StoreCorrupt, (await Assert.ThrowsAsync<BridgeException>(OpenAsync)).Code);
        using var left = SqliteDatabase.Open(_folder.File("store.db"), readOnly: true, TimeSpan.FromSeconds(5));
        Assert.Equal((12, 49), (left.QueryInt64("SELECT count(*) FROM inbox"), left.QueryInt64("SELECT count(*) FROM nursery")));
    }

    private static LaneKey Lane => new("bncr", "main", "lane");

    private static string Fixture(string name) => Path.Combine(AppContext.BaseDirectory, "Storage", "StoreOfSchema4", name);

    private static string Show(InboxEntry? entry) => entry is null ? "none" : $"{entry with { Payload = default }} {Encoding.UTF8.GetString(entry.Payload.Span)}";

    private static string Show(OutboxEntry? entry) => entry is null
        ? "none"
        : $"{entry with { Payload = default, History = default }} {Encoding.UTF8.GetString(entry.History.Span)} {Encoding.UTF8.GetString(entry.Payload.Span)}"
            .Replace("\n", "\\n", StringComparison.Ordinal);

    private static InboxAppend Message(UInt128 key) => new()
    {
        Lane = Lane,
        Id = Guid.CreateVersion7(),
        DedupeKey = key,
        DedupeUntil = long.MaxValue,
        At = 1,
        Payload = "next"u8.ToArray(),
    };

    private void Unpack()
    {
        using var packed = new GZipStream(File.OpenRead(Fixture("store.db.gz")), CompressionMode.Decompress);
        using var file = File.Create(_folder.File("store.db"));
        packed.CopyTo(file);
    }

    private async Task<SqliteStore> OpenAsync()
    {
        var store = new SqliteStore(new SqliteStoreOptions { Path = _folder.File("store.db") }, NullLogger<SqliteStore>.Instance, TimeProvider.System);
        await store.OpenAsync(CancellationToken.None);
        return store;
    }
}
