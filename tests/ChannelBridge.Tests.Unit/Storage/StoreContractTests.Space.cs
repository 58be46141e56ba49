using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Tests.Unit.Storage;

/// <content>What a store says of itself: its room, and whether it works.</content>
public abstract partial class StoreContractTests
{
    [StoreFact]
    public async Task Measure_CountsWhatIsKept()
    {
        var first = await CommitAsync(Inbox(LaneA, 1));
        var second = await CommitAsync(Inbox(LaneA, 2));
        await CommitAsync(Done(first));
        await CommitAsync(new InboxUpdate { LaneId = second.LaneId, Ordinal = second.Ordinal, State = TurnState.Dead, Attempts = 1, At = Start, Error = "x" });
        var reply = await CommitAsync(Outbox(LaneA));
        await CommitAsync(Outbox(LaneA));
        await CommitAsync(Update(reply, DeliveryState.Dead, settled: true));
        await CommitAsync(new RecordPut { Namespace = "ns", Key = "k", Value = Bytes("v"), At = Start });
        await CommitAsync(new SequenceAppend { Sequence = "log", Value = Bytes("v"), At = Start });

        var space = await Store.MeasureAsync();
        Assert.Equal(2, space.DeadLetters);
        Assert.True(space.DataBytes > 0);
        Assert.True(space.MeasuredAt > 0);
        // A server's estimates come when it likes.
        if (space.Estimated) return;
        Assert.Equal((2, 2, 1, 1, 2), (space.InboxRows, space.OutboxRows, space.RecordRows, space.LogRows, space.DedupeKeys));
    }

    [StoreFact]
    public async Task Probe_ManyTimes_LeavesNothingBehindThatGrows()
    {
        await CommitAsync(Inbox(LaneA, 1));
        await Store.ProbeAsync(CancellationToken.None);
        var before = (await Store.MeasureAsync()).DataBytes;
        for (var i = 0; i < 20; i++) await Store.ProbeAsync(CancellationToken.None);
        Assert.InRange((await Store.MeasureAsync()).DataBytes, 0, before + (128 * 1024));
    }
}
