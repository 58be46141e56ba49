using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Tests.Unit.Storage;

public abstract partial class StoreContractTests
{
    [StoreFact]
    public async Task InboxAppend_NewKeys_GetOrdinalsPerLane()
    {
        var a1 = await CommitAsync(Inbox(LaneA, 1));
        var b1 = await CommitAsync(Inbox(LaneB, 2));
        await ReopenAsync();
        var a2 = await CommitAsync(Inbox(LaneA, 3));
        Assert.Equal((1, 1, 2), (a1.Ordinal, b1.Ordinal, a2.Ordinal));
        Assert.Equal(a1.LaneId, a2.LaneId);
        Assert.NotEqual(a1.LaneId, b1.LaneId);
        Assert.False(a2.Duplicate);
        Assert.Equal(a2.Id, a2.KnownId);
    }

    [StoreFact]
    public async Task InboxAppend_KnownKey_IsDuplicateOfTheFirst()
    {
        var first = await CommitAsync(Inbox(LaneA, UInt128.MaxValue));
        await ReopenAsync();
        var again = await CommitAsync(Inbox(LaneB, UInt128.MaxValue, at: Start + 59_999));
        Assert.True(again.Duplicate);
        Assert.Equal(first.Id, again.KnownId);
        Assert.Equal((first.LaneId, first.Ordinal), (again.LaneId, again.Ordinal));
        Assert.Null(await Store.GetInboxAsync(again.Id));

        await CommitAsync(Done(first));
        Assert.True((await CommitAsync(Inbox(LaneA, UInt128.MaxValue))).Duplicate);
        Assert.Equal(2, (await CommitAsync(Inbox(LaneA, 2))).Ordinal);
    }

    [StoreFact]
    public async Task InboxAppend_KeyWhoseTimeIsUp_IsNewAndDisturbsNoUnfinishedEntry()
    {
        var old = await CommitAsync(Inbox(LaneA, 7, "old", window: 2000));
        var fresh = await CommitAsync(Inbox(LaneA, 7, "new", at: Start + 2000, window: 2000));
        Assert.False(fresh.Duplicate);
        Assert.Equal(2, fresh.Ordinal);
        Assert.Equal(["old", "new"], (await Store.ReadInboxAsync(old.LaneId, 0, 10, 1000)).Select(e => Text(e.Payload)));

        var again = await CommitAsync(Inbox(LaneA, 7, at: Start + 2500));
        Assert.True(again.Duplicate);
        Assert.Equal(fresh.Id, again.KnownId);

        // The old entry finishes and dies as any other, and the new key outlives it.
        await CommitAsync(Done(old, Start + 3000));
        Assert.Equal(1, await Store.SweepAsync(new SweepLimits(Start + 3000, Start, Start)));
        Assert.Null(await Store.GetInboxAsync(old.Id));
        Assert.True((await CommitAsync(Inbox(LaneA, 7, at: Start + 3500))).Duplicate);
    }

    [StoreFact]
    public async Task InboxAppend_KeyOfFinishedEntryWhoseTimeIsUp_NamesTheNewOne()
    {
        var old = await CommitAsync(Inbox(LaneA, 7, window: 2000));
        await CommitAsync(Done(old));
        var fresh = await CommitAsync(Inbox(LaneB, 7, at: Start + 2000, window: 2000));
        Assert.False(fresh.Duplicate);
        await ReopenAsync();
        Assert.Equal(1, await Store.SweepAsync(new SweepLimits(Start + 2000, Start, Start)));
        Assert.Null(await Store.GetInboxAsync(old.Id));
        await ReopenAsync();
        var again = await CommitAsync(Inbox(LaneA, 7, at: Start + 3999));
        Assert.Equal((true, fresh.Id), (again.Duplicate, again.KnownId));
        Assert.False((await CommitAsync(Inbox(LaneA, 7, at: Start + 4000))).Duplicate);
    }

    [StoreFact]
    public async Task InboxAppend_IdThatExists_FailsAlone()
    {
        var first = await CommitAsync(Inbox(LaneA, 1));
        var clash = new InboxAppend { Lane = LaneA, Id = first.Id, DedupeKey = 2, DedupeUntil = Start + 1, At = Start, Payload = Bytes("x") };
        var error = await Assert.ThrowsAsync<BridgeException>(async () => await Store.CommitAsync(clash));
        Assert.Equal(ErrorCodes.Conflict, error.Code);
        Assert.Equal(2, (await CommitAsync(Inbox(LaneA, 2))).Ordinal);
    }

