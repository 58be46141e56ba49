using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Tests.Unit.Storage;

/// <content>Numbered logs.</content>
public abstract partial class StoreContractTests
{
    protected static SequenceAppend LogAppend(string sequence, string value, string? once = null, long expiresAt = 0, long at = Start) =>
        new() { Sequence = sequence, Once = once, Value = Bytes(value), ExpiresAt = expiresAt, At = at };

    private async Task<IEnumerable<string>> LogAsync(string sequence, long after = 0, int limit = 100_000) =>
        (await Store.ReadSequenceAsync(sequence, after, limit)).Select(e => $"{e.Number} {Text(e.Value)}");

    [StoreFact]
    public async Task SequenceAppend_Values_AreNumberedPerLogAndReadInOrder()
    {
        var (first, second, other) = (LogAppend("a", "one"), LogAppend("a", ""), LogAppend("b", "x"));
        await Store.CommitAsync([first, other, second]);
        Assert.Equal([(1, false), (2, false), (1, false)], new[] { first, second, other }.Select(w => (w.Number, w.Duplicate)));
        await ReopenAsync();
        Assert.Equal(3, (await CommitAsync(LogAppend("a", "three", expiresAt: Start + 1000))).Number);
        Assert.Equal(["1 one", "2 ", "3 three"], await LogAsync("a"));
        Assert.Equal(["2 "], await LogAsync("a", after: 1, limit: 1));
        Assert.Equal(["1 x"], await LogAsync("b"));
        Assert.Empty(await LogAsync("a", after: 3));
        Assert.Empty(await LogAsync("A"));
        Assert.Equal([0, 0, Start + 1000], (await Store.ReadSequenceAsync("a", 0, 10)).Select(e => e.ExpiresAt));
    }

    [StoreFact]
    public async Task SequenceAppend_KnownOnce_AppendsNothingAndGivesTheFirstNumber()
    {
        var first = await CommitAsync(LogAppend("a", "one", once: "m1"));
        var (again, beside, elsewhere, twice) = (LogAppend("a", "no", once: "m1"), LogAppend("a", "two"), LogAppend("b", "one", once: "m1"), LogAppend("b", "no", once: "m1"));
        await Store.CommitAsync([again, beside, elsewhere, twice]);
        Assert.Equal((1, false), (first.Number, first.Duplicate));
        Assert.Equal((1, true), (again.Number, again.Duplicate));
        Assert.Equal((2, false), (beside.Number, beside.Duplicate));
        Assert.Equal((1, false), (elsewhere.Number, elsewhere.Duplicate));
        Assert.Equal((1, true), (twice.Number, twice.Duplicate));
        await ReopenAsync();
        Assert.True((await CommitAsync(LogAppend("a", "no", once: "m1"))).Duplicate);
        Assert.False((await CommitAsync(LogAppend("a", "three", once: "M1"))).Duplicate);
        Assert.Equal(["1 one", "2 two", "3 three"], await LogAsync("a"));
    }

    [StoreFact]
    public async Task SequenceAppend_WhoseTimeIsUp_IsGoneForgottenAndSwept_ButNumbersGoOn()
    {
        await CommitAsync(LogAppend("a", "stays"));
        await CommitAsync(LogAppend("a", "goes", once: "m", expiresAt: Start + 1000));
        await CommitAsync(LogAppend("other", "goes", expiresAt: Start + 1000));
        Time.Advance(TimeSpan.FromMilliseconds(1000));
        Assert.Equal(["1 stays"], await LogAsync("a"));
        var anew = await CommitAsync(LogAppend("a", "anew", once: "m", expiresAt: Start + 2000, at: Start + 1000));
        Assert.Equal((3, false), (anew.Number, anew.Duplicate));
        Assert.Equal(2, await Store.SweepAsync(new SweepLimits(Start + 1000, 0, 0)));
        Assert.Equal(0, await Store.SweepAsync(new SweepLimits(Start + 1000, 0, 0)));
        Assert.True((await CommitAsync(LogAppend("a", "no", once: "m", at: Start + 1001))).Duplicate);
        Assert.Equal(["1 stays", "3 anew"], await LogAsync("a"));
        await ReopenAsync();
        Assert.Equal(2, (await CommitAsync(LogAppend("other", "x"))).Number);
    }

