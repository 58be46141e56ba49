using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Tests.Unit.Storage;

public abstract partial class StoreContractTests
{
    [StoreFact]
    public async Task OutboxAppend_NewIds_GetSeqsWithoutHoles()
    {
        Assert.Equal(1, (await CommitAsync(Outbox(LaneA))).Seq);
        Assert.Equal(1, (await CommitAsync(Outbox(LaneB))).Seq);
        await ReopenAsync();
        Assert.Equal(2, (await CommitAsync(Outbox(LaneA))).Seq);
    }

    [StoreFact]
    public async Task OutboxAppend_KnownId_IsDuplicateOfTheFirst()
    {
        var first = await CommitAsync(Outbox(LaneA));
        await CommitAsync(Update(first, DeliveryState.Acked, settled: true));
        var again = new OutboxAppend { Lane = LaneB, Id = first.Id, At = Start, Payload = Bytes("other") };
        await CommitAsync(again);
        Assert.True(again.Duplicate);
        Assert.Equal((first.LaneId, 1L), (again.LaneId, again.Seq));
        Assert.Equal(2, (await CommitAsync(Outbox(LaneA))).Seq);
        Assert.Equal(1, (await CommitAsync(Outbox(LaneB))).Seq);
    }

    [StoreFact]
    public async Task OutboxUpdate_Retry_KeepsEntryPendingWithHistory()
    {
        var append = await CommitAsync(Outbox(LaneA, expiresAt: Start + 9));
        await CommitAsync(new OutboxUpdate
        {
            LaneId = append.LaneId,
            Seq = 1,
            State = DeliveryState.Accepted,
            Settled = false,
            Attempts = 1,
            NextAttemptAt = Start + 1000,
            Error = "not reachable",
            HistoryLine = Bytes("{\"n\":1}"),
            At = Start + 1,
            PushedAt = Start + 1,
        });
        await CommitAsync(new OutboxUpdate
        {
            LaneId = append.LaneId,
            Seq = 1,
            State = DeliveryState.Pushed,
            Settled = false,
            Attempts = 2,
            NextAttemptAt = Start + 2000,
            HistoryLine = Bytes("{\"n\":2}"),
            At = Start + 2,
        });
        await ReopenAsync();
        var entry = Assert.Single(await Store.ReadOutboxAsync(append.LaneId, 0, 10, 1000));
        Assert.Equal((append.Id, append.LaneId, LaneA, 1L), (entry.Id, entry.LaneId, entry.Lane, entry.Seq));
        Assert.Equal((DeliveryState.Pushed, false, 2, Start + 2000), (entry.State, entry.Settled, entry.Attempts, entry.NextAttemptAt));
        Assert.Equal((Start, Start + 9, Start + 2, 0L), (entry.AcceptedAt, entry.ExpiresAt, entry.PushedAt, entry.AckedAt));
        Assert.Equal(("not reachable", "{\"n\":1}\n{\"n\":2}\n", "reply"), (entry.Error, Text(entry.History), Text(entry.Payload)));
    }

    [StoreTheory]
    [InlineData(DeliveryState.Pushed, false)]
    [InlineData(DeliveryState.Acked, false)]
    [InlineData(DeliveryState.Delivered, false)]
    [InlineData(DeliveryState.Expired, true)]
    [InlineData(DeliveryState.Dead, true)]
    public async Task OutboxUpdate_Settled_LeavesPendingAndKeepsPayloadOnlyForReplay(DeliveryState state, bool kept)
    {
        var append = await CommitAsync(Outbox(LaneA));
        await CommitAsync(Update(append, state, settled: true, at: Start + 5, error: "why"));
        Assert.Empty(await Store.ReadOutboxAsync(append.LaneId, 0, 10, 1000));
        Assert.Empty(await Store.ListPushLanesAsync("bncr", "main", 0, 10));
        var entry = (await Store.GetOutboxAsync(append.Id))!;
        Assert.Equal((state, true, kept ? "reply" : "", "why"), (entry.State, entry.Settled, Text(entry.Payload), entry.Error));
        var time = state switch
        {
            DeliveryState.Pushed => entry.PushedAt,
            DeliveryState.Acked => entry.AckedAt,
            DeliveryState.Delivered => entry.DeliveredAt,
            _ => entry.EndedAt,
        };
        Assert.Equal(Start + 5, time);
        // What is delivered is acked, too; nothing else has two times.
        Assert.Equal(state == DeliveryState.Delivered ? Start + 5 : 0, entry.DeliveredAt);
        Assert.Equal(state is DeliveryState.Acked or DeliveryState.Delivered ? Start + 5 : 0, entry.AckedAt);
        Assert.Equal(kept ? Start + 5 : 0, entry.EndedAt);
    }