    [StoreFact]
    public async Task InboxUpdate_Retry_KeepsEntryWithItsAttempts()
    {
        var append = await CommitAsync(Inbox(LaneA, 1));
        await CommitAsync(new InboxUpdate
        {
            LaneId = append.LaneId,
            Ordinal = 1,
            State = TurnState.Pending,
            Attempts = 3,
            NextAttemptAt = Start + 5,
            Error = "agent away",
            At = Start,
        });
        await ReopenAsync();
        var entry = Assert.Single(await Store.ReadInboxAsync(append.LaneId, 0, 10, 1000));
        Assert.Equal((3, Start + 5, "agent away", "hello"), (entry.Attempts, entry.NextAttemptAt, entry.Error, Text(entry.Payload)));
        Assert.Equal((append.Id, append.LaneId, LaneA, 1L), (entry.Id, entry.LaneId, entry.Lane, entry.Ordinal));
        Assert.Equal((TurnState.Pending, Start), (entry.State, entry.AcceptedAt));
    }

    [StoreFact]
    public async Task InboxUpdate_Done_DropsPayloadAndLeavesPending()
    {
        var append = await CommitAsync(Inbox(LaneA, 1));
        await CommitAsync(Done(append));
        Assert.Empty(await Store.ReadInboxAsync(append.LaneId, 0, 10, 1000));
        Assert.Empty(await Store.ListTurnLanesAsync(0, 10));
        var entry = (await Store.GetInboxAsync(append.Id))!;
        Assert.Equal((TurnState.Done, 0), (entry.State, entry.Payload.Length));
    }

    [StoreFact]
    public async Task InboxUpdate_Dead_KeepsPayloadAndIsFinal()
    {
        var append = await CommitAsync(Inbox(LaneA, 1));
        await CommitAsync(new InboxUpdate { LaneId = append.LaneId, Ordinal = 1, State = TurnState.Dead, Attempts = 9, Error = "gave up", At = Start });
        await CommitAsync(Done(append));
        var entry = (await Store.GetInboxAsync(append.Id))!;
        Assert.Equal((TurnState.Dead, "hello", "gave up", 9), (entry.State, Text(entry.Payload), entry.Error, entry.Attempts));
        Assert.Empty(await Store.ListTurnLanesAsync(0, 10));
    }

    [StoreFact]
    public async Task ReadInbox_Limits_StopButGiveAtLeastOne()
    {
        var first = await CommitAsync(Inbox(LaneA, 1, new string('x', 100)));
        for (var i = 2; i <= 5; i++) await CommitAsync(Inbox(LaneA, (UInt128)i, new string('x', 100)));
        var lane = first.LaneId;
        Assert.Equal([1L, 2L], (await Store.ReadInboxAsync(lane, 0, 2, 10_000)).Select(e => e.Ordinal));
        Assert.Equal([3L, 4L, 5L], (await Store.ReadInboxAsync(lane, 2, 10, 10_000)).Select(e => e.Ordinal));
        Assert.Equal([1L, 2L], (await Store.ReadInboxAsync(lane, 0, 10, 250)).Select(e => e.Ordinal));
        Assert.Equal([1L], (await Store.ReadInboxAsync(lane, 0, 10, 1)).Select(e => e.Ordinal));
        Assert.Empty(await Store.ReadInboxAsync(lane, 5, 10, 1));
        Assert.Empty(await Store.ReadInboxAsync(lane + 1000, 0, 10, 1));
    }

    [StoreFact]
    public async Task ListTurnLanes_PagesByLaneWithTheFirstUnfinishedOrdinal()
    {
        var appends = new List<InboxAppend>();
        for (var i = 0; i < 5; i++)
        {
            var lane = LaneA with { SessionKey = $"lane {i}" };
            for (var n = 0; n < 3; n++) appends.Add(await CommitAsync(Inbox(lane, (UInt128)((10 * i) + n))));
        }

        await CommitAsync(Done(appends[0]));
        var page = await Store.ListTurnLanesAsync(0, 3);
        Assert.Equal([2L, 1L, 1L], page.Select(l => l.Known));
        Assert.Equal(["lane 0", "lane 1", "lane 2"], page.Select(l => l.Key.SessionKey));
        Assert.Equal(["lane 3", "lane 4"], (await Store.ListTurnLanesAsync(page[^1].Id, 10)).Select(l => l.Key.SessionKey));
    }