    [StoreFact]
    public async Task SequenceAppend_InABatchThatFails_LeavesNoHole()
    {
        var before = await CommitAsync(Outbox(LaneA));
        await CommitAsync(LogAppend("a", "one"));
        var stale = new OutboxUpdate { LaneId = before.LaneId, Seq = before.Seq, State = DeliveryState.Acked, Settled = true, At = Start, Claim = 0 };
        var failing = Store.CommitAsync([LogAppend("a", "undone", once: "m"), LogAppend("new", "undone"), stale]).AsTask();
        var others = Enumerable.Range(0, 20).Select(i => LogAppend("a", $"{i}")).ToArray();
        await Task.WhenAll(others.Select(o => Store.CommitAsync(o).AsTask()));
        Assert.Equal(ErrorCodes.ClaimLost, (await Assert.ThrowsAsync<BridgeException>(() => failing)).Code);
        Assert.Equal(Enumerable.Range(2, 20).Select(i => (long)i), others.Select(o => o.Number));
        Assert.False((await CommitAsync(LogAppend("a", "last", once: "m"))).Duplicate);
        Assert.Equal(Enumerable.Range(1, 22).Select(i => (long)i), (await Store.ReadSequenceAsync("a", 0, 100)).Select(e => e.Number));
        Assert.Equal(1, (await CommitAsync(LogAppend("new", "x"))).Number);
    }

    [StoreFact]
    public async Task SequenceAppend_FanOutAndLongLog_AreReadWhole()
    {
        // More than the front part of an index holds, over many logs and one long one.
        for (var round = 0; round < 6; round++)
        {
            var writes = new List<StoreWrite>();
            for (var i = 0; i < 500; i++) writes.Add(LogAppend($"r{i}", $"{round}", once: $"m{round}", expiresAt: i % 2 == 0 ? Start + 10 : 0));
            for (var i = 0; i < 500; i++) writes.Add(LogAppend("long", $"{(round * 500) + i + 1}"));
            await Store.CommitAsync(writes);
        }

        for (var i = 0; i < 500; i += 83) Assert.Equal(Enumerable.Range(0, 6).Select(r => $"{r + 1} {r}"), await LogAsync($"r{i}"));
        Assert.Equal(Enumerable.Range(1, 3000).Select(i => $"{i} {i}"), await LogAsync("long"));
        Assert.Equal(["2048 2048", "2049 2049"], await LogAsync("long", after: 2047, limit: 2));
        Assert.Equal(1500, await Store.SweepAsync(new SweepLimits(Start + 10, 0, 0)));
        Time.Advance(TimeSpan.FromMilliseconds(10));
        Assert.Empty(await LogAsync("r498"));
        Assert.Equal(6, (await LogAsync("r499")).Count());
        Assert.True((await CommitAsync(LogAppend("r499", "no", once: "m0"))).Duplicate);
        Assert.Equal(7, (await CommitAsync(LogAppend("r498", "x", once: "m0", at: Start + 10))).Number);
    }

    [StoreFact]
    public async Task SequenceAppend_ManyProducers_NumbersHaveNoHolesAndOnceHolds()
    {
        const int Producers = 16, Each = 40, Logs = 5;
        await Parallel.ForEachAsync(Enumerable.Range(0, Producers), new ParallelOptions { MaxDegreeOfParallelism = Producers }, async (producer, cancellation) =>
        {
            // Neighbours send the same values; logs in different orders.
            for (var i = 0; i < Each; i++)
            {
                var once = $"{producer / 2}/{i}";
                var writes = Enumerable.Range(0, Logs).Select(log => LogAppend($"log {(producer % 2 == 0 ? log : Logs - 1 - log)}", once, once)).ToArray();
                await Store.CommitAsync(writes, cancellation);
                foreach (var write in writes)
                {
                    // What was acknowledged can be read at once, and everything before it, too.
                    var read = await Store.ReadSequenceAsync(write.Sequence, 0, 10_000, cancellation);
                    Assert.Equal(Enumerable.Range(1, read.Count).Select(n => (long)n), read.Select(e => e.Number));
                    Assert.Equal(once, Text(read[(int)write.Number - 1].Value));
                }
            }
        });

        for (var log = 0; log < Logs; log++) Assert.Equal(Producers * Each / 2, (await Store.ReadSequenceAsync($"log {log}", 0, 10_000)).Count);
    }
}