    [StoreFact]
    public async Task OutboxUpdate_OfSettledEntry_OnlyImprovesIt()
    {
        var append = await CommitAsync(Outbox(LaneA));
        await CommitAsync(Update(append, DeliveryState.Pushed, settled: true, at: Start + 1));
        await CommitAsync(Update(append, DeliveryState.Accepted, settled: false, at: Start + 2));
        await CommitAsync(Update(append, DeliveryState.Dead, settled: true, at: Start + 3, error: "no"));
        var entry = (await Store.GetOutboxAsync(append.Id))!;
        Assert.Equal((DeliveryState.Pushed, true, 0L, (string?)null), (entry.State, entry.Settled, entry.EndedAt, entry.Error));

        await CommitAsync(Update(append, DeliveryState.Acked, settled: true, at: Start + 4));
        await CommitAsync(Update(append, DeliveryState.Delivered, settled: false, at: Start + 5));
        await CommitAsync(Update(append, DeliveryState.Acked, settled: true, at: Start + 6));
        entry = (await Store.GetOutboxAsync(append.Id))!;
        Assert.Equal((DeliveryState.Delivered, true), (entry.State, entry.Settled));
        Assert.Equal((Start + 1, Start + 4, Start + 5), (entry.PushedAt, entry.AckedAt, entry.DeliveredAt));
        Assert.Empty(await Store.ReadOutboxAsync(append.LaneId, 0, 10, 1000));
    }

    [StoreTheory]
    [InlineData(DeliveryState.Dead)]
    [InlineData(DeliveryState.Expired)]
    public async Task OutboxUpdate_OfEndedEntry_TakesTheClientsWordOnly(DeliveryState ended)
    {
        var append = await CommitAsync(Outbox(LaneA));
        await CommitAsync(Update(append, ended, settled: true));
        await CommitAsync(Update(append, DeliveryState.Pushed, settled: true, at: Start + 3));
        await CommitAsync(Update(append, DeliveryState.Accepted, settled: false, at: Start + 3));
        var entry = (await Store.GetOutboxAsync(append.Id))!;
        Assert.Equal((ended, 0L, "reply"), (entry.State, entry.AckedAt, Text(entry.Payload)));

        // An ack that was on the way for longer than anybody waited.
        await CommitAsync(Update(append, DeliveryState.Acked, settled: true, at: Start + 4));
        entry = (await Store.GetOutboxAsync(append.Id))!;
        Assert.Equal((DeliveryState.Acked, true, Start + 4, 0L, ""), (entry.State, entry.Settled, entry.AckedAt, entry.EndedAt, Text(entry.Payload)));
        Assert.Empty(await Store.QueryOutboxAsync(new OutboxQuery { States = [DeliveryState.Dead, DeliveryState.Expired] }));
        Assert.Empty(await Store.ReadOutboxAsync(append.LaneId, 0, 10, 1000));
    }

    [StoreTheory]
    [InlineData(DeliveryState.Dead)]
    [InlineData(DeliveryState.Expired)]
    public async Task OutboxReplay_EndedEntry_IsPendingAtTheLanesEnd(DeliveryState ended)
    {
        var append = await CommitAsync(Outbox(LaneA, "again", expiresAt: Start + 1));
        var other = await CommitAsync(Outbox(LaneA));
        await CommitAsync(new OutboxUpdate
        {
            LaneId = append.LaneId,
            Seq = 1,
            State = ended,
            Settled = true,
            Attempts = 10,
            Error = "gave up",
            HistoryLine = Bytes("{\"n\":10}"),
            At = Start,
        });
        await ReopenAsync();
        var replay = await CommitAsync(new OutboxReplay { Id = append.Id, At = Start + 5, HistoryLine = Bytes("{\"by\":\"op\"}") });
        Assert.Equal((true, append.LaneId, 3L), (replay.Replayed, replay.LaneId, replay.Seq));

        var entries = await Store.ReadOutboxAsync(append.LaneId, 0, 10, 1000);
        Assert.Equal([other.Id, append.Id], entries.Select(e => e.Id));
        var entry = entries[1];
        Assert.Equal((3L, DeliveryState.Accepted, false, 0, 0L), (entry.Seq, entry.State, entry.Settled, entry.Attempts, entry.NextAttemptAt));
        Assert.Equal((0L, 0L, null), (entry.ExpiresAt, entry.EndedAt, entry.Error));
        Assert.Equal(("again", "{\"n\":10}\n{\"by\":\"op\"}\n"), (Text(entry.Payload), Text(entry.History)));
        Assert.Equal(4, (await CommitAsync(Outbox(LaneA))).Seq);
        Assert.Equal((append.LaneId, 3L), (await Again(append.Id)));
    }

