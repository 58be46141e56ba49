using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Tests.Unit.Storage;

public abstract partial class StoreContractTests
{
    [StoreFact]
    public async Task Commit_ManyProducers_EveryAckIsKeptAndNumbersHaveNoHoles()
    {
        const int Producers = 32, Each = 60, Lanes = 7;
        var inbox = new ConcurrentBag<InboxAppend>();
        var outbox = new ConcurrentBag<OutboxAppend>();
        await Parallel.ForEachAsync(Enumerable.Range(0, Producers), new ParallelOptions { MaxDegreeOfParallelism = Producers }, async (producer, cancellation) =>
        {
            for (var i = 0; i < Each; i++)
            {
                var lane = LaneA with { SessionKey = $"lane {(producer + i) % Lanes}" };

                // Every message is sent twice, by neighbours: one of the two must win.
                var append = new InboxAppend
                {
                    Lane = lane,
                    Id = Guid.NewGuid(),
                    DedupeKey = (UInt128)((producer / 2 * Each) + i),
                    DedupeUntil = Start + 1000,
                    At = Start,
                    Payload = Bytes($"{producer}/{i}"),
                };
                var reply = new OutboxAppend { Lane = lane, Id = Guid.NewGuid(), At = Start, Payload = Bytes($"{producer}/{i}") };
                await Store.CommitAsync([append, reply], cancellation);

                // What was acknowledged can be read at once.
                Assert.NotNull(await Store.GetInboxAsync(append.KnownId, cancellation));
                inbox.Add(append);
                outbox.Add(reply);
            }
        });

        await ReopenAsync();
        Assert.Equal(Producers * Each / 2, inbox.Count(a => a.Duplicate));
        foreach (var lane in inbox.Where(a => !a.Duplicate).GroupBy(a => a.LaneId))
        {
            var stored = await Store.ReadInboxAsync(lane.Key, 0, int.MaxValue, int.MaxValue);
            Assert.Equal(Enumerable.Range(1, lane.Count()).Select(i => (long)i), stored.Select(e => e.Ordinal));
            Assert.Equal(lane.OrderBy(a => a.Ordinal).Select(a => (a.Id, Text(a.Payload))), stored.Select(e => (e.Id, Text(e.Payload))));
        }

        foreach (var lane in outbox.GroupBy(a => a.LaneId))
        {
            var stored = await Store.ReadOutboxAsync(lane.Key, 0, int.MaxValue, int.MaxValue);
            Assert.Equal(Enumerable.Range(1, lane.Count()).Select(i => (long)i), stored.Select(e => e.Seq));
            Assert.Equal(lane.OrderBy(a => a.Seq).Select(a => (a.Id, Text(a.Payload))), stored.Select(e => (e.Id, Text(e.Payload))));
        }
    }

    [StoreFact]
    public async Task Commit_OneProducer_LanesKeepTheOrderOfTheCalls()
    {
        var appends = Enumerable.Range(0, 300).Select(i => Outbox(LaneA, $"{i}")).ToArray();
        await Task.WhenAll(appends.Select(a => Store.CommitAsync(a).AsTask()));
        Assert.Equal(Enumerable.Range(1, 300).Select(i => (long)i), appends.Select(a => a.Seq));
    }
}