    [StoreFact]
    public async Task InboxAppend_OddTextAndLargePayload_ReadsBackTheSame()
    {
        var lane = new LaneKey("bncr", "", "clé — 会話 'x' 🙂");
        var payload = new byte[300_000];
        new Random(5).NextBytes(payload);
        var append = new InboxAppend { Lane = lane, Id = NextId(), DedupeKey = 1, DedupeUntil = Start + 1, At = Start, Payload = payload };
        var empty = new InboxAppend { Lane = lane, Id = NextId(), DedupeKey = 2, DedupeUntil = Start + 1, At = Start, Payload = default };
        await Store.CommitAsync([append, empty]);
        await ReopenAsync();
        Assert.Equal(2, (await Store.ReadInboxAsync(append.LaneId, 0, 10, int.MaxValue)).Count);
        var entry = (await Store.GetInboxAsync(append.Id))!;
        Assert.Equal(lane, entry.Lane);
        Assert.Equal(payload, entry.Payload.ToArray());
        Assert.Equal(0, (await Store.GetInboxAsync(empty.Id))!.Payload.Length);
        Assert.Equal(append.LaneId, (await CommitAsync(Outbox(lane))).LaneId);
    }

    [StoreFact]
    public async Task InboxReplay_DeadEntry_IsPendingAtTheLanesEndUnderItsId()
    {
        var (dead, other) = (await CommitAsync(Inbox(LaneA, 1, "again")), await CommitAsync(Inbox(LaneA, 2)));
        await CommitAsync(Dead(dead, Start + 3));
        await ReopenAsync();
        var replay = await CommitAsync(new InboxReplay { Id = dead.Id });
        Assert.Equal((true, dead.LaneId, 3L), (replay.Replayed, replay.LaneId, replay.Ordinal));

        var entries = await Store.ReadInboxAsync(dead.LaneId, 0, 10, 1000);
        Assert.Equal([other.Id, dead.Id], entries.Select(entry => entry.Id));
        var entry = entries[1];
        Assert.Equal((3L, TurnState.Pending, 0, 0L, null, "again"), (entry.Ordinal, entry.State, entry.Attempts, entry.EndedAt, entry.Error, Text(entry.Payload)));
        Assert.Equal(4, (await CommitAsync(Inbox(LaneA, 3))).Ordinal);
        Assert.True((await CommitAsync(Inbox(LaneA, 1))).Duplicate);
        Assert.False((await CommitAsync(new InboxReplay { Id = dead.Id })).Replayed);
        Assert.Empty(await Store.ListDeadInboxAsync(null, 10, headersOnly: true));
    }

    [StoreFact]
    public async Task InboxDiscard_DeadEntry_LeavesItsTombstone()
    {
        var (dead, pending) = (await CommitAsync(Inbox(LaneA, 1)), await CommitAsync(Inbox(LaneA, 2)));
        await CommitAsync(Dead(dead, Start + 3));
        Assert.True((await CommitAsync(new InboxDiscard { Id = dead.Id })).Discarded);
        foreach (var id in new[] { dead.Id, pending.Id, NextId() })
        {
            Assert.False((await CommitAsync(new InboxDiscard { Id = id })).Discarded);
            Assert.False((await CommitAsync(new InboxReplay { Id = id })).Replayed);
        }

        Assert.Empty((await Store.GetInboxAsync(dead.Id))!.Payload.ToArray());
        Assert.True((await CommitAsync(Inbox(LaneA, 1))).Duplicate);
        Assert.Equal(0, Assert.Single(await Store.CountAsync()).InboxDead);
    }

    [StoreFact]
    public async Task ListDeadInbox_PagesInTheOrderInWhichTheyWereGivenUp()
    {
        var entries = new List<InboxAppend>();
        for (var n = 1; n <= 5; n++) entries.Add(await CommitAsync(Inbox(n % 2 == 0 ? LaneA : LaneB, (UInt128)n, $"m{n}")));
        foreach (var n in new[] { 3, 1, 4, 2 }) await CommitAsync(Dead(entries[n - 1], Start + n % 3));

        var all = await Store.ListDeadInboxAsync(null, 10, headersOnly: false);
        Assert.Equal(["m3", "m1", "m4", "m2"], all.Select(entry => Text(entry.Payload)));
        Assert.Equal((TurnState.Dead, 2, "why", Start), (all[0].State, all[0].Attempts, all[0].Error, all[0].EndedAt));
        var (first, rest) = (await Store.ListDeadInboxAsync(null, 2, headersOnly: true), await Store.ListDeadInboxAsync((all[1].EndedAt, all[1].Id), 10, headersOnly: true));
        Assert.Equal(all.Select(entry => entry.Id), first.Concat(rest).Select(entry => entry.Id));
        Assert.All(first, entry => Assert.True(entry.Payload.IsEmpty));
    }

    private static InboxUpdate Dead(InboxAppend append, long at) => new()
    {
        LaneId = append.LaneId,
        Ordinal = append.Ordinal,
        State = TurnState.Dead,
        Attempts = 2,
        Error = "why",
        At = at,
    };
}
