using System.Buffers.Binary;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Storage;

/// <summary>Files that were damaged while no host had them open: what can be noticed is said with a code, and nothing is passed over in silence.</summary>
public sealed class SqliteDamageTests : IDisposable
{
    private const int Lanes = 8;
    private const int PerLane = 40;
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Remove();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task DamagedPage_IsAnErrorOrCostsNothing_NeverASilentLoss(bool zeroed)
    {
        await WriteAsync(abandon: false);
        var original = await File.ReadAllBytesAsync(_folder.File("store.db"));
        var pageSize = BinaryPrimitives.ReadUInt16BigEndian(original.AsSpan(16));
        var random = new Random(1);
        var noticed = 0;
        for (var page = 0; page < original.Length / pageSize; page++)
        {
            var damaged = (byte[])original.Clone();
            if (zeroed) damaged.AsSpan(page * pageSize, pageSize).Clear();
            else random.NextBytes(damaged.AsSpan(page * pageSize, pageSize));
            var copy = new TempFolder();
            await File.WriteAllBytesAsync(copy.File("store.db"), damaged);
            try
            {
                await using var store = Make(copy);
                await store.OpenAsync(CancellationToken.None);
                foreach (var lane in await store.ListTurnLanesAsync(0, 100)) await ReadAsync(store, lane.Id, PerLane);
                Assert.Equal(Lanes, (await store.ListTurnLanesAsync(0, 100)).Count);
                foreach (var lane in await store.ListPushLanesAsync("bncr", "main", 0, 100))
                    Assert.Equal(PerLane, (await store.ReadOutboxAsync(lane.Id, 0, 1000, int.MaxValue)).Count);
                Assert.Equal(Lanes, (await store.ListPushLanesAsync("bncr", "main", 0, 100)).Count);
            }
            catch (BridgeException error)
            {
                noticed++;
                Assert.True(
                    error.Code is ErrorCodes.StoreCorrupt or ErrorCodes.StoreUnavailable, $"page {page + 1}: {error.Code} {error.Message} {error.InnerException}");
            }

            copy.Remove();
        }

        // Pages that only hold what nobody asked for may pass; that most are noticed shows that the test damages what it means to.
        Assert.InRange(noticed, original.Length / pageSize / 2, int.MaxValue);
    }

    [Fact]
    public async Task TruncatedLog_GivesAPrefix_WithoutHolesAndWithoutHalves()
    {
        await WriteAsync(abandon: true);
        var log = await File.ReadAllBytesAsync(_folder.File("store.db-wal"));
        var database = await File.ReadAllBytesAsync(_folder.File("store.db"));
        var random = new Random(2);
        var counts = new List<int>();
        for (var round = 0; round < 25; round++)
        {
            var copy = new TempFolder();
            await File.WriteAllBytesAsync(copy.File("store.db"), database);
            await File.WriteAllBytesAsync(copy.File("store.db-wal"), log[..random.Next(log.Length + 1)]);
            try
            {
                await using var store = Make(copy);
                await store.OpenAsync(CancellationToken.None);
                var count = 0;
                foreach (var lane in await store.ListTurnLanesAsync(0, 100)) count += await ReadAsync(store, lane.Id, null);
                counts.Add(count);
                // It can be written, and the next number follows the last one that is there.
                var append = Inbox(0, 10_000);
                await store.CommitAsync(append);
                await ReadAsync(store, append.LaneId, null);
            }
            catch (BridgeException error)
            {
                Assert.StartsWith("STORE_", error.Code, StringComparison.Ordinal);
            }

            copy.Remove();
        }

        Assert.NotEmpty(counts);
        Assert.True(counts.Distinct().Count() > 3, "the cuts made no difference: the test tested nothing");
    }

    /// <summary>Reads a lane's inbox: numbers without holes, each with its own payload.</summary>
    private static async Task<int> ReadAsync(SqliteStore store, long lane, int? expected)
    {
        var entries = await store.ReadInboxAsync(lane, 0, 1000, int.MaxValue);
        Assert.Equal(Enumerable.Range(1, entries.Count).Select(number => (long)number), entries.Select(entry => entry.Ordinal));
        if (expected is { } count) Assert.Equal(count, entries.Count);
        foreach (var entry in entries)
        {
            var key = BitConverter.ToInt64(entry.Payload.Span);
            Assert.All(entry.Payload[sizeof(long)..].ToArray(), value => Assert.Equal((byte)key, value));
        }

        return entries.Count;
    }

    /// <summary>Fills the store; abandoned, it is left as a crash leaves it: with everything in the log.</summary>
    private async Task WriteAsync(bool abandon)
    {
        var source = abandon ? new TempFolder() : _folder;
        var store = Make(source);
        await store.OpenAsync(CancellationToken.None);
        for (var number = 0; number < PerLane; number++)
        {
            for (var lane = 0; lane < Lanes; lane++)
            {
                await store.CommitAsync([Inbox(lane, number), new OutboxAppend { Lane = Key(lane), Id = Guid.NewGuid(), At = 1, Payload = new byte[300] }]);
            }
        }

        if (abandon)
        {
            foreach (var name in new[] { "store.db", "store.db-wal" })
            {
                await using var file = new FileStream(source.File(name), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                await using var copy = File.Create(_folder.File(name));
                await file.CopyToAsync(copy);
            }
        }

        await store.DisposeAsync();
        if (abandon) source.Remove();
    }

    private static InboxAppend Inbox(int lane, int number)
    {
        var payload = new byte[600];
        var key = (lane * 100_000L) + number;
        Array.Fill(payload, (byte)key);
        BitConverter.TryWriteBytes(payload, key);
        return new InboxAppend { Lane = Key(lane), Id = Guid.CreateVersion7(), DedupeKey = (UInt128)(ulong)key + 1, DedupeUntil = long.MaxValue, At = 1, Payload = payload };
    }

    private static LaneKey Key(int lane) => new("bncr", "main", $"lane{lane}");

    private static SqliteStore Make(TempFolder folder) =>
        new(new SqliteStoreOptions { Path = folder.File("store.db") }, NullLogger<SqliteStore>.Instance, TimeProvider.System);
}
