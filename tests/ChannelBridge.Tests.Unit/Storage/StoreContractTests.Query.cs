using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Tests.Unit.Storage;

public abstract partial class StoreContractTests
{
    [StoreTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task QueryOutbox_Pages_GiveEachEntryOnceInOrder(bool descending)
    {
        var appends = new List<OutboxAppend>();
        for (var i = 0; i < 25; i++) appends.Add(await CommitAsync(Outbox(i % 2 == 0 ? LaneA : LaneC, at: Start + (i * 7 % 5))));
        var expected = appends.OrderBy(a => a.At).ThenBy(a => a.Id).Select(a => a.Id).ToList();
        if (descending) expected.Reverse();

        var seen = new List<Guid>();
        var query = new OutboxQuery { Limit = 4, Descending = descending };
        while (await Store.QueryOutboxAsync(query) is { Count: > 0 } page)
        {
            seen.AddRange(page.Select(e => e.Id));
            query = query with { After = (page[^1].AcceptedAt, page[^1].Id) };
        }

        Assert.Equal(expected, seen);
    }

    [StoreFact]
    public async Task QueryOutbox_Filters_Combine()
    {
        var a1 = await CommitAsync(Outbox(LaneA, "a1"));
        var a2 = await CommitAsync(Outbox(LaneA, "a2", at: Start + 1));
        var b = await CommitAsync(Outbox(LaneB, "b", at: Start + 2));
        var c = await CommitAsync(Outbox(LaneC, "c", at: Start + 3));
        var other = await CommitAsync(Outbox(new LaneKey("juji", "main", LaneA.SessionKey), "other", at: Start + 4));
        await CommitAsync(Update(a1, DeliveryState.Dead, settled: true, error: "gone"));
        await CommitAsync(Update(a2, DeliveryState.Acked, settled: true));
        await CommitAsync(Update(b, DeliveryState.Expired, settled: true));
        await CommitAsync(Update(c, DeliveryState.Dead, settled: true, error: "other"));

        Assert.Equal([a1.Id, a2.Id, b.Id, c.Id, other.Id], await Ids(new OutboxQuery()));
        Assert.Equal([a1.Id, a2.Id, b.Id, c.Id], await Ids(new OutboxQuery { Channel = "bncr" }));
        Assert.Equal([a1.Id, a2.Id, b.Id, other.Id], await Ids(new OutboxQuery { Account = "main" }));
        Assert.Equal([a1.Id, a2.Id, other.Id], await Ids(new OutboxQuery { SessionKey = LaneA.SessionKey }));
        Assert.Equal([a1.Id, c.Id], await Ids(new OutboxQuery { States = [DeliveryState.Dead] }));
        Assert.Equal([c.Id, b.Id, a1.Id], await Ids(new OutboxQuery { States = [DeliveryState.Dead, DeliveryState.Expired], Descending = true }));
        Assert.Equal([a1.Id, b.Id], await Ids(new OutboxQuery { Channel = "bncr", Account = "main", States = [DeliveryState.Dead, DeliveryState.Expired] }));
        Assert.Equal([a2.Id, other.Id], await Ids(new OutboxQuery { States = [DeliveryState.Acked, DeliveryState.Accepted] }));
        Assert.Equal([a1.Id], await Ids(new OutboxQuery { Error = "gone" }));
        Assert.Equal([a1.Id, a2.Id], await Ids(new OutboxQuery { AcceptedBefore = Start + 2 }));
        Assert.Empty(await Ids(new OutboxQuery { Channel = "nobody" }));

        var full = (await Store.QueryOutboxAsync(new OutboxQuery { Limit = 1 }))[0];
        var header = (await Store.QueryOutboxAsync(new OutboxQuery { Limit = 1, HeadersOnly = true }))[0];
        Assert.Equal(("a1", LaneA, "gone"), (Text(full.Payload), full.Lane, full.Error));
        Assert.Equal((0, LaneA, DeliveryState.Dead), (header.Payload.Length, header.Lane, header.State));

        async Task<IEnumerable<Guid>> Ids(OutboxQuery query) => (await Store.QueryOutboxAsync(query)).Select(e => e.Id);
    }

    [StoreTheory]
    [InlineData(0)]
    [InlineData(1001)]
    public async Task QueryOutbox_LimitOutOfRange_IsInvalid(int limit)
    {
        var error = await Assert.ThrowsAsync<BridgeException>(async () => await Store.QueryOutboxAsync(new OutboxQuery { Limit = limit }));
        Assert.Equal(ErrorCodes.InvalidRequest, error.Code);
    }

    [StoreFact]
    public async Task Count_GivesNumbersAndOldestOfEachAccount()
    {
        Assert.Empty(await Store.CountAsync());
        var done = await CommitAsync(Inbox(LaneA, 1));
        var dead = await CommitAsync(Inbox(LaneA, 2));
        await CommitAsync(Inbox(LaneA, 3, at: Start + 3));
        await CommitAsync(Inbox(LaneB, 4, at: Start + 4));
        await CommitAsync(Done(done));
        await CommitAsync(new InboxUpdate { LaneId = dead.LaneId, Ordinal = 2, State = TurnState.Dead, At = Start });
        var acked = await CommitAsync(Outbox(LaneC, at: Start + 5));
        var letter = await CommitAsync(Outbox(LaneC, at: Start + 6));
        await CommitAsync(Outbox(LaneC, at: Start + 8));
        await CommitAsync(Outbox(LaneC, at: Start + 7));
        await CommitAsync(Update(acked, DeliveryState.Acked, settled: true));
        await CommitAsync(Update(letter, DeliveryState.Dead, settled: true));

        Assert.Equal(
            [
                new AccountCounts("bncr", "main", 2, 1, 0, 0, Start + 3, 0),
                new AccountCounts("bncr", "second", 0, 0, 2, 1, 0, Start + 7),
            ],
            (await Store.CountAsync()).OrderBy(c => c.Account));
    }

    [StoreFact]
    public async Task Sweep_RemovesWhatHasOutlivedItsTimeAndNothingElse()
    {
        var pending = await CommitAsync(Inbox(LaneA, 1, window: 10));
        var done = await CommitAsync(Inbox(LaneA, 2, window: 10));
        var remembered = await CommitAsync(Inbox(LaneA, 3, window: 11));
        var dead = await CommitAsync(Inbox(LaneA, 4, window: 10));
        var youngDead = await CommitAsync(Inbox(LaneA, 5, window: 10));
        await CommitAsync(Done(done));
        await CommitAsync(Done(remembered));
        await CommitAsync(new InboxUpdate { LaneId = dead.LaneId, Ordinal = dead.Ordinal, State = TurnState.Dead, At = Start + 4 });
        await CommitAsync(new InboxUpdate { LaneId = dead.LaneId, Ordinal = youngDead.Ordinal, State = TurnState.Dead, At = Start + 5 });

        var acked = await CommitAsync(Outbox(LaneA));
        var youngAcked = await CommitAsync(Outbox(LaneA));
        var letter = await CommitAsync(Outbox(LaneA));
        var youngLetter = await CommitAsync(Outbox(LaneA));
        var unsettled = await CommitAsync(Outbox(LaneA));
        await CommitAsync(Update(acked, DeliveryState.Acked, settled: true, at: Start + 6));
        await CommitAsync(Update(youngAcked, DeliveryState.Delivered, settled: true, at: Start + 7));
        await CommitAsync(Update(letter, DeliveryState.Dead, settled: true, at: Start + 4));
        await CommitAsync(Update(youngLetter, DeliveryState.Expired, settled: true, at: Start + 5));

        await CommitAsync(Put("gone", "x", expiresAt: Start + 10));
        await CommitAsync(Put("stays", "x", expiresAt: Start + 11));
        await CommitAsync(Put("for ever", "x"));

        var limits = new SweepLimits(Now: Start + 10, SettledBefore: Start + 7, DeadBefore: Start + 5);
        Assert.Equal(5, await Store.SweepAsync(limits));
        foreach (var id in new[] { done.Id, dead.Id }) Assert.Null(await Store.GetInboxAsync(id));
        foreach (var id in new[] { pending.Id, remembered.Id, youngDead.Id }) Assert.NotNull(await Store.GetInboxAsync(id));
        foreach (var id in new[] { acked.Id, letter.Id }) Assert.Null(await Store.GetOutboxAsync(id));
        foreach (var id in new[] { youngAcked.Id, youngLetter.Id, unsettled.Id }) Assert.NotNull(await Store.GetOutboxAsync(id));
        Assert.Equal(["for ever", "stays"], (await Store.ListRecordsAsync("ns", null, null, 10)).Select(r => r.Key));
        Assert.Equal(0, await Store.SweepAsync(limits));

        // Numbers go on behind what was swept.
        Assert.Equal(6, (await CommitAsync(Inbox(LaneA, 2, at: Start + 10))).Ordinal);
        Assert.Equal(6, (await CommitAsync(Outbox(LaneA))).Seq);
    }

    [StoreFact]
    public async Task Sweep_ManyRows_WorksInSteps()
    {
        const int Count = 1700;
        var inbox = Enumerable.Range(0, Count).Select(i => Inbox(LaneA, (UInt128)i, window: 1)).ToArray();
        var outbox = Enumerable.Range(0, Count).Select(i => Outbox(LaneA, at: Start + (i % 3))).ToArray();
        await Store.CommitAsync([.. inbox, .. outbox, .. Enumerable.Range(0, Count).Select(i => Put($"{i}", "x", expiresAt: Start + 1))]);
        await Store.CommitAsync([.. inbox.Skip(1).Select(a => Done(a)), .. outbox.Skip(1).Select(a => Update(a, DeliveryState.Acked, settled: true))]);
        Assert.Equal((Count * 3) - 2, await Store.SweepAsync(new SweepLimits(Start + 10, Start + 10, Start)));
        Assert.Equal(new AccountCounts("bncr", "main", 1, 0, 1, 0, Start, Start), Assert.Single(await Store.CountAsync()));
        Assert.Single(await Store.QueryOutboxAsync(new OutboxQuery()));
    }
}
