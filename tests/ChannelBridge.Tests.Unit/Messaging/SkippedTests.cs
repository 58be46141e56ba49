using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Messaging;

namespace ChannelBridge.Tests.Unit.Messaging;

/// <summary>A hole in a conversation's numbers is explained by the push behind it, across reconnects and restarts, until a push that says so is acked.</summary>
public sealed class SkippedTests
{
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(5);

    private static async Task UntilAsync(CoreUnderTest core, Func<bool> condition)
    {
        var deadline = DateTime.UtcNow + CoreUnderTest.Patience;
        while (!condition())
        {
            Assert.True(DateTime.UtcNow < deadline, "it didn't happen in time");
            // The sweep's interval, so that the time to live of what comes later isn't used up.
            core.Time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(1);
        }
    }

    private static void Mortal(MessagingOptions options) => options.DefaultDelivery = new DeliveryPolicy { TimeToLive = Life };

    private static async Task<int> RecordsAsync(CoreUnderTest core) => (await core.Store.ListRecordsAsync(SkipRecords.Namespace, null, null, 100)).Count;

    /// <summary>Three messages end while nobody is connected, the second of another conversation.</summary>
    private static async Task<CoreUnderTest> ExpiredAsync()
    {
        var core = await new CoreUnderTest(configure: Mortal).StartAsync();
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "old 1"), "1");
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("b", "old"), "2");
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "old 2"), "3");
        core.Time.Advance(Life);
        await UntilAsync(core, () => core.Outbox.GetBacklog("test", "Primary").Pending == 0);
        return core;
    }

    [Fact]
    public async Task Expired_NobodyWasConnected_TheNextPushTellsUntilItIsAcked()
    {
        var core = await ExpiredAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "new"), "4");
        var first = (await target.WaitForAsync(1))[0];
        Assert.Equal([new SkippedMessages(1, 2, DeliveryState.Expired)], first.Skipped);
        Assert.Equal(3, first.Seq);

        // The connection breaks, and the host is restarted: it is told again.
        core.Detach(target);
        await core.Service.StopAsync();
        var again = await new CoreUnderTest(core.Store, configure: Mortal, time: core.Time).StartAsync();
        var other = new FakeTarget(again.Time);
        again.Attach(other);
        Assert.Equal([new SkippedMessages(1, 2, DeliveryState.Expired)], (await other.WaitForAsync(1))[0].Skipped);

        // Acked: it isn't told any more, here and after a reconnect.
        await again.AckAsync(first.Id);
        await again.Outbox.SendAsync(CoreUnderTest.Outbound("a", "newer"), "5");
        var second = (await other.WaitForAsync(1))[1];
        Assert.Equal((4, 0), (second.Seq, second.Skipped.Count));
        await Wait.UntilAsync(async () => await RecordsAsync(again) <= 1);
        again.Detach(other);
        var third = new FakeTarget(again.Time);
        again.Attach(third);
        Assert.Empty((await third.WaitForAsync(1))[0].Skipped);

        // The other conversation has its own.
        await again.AckAsync(second.Id);
        await again.Outbox.SendAsync(CoreUnderTest.Outbound("b", "new"), "6");
        Assert.Equal([new SkippedMessages(1, 1, DeliveryState.Expired)], (await third.WaitForAsync(1))[1].Skipped);
    }

    [Fact]
    public async Task GivenUp_OnALiveConnection_TheNextPushTells()
    {
        var core = await new CoreUnderTest(configure: options => options.DefaultDelivery = new DeliveryPolicy { MaxAttempts = 1 }).StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        for (var number = 1; number <= 3; number++) await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", $"{number}"), $"{number}");
        var first = (await target.WaitForAsync(1))[0];
        await core.AckAsync(first.Id, ok: false);
        var second = (await target.WaitForAsync(1))[1];
        Assert.Equal([new SkippedMessages(1, 1, DeliveryState.Dead)], second.Skipped);

        // What the client has refused for good it knows; and its word about the push confirms what that told.
        await core.AckAsync(second.Id, ok: false, fatal: true);
        Assert.Empty((await target.WaitForAsync(1))[2].Skipped);
    }

    // It was thought lost, and has come after all.
    [Fact]
    public async Task GivenUp_AndAckedLate_IsNotTold()
    {
        var core = await new CoreUnderTest(configure: options => options.DefaultDelivery = new DeliveryPolicy { MaxAttempts = 1 }).StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        var first = (await target.WaitForAsync(1))[0];
        await core.AckAsync(first.Id, ok: false);
        Assert.Equal(1, await RecordsAsync(core));
        Assert.Equal(AckResult.Acked, await core.AckAsync(first.Id));
        Assert.Equal(0, await RecordsAsync(core));
    }

    [Fact]
    public async Task ManyHoles_EachPushTellsSome_AllAreTold()
    {
        var core = await new CoreUnderTest().StartAsync();
        var lane = new LaneKey("test", "primary", "a");
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        for (var number = 2; number <= 300; number++) await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", $"{number}"), $"{number}");
        var now = core.Time.GetUtcNow().ToUnixTimeMilliseconds();
        // Every second of the first 298 has ended one way or the other.
        foreach (var entry in core.Store.Outbox().Where(entry => entry.Seq <= 298))
        {
            var state = entry.Seq % 2 == 0 ? DeliveryState.Expired : DeliveryState.Acked;
            await core.Store.CommitAsync([
                new OutboxUpdate { LaneId = entry.LaneId, Seq = entry.Seq, Id = entry.Id, State = state, Settled = true, At = now, Claim = StoreWrite.Unfenced },
                .. state == DeliveryState.Expired ? new StoreWrite[] { SkipRecords.Put(lane, entry.Seq, state, now, TimeSpan.FromDays(30)) } : []]);
        }

        var target = new FakeTarget(core.Time);
        core.Attach(target);
        var first = (await target.WaitForAsync(1))[0];
        await core.AckAsync(first.Id);
        var second = (await target.WaitForAsync(1))[1];
        Assert.Equal((299, 64, 300), (first.Seq, first.Skipped.Count, second.Seq));
        Assert.Equal(Enumerable.Range(1, 128).Select(step => 2L * step), first.Skipped.Concat(second.Skipped).Select(range => range.From));
    }
}