    [StoreFact]
    public async Task OutboxReplay_LiveOrUnknownEntry_DoesNothing()
    {
        var pending = await CommitAsync(Outbox(LaneA));
        var acked = await CommitAsync(Outbox(LaneA));
        await CommitAsync(Update(acked, DeliveryState.Acked, settled: true));
        foreach (var id in new[] { pending.Id, acked.Id, NextId() })
        {
            Assert.False((await CommitAsync(new OutboxReplay { Id = id, At = Start })).Replayed);
            Assert.False((await CommitAsync(new OutboxDiscard { Id = id })).Discarded);
        }

        Assert.Equal(3, (await CommitAsync(Outbox(LaneA))).Seq);
    }

    [StoreFact]
    public async Task OutboxDiscard_DeadEntry_IsGone()
    {
        var append = await CommitAsync(Outbox(LaneA));
        await CommitAsync(Update(append, DeliveryState.Dead, settled: true));
        Assert.True((await CommitAsync(new OutboxDiscard { Id = append.Id })).Discarded);
        Assert.Null(await Store.GetOutboxAsync(append.Id));
        Assert.False((await CommitAsync(new OutboxDiscard { Id = append.Id })).Discarded);
    }

    [StoreFact]
    public async Task ReadOutbox_Limits_StopButGiveAtLeastOne()
    {
        var first = await CommitAsync(Outbox(LaneA, new string('x', 100)));
        for (var i = 2; i <= 4; i++) await CommitAsync(Outbox(LaneA, new string('x', 100)));
        Assert.Equal([1L, 2L], (await Store.ReadOutboxAsync(first.LaneId, 0, 2, 10_000)).Select(e => e.Seq));
        Assert.Equal([3L, 4L], (await Store.ReadOutboxAsync(first.LaneId, 2, 10, 10_000)).Select(e => e.Seq));
        Assert.Equal([2L], (await Store.ReadOutboxAsync(first.LaneId, 1, 10, 50)).Select(e => e.Seq));
    }

    [StoreFact]
    public async Task ListPushLanes_PagesOneAccountWithTheFirstUnsettledSeq()
    {
        var first = await CommitAsync(Outbox(LaneA));
        await CommitAsync(Outbox(LaneA));
        await CommitAsync(Outbox(LaneC));
        await CommitAsync(Outbox(LaneB));
        await CommitAsync(Update(first, DeliveryState.Acked, settled: true));

        var all = await Store.ListPushLanesAsync("bncr", "main", 0, 10);
        Assert.Equal([(LaneA, 2L), (LaneB, 1L)], all.Select(l => (l.Key, l.Known)));
        Assert.Equal([LaneA], (await Store.ListPushLanesAsync("bncr", "main", 0, 1)).Select(l => l.Key));
        Assert.Equal([LaneB], (await Store.ListPushLanesAsync("bncr", "main", all[0].Id, 10)).Select(l => l.Key));
        Assert.Equal([LaneC], (await Store.ListPushLanesAsync("bncr", "second", 0, 10)).Select(l => l.Key));
        Assert.Empty(await Store.ListPushLanesAsync("bncr", "nobody", 0, 10));
    }

    private async Task<(long Lane, long Seq)> Again(Guid id)
    {
        var again = await CommitAsync(new OutboxAppend { Lane = LaneB, Id = id, At = Start, Payload = default });
        Assert.True(again.Duplicate);
        return (again.LaneId, again.Seq);
    }
}
