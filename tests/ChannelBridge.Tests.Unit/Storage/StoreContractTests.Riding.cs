using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Tests.Unit.Storage;

/// <content>Records that ride along in the commit of a message.</content>
public abstract partial class StoreContractTests
{
    private static RecordPut Ride(StoreWrite with, string key, string value = "v") =>
        new() { Namespace = "ride", Key = key, Value = Bytes(value), At = Start, With = with };

    private async Task<string?> RidingAsync(string key) => await Store.GetRecordAsync("ride", key) is { } record ? Text(record.Value) : null;

    [StoreFact]
    public async Task With_NewMessage_IsWrittenAndWithADuplicateIsNot()
    {
        var first = Inbox(LaneA, 1);
        var log = new SequenceAppend { Sequence = "ride", Value = Bytes("one"), At = Start, With = first };
        await Store.CommitAsync([first, Ride(first, "a", "first"), log]);
        var again = Inbox(LaneA, 1);
        var (put, append) = (Ride(again, "a", "second"), new SequenceAppend { Sequence = "ride", Value = Bytes("two"), At = Start, With = again });
        await Store.CommitAsync([again, put, append, new RecordPut { Namespace = "ride", Key = "b", Value = Bytes("always"), At = Start }]);
        Assert.Equal((true, false), (again.Duplicate, again.TookPlace));
        Assert.Equal("first", await RidingAsync("a"));
        Assert.Equal("always", await RidingAsync("b"));
        await ReopenAsync();
        Assert.Equal(["1 one"], await LogAsync("ride"));
        Assert.Equal(2, (await CommitAsync(LogAppend("ride", "next"))).Number);
    }

    [StoreFact]
    public async Task With_SentMessage_IsWrittenOnce()
    {
        var first = Outbox(LaneA);
        await Store.CommitAsync([first, Ride(first, "a", "first"), new RecordDelete { Namespace = "ride", Key = "none", With = first }]);
        var again = new OutboxAppend { Lane = LaneA, Id = first.Id, At = Start, Payload = Bytes("reply") };
        await Store.CommitAsync([again, Ride(again, "a", "second"), new RecordDelete { Namespace = "ride", Key = "a", With = again }]);
        Assert.Equal("first", await RidingAsync("a"));
    }

    [StoreFact]
    public async Task With_ARecordThatIsPut_IsWrittenOnlyWhereItsVersionWasThere()
    {
        var first = new RecordPut { Namespace = "ride", Key = "a", Value = Bytes("one"), ExpectedVersion = 0, At = Start };
        await Store.CommitAsync([first, Ride(first, "b", "one")]);
        var late = new RecordPut { Namespace = "ride", Key = "a", Value = Bytes("two"), ExpectedVersion = 0, At = Start };
        await Store.CommitAsync([late, Ride(late, "b", "two"), new RecordDelete { Namespace = "ride", Key = "a", With = late }]);
        Assert.Equal((true, false), (late.Conflict, late.TookPlace));
        Assert.Equal(("one", "one"), (await RidingAsync("a"), await RidingAsync("b")));
        var right = new RecordPut { Namespace = "ride", Key = "a", Value = Bytes("three"), ExpectedVersion = first.Version, At = Start };
        await Store.CommitAsync([right, Ride(right, "b", "three")]);
        Assert.Equal(("three", "three"), (await RidingAsync("a"), await RidingAsync("b")));
    }

    // Guards against two units of one group that bring the same message: what the second one brings along must not be written because the first one's took place.
    [StoreFact]
    public async Task With_ManyDuplicatesAtOnce_OneOfEachIsWritten()
    {
        var commits = new List<Task>();
        for (var i = 0; i < 200; i++)
        {
            var append = Inbox(LaneA, (UInt128)(1000 + (i % 20)));
            var next = new SequenceAppend { Sequence = "once", Value = Bytes($"{i % 20}"), At = Start, With = append };
            commits.Add(Store.CommitAsync([append, next]).AsTask());
        }

        await Task.WhenAll(commits);
        Assert.Equal(Enumerable.Range(1, 20), (await Store.ReadSequenceAsync("once", 0, 1000)).Select(entry => (int)entry.Number));
        Assert.Equal(20, (await Store.ReadSequenceAsync("once", 0, 1000)).Select(entry => Text(entry.Value)).Distinct().Count());
    }

    [StoreFact]
    public async Task With_EndOfATurn_IsWrittenByTheFirstEndOnly()
    {
        var message = await CommitAsync(Inbox(LaneA, 1));
        var again = new InboxUpdate { LaneId = message.LaneId, Ordinal = message.Ordinal, State = TurnState.Pending, Attempts = 1, At = Start };
        await Store.CommitAsync([again, Ride(again, "retry")]);
        var done = Done(message);
        await Store.CommitAsync([done, Ride(done, "end", "first")]);
        var twice = Done(message);
        await Store.CommitAsync([twice, Ride(twice, "end", "second")]);
        Assert.Equal((true, true, false), (again.Changed, done.Changed, twice.Changed));
        Assert.Equal(("v", "first"), (await RidingAsync("retry"), await RidingAsync("end")));
    }

    [StoreFact]
    public async Task With_Receipt_IsWrittenWhenItIsNews()
    {
        var sent = await CommitAsync(Outbox(LaneA));
        var acked = Update(sent, DeliveryState.Acked, settled: true);
        await Store.CommitAsync([acked, Ride(acked, "acked")]);
        var same = Update(sent, DeliveryState.Acked, settled: true);
        await Store.CommitAsync([same, Ride(same, "again")]);
        var better = Update(sent, DeliveryState.Delivered, settled: true);
        await Store.CommitAsync([better, Ride(better, "delivered")]);
        var unknown = new OutboxUpdate { LaneId = sent.LaneId, Seq = 77, State = DeliveryState.Acked, Settled = true, At = Start };
        await Store.CommitAsync([unknown, Ride(unknown, "unknown")]);
        Assert.Equal((true, false, true, false), (acked.Changed, same.Changed, better.Changed, unknown.Changed));
        Assert.Equal(("v", null, "v", null), (await RidingAsync("acked"), await RidingAsync("again"), await RidingAsync("delivered"), await RidingAsync("unknown")));
    }

    [StoreFact]
    public async Task With_OldClaim_NothingOfTheBatchIsWritten()
    {
        var message = await CommitAsync(Inbox(LaneA, 1));
        var late = new InboxUpdate { LaneId = message.LaneId, Ordinal = message.Ordinal, State = TurnState.Done, At = Start, Claim = 99 };
        await Assert.ThrowsAnyAsync<Exception>(async () => await Store.CommitAsync([late, Ride(late, "late")]));
        Assert.Null(await RidingAsync("late"));
        var (good, bad) = (Inbox(LaneB, 2), new InboxUpdate { LaneId = message.LaneId, Ordinal = message.Ordinal, State = TurnState.Done, At = Start, Claim = 99 });
        await Assert.ThrowsAnyAsync<Exception>(async () => await Store.CommitAsync([good, Ride(good, "good"), bad]));
        Assert.Null(await RidingAsync("good"));
    }
}
