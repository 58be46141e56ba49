using System.Diagnostics;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Messaging;

public sealed class OutboxTests
{
    [Fact]
    public async Task Offline_ThenAttached_FlushesInOrderAtOnce()
    {
        var core = await new CoreUnderTest().StartAsync();
        for (var number = 0; number < 300; number++) await core.Outbox.SendAsync(CoreUnderTest.Outbound($"lane{number % 3}", $"{number / 3}"), $"k{number}");
        Assert.Equal(300, core.Outbox.GetBacklog("test", "PRIMARY").Pending);
        var target = new FakeTarget(core.Time);
        target.OnPush = async item => await core.AckAsync(item.Id);
        core.Attach(target);
        var pushed = await target.WaitForAsync(300);
        foreach (var lane in pushed.GroupBy(item => item.Message.SessionKey))
        {
            Assert.Equal(Enumerable.Range(0, 100).Select(number => $"{number}"), lane.Select(item => item.Message.Text));
        }

        await InboxTests.AdvanceUntilAsync(core, () => core.Outbox.GetBacklog("test", "primary").Pending == 0);
        Assert.All(core.Store.Outbox(), entry => Assert.Equal((DeliveryState.Acked, true), (entry.State, entry.Settled)));
    }

    /// <summary>Guards broadcasts: one commit for all, on disk before anybody is told, once for each under its key, and a full account keeps nobody else from it.</summary>
    [Fact]
    public async Task SendAll_IsOneCommit_ToldWhenDurable_OnceForEach_WithoutWhoIsFull()
    {
        var core = await new CoreUnderTest(configure: options => options.OutboxCapacity = 1).StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("f", "before") with { AccountId = "full" }, "before");
        var commits = new List<int>();
        var disk = new TaskCompletionSource();
        core.Store.BeforeCommit = async batch =>
        {
            commits.Add(batch.Count);
            await disk.Task;
        };
        OutboundMessage[] all = [.. new[] { "Primary", "other", "full" }.Select(account => CoreUnderTest.Outbound($"lane of {account}", "news") with { AccountId = account })];
        var sending = core.Outbox.SendAllAsync(all, "news").AsTask();
        Assert.Equal((false, 0), (sending.IsCompleted, target.Pushed.Count));
        disk.SetResult();
        Assert.Equal([all[2]], await sending);
        Assert.Equal([2], commits);
        var pushed = Assert.Single(await target.WaitForAsync(1));
        Assert.Equal((MessageIds.ForAll("test", "primary", "news"), "lane of Primary", "news"), (pushed.Id, pushed.Message.SessionKey, pushed.Message.Text));
        await core.AckAsync(pushed.Id);

        // Again: who has it isn't told a second time.
        Assert.Equal(all[1..], await core.Outbox.SendAllAsync(all, "news"));
        Assert.Single(target.Pushed);
        Assert.Equal(["full", "other", "primary"], core.Store.Outbox().Select(entry => entry.Lane.Account).Order());
    }

    /// <summary>Guards what a broadcast costs in the store: ids of one key are neighbours in its index.</summary>
    [Fact]
    public void IdsForAll_OfOneKeyBeginAlike_AndDifferByAccount()
    {
        string[] ids = [.. new[] { "a", "b", "A" }.Select(account => MessageIds.ForAll("test", account, "k").ToString("N"))];
        Assert.Equal(ids[0], ids[2]);
        Assert.NotEqual(ids[0], ids[1]);
        Assert.Equal(ids[0][..12], ids[1][..12]);
        Assert.NotEqual(ids[0][..12], MessageIds.ForAll("test", "a", "l").ToString("N")[..12]);
    }

    [Fact]
    public async Task MustAck_OneUnackedMessageHoldsItsOwnLaneOnly()
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "a1"), "a1");
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "a2"), "a2");
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("b", "b1"), "b1");
        var pushed = await target.WaitForAsync(2);
        Assert.Equal(["a1", "b1"], pushed.Select(item => item.Message.Text));
        Assert.Equal(AckResult.Acked, await core.AckAsync(pushed[0].Id));
        Assert.Equal("a2", (await target.WaitForAsync(1))[^1].Message.Text);
    }

    [Fact]
    public async Task Refused_TenTimes_WaitsOneTwoFourSecondsAndBecomesADeadLetter()
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "bad"), "bad");
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "good"), "good");
        var times = new List<DateTimeOffset>();
        for (var attempt = 1; attempt <= 10; attempt++)
        {
            var item = (await target.WaitForAsync(1))[^1];
            Assert.Equal("bad", item.Message.Text);
            Assert.Equal(attempt, item.Attempt);
            times.Add(core.Time.GetUtcNow());
            var result = await core.AckAsync(item.Id, ok: false);
            Assert.Equal(attempt < 10 ? AckResult.WillRetry : AckResult.MovedToDeadLetter, result);
            if (attempt < 10) await InboxTests.AdvanceUntilAsync(core, () => target.Pushed.Count == attempt + 1);
        }

        var waits = times.Zip(times.Skip(1), (left, right) => Math.Round((right - left).TotalSeconds));
        Assert.Equal([1, 2, 4, 8, 16, 32, 64, 128, 256], waits);
        Assert.Equal("good", (await target.WaitForAsync(1))[^1].Message.Text);
        var dead = core.Store.Outbox()[0];
        Assert.Equal((DeliveryState.Dead, AccountOutbox.RetryLimit), (dead.State, dead.Error));
        Assert.NotEqual(0, dead.Payload.Length);
        Assert.Equal(10, System.Text.Encoding.UTF8.GetString(dead.History.Span).Count(character => character == '\n'));
        Assert.Equal(new Backlog(1, 1), core.Outbox.GetBacklog("test", "primary"));
    }

    [Fact]
    public async Task AckTimeout_PushesAgainUnderTheSameId()
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        var first = (await target.WaitForAsync(1))[0];
        await InboxTests.AdvanceUntilAsync(core, () => target.Pushed.Count == 2);
        var second = target.Pushed.Last();
        Assert.Equal((first.Id, first.Seq, 2), (second.Id, second.Seq, second.Attempt));
    }

    [Fact]
    public async Task LateAck_InTheBackOff_SettlesAndTheLaneGoesOn()
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "2"), "2");
        var first = (await target.WaitForAsync(1))[0];
        await core.AckAsync(first.Id, ok: false);
        Assert.Equal(AckResult.Acked, await core.AckAsync(first.Id));
        Assert.Equal("2", (await target.WaitForAsync(1))[^1].Message.Text);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Ack_SeveralTimesAtOnce_CountsOnce(bool inMemory)
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("b", "2"), "2");
        var first = (await target.WaitForAsync(2))[0];
        if (!inMemory)
        {
            // As after a restart: it was pushed by the host of before.
            await core.Service.StopAsync();
            core = await new CoreUnderTest(core.Store, time: core.Time).StartAsync();
        }

        var acks = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () => await core.AckAsync(first.Id))));
        Assert.Single(acks, AckResult.Acked);
        Assert.Equal(7, acks.Count(result => result == AckResult.AlreadyAckedOrMissing));
        Assert.Equal(1, core.Outbox.GetBacklog("test", "primary").Pending);
    }

    [Fact]
    public async Task Fatal_IsADeadLetterAtOnce()
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "2"), "2");
        var first = (await target.WaitForAsync(1))[0];
        Assert.Equal(AckResult.MovedToDeadLetter, await core.AckAsync(first.Id, ok: false, fatal: true));
        Assert.Equal("2", (await target.WaitForAsync(1))[^1].Message.Text);
        Assert.Equal(AckResult.AlreadyAckedOrMissing, await core.AckAsync(first.Id));
    }

    [Fact]
    public async Task Takeover_PushesWhatWasNotAckedToTheNewTarget()
    {
        var core = await new CoreUnderTest().StartAsync();
        var old = new FakeTarget(core.Time);
        core.Attach(old);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "2"), "2");
        var first = (await old.WaitForAsync(1))[0];
        var fresh = new FakeTarget(core.Time);
        fresh.OnPush = async item => await core.AckAsync(item.Id);
        core.Attach(fresh);
        var pushed = await fresh.WaitForAsync(2);
        Assert.Equal(["1", "2"], pushed.Select(item => item.Message.Text));
        Assert.Equal(first.Id, pushed[0].Id);
        core.Detach(old);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "3"), "3");
        Assert.Equal("3", (await fresh.WaitForAsync(1))[^1].Message.Text);
    }

    [Fact]
    public async Task NoAck_OrderlyClose_CountsAsReceived()
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        await target.WaitForAsync(1);
        await InboxTests.AdvanceUntilAsync(core, () => core.Outbox.GetBacklog("test", "primary").Pending == 0);
        target.ClosedByClient = true;
        core.Detach(target);
        var next = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(next);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "2"), "2");
        Assert.Equal("2", (await next.WaitForAsync(1))[0].Message.Text);
        Assert.Equal(DeliveryState.Pushed, core.Store.Outbox()[0].State);
    }

    [Fact]
    public async Task NoAck_ConnectionBreaks_UnprovenPushesComeAgainInOrder()
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        for (var number = 1; number <= 3; number++) await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", $"{number}"), $"{number}");
        await target.WaitForAsync(3);
        core.Detach(target);
        var next = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(next);
        Assert.Equal(["1", "2", "3"], (await next.WaitForAsync(3)).Select(item => item.Message.Text));
    }

    [Fact]
    public async Task NoAck_HeardLater_IsSettledAsPushedNeverAsAcked()
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        await target.WaitForAsync(1);
        core.Time.Advance(TimeSpan.FromSeconds(2));
        target.LastReceivedAt = core.Time.GetUtcNow();
        await InboxTests.AdvanceUntilAsync(core, () => core.Store.Outbox()[0].Settled);
        Assert.Equal((DeliveryState.Pushed, 0L), (core.Store.Outbox()[0].State, core.Store.Outbox()[0].AckedAt));
    }

    [Fact]
    public async Task Ack_OfAnotherAccount_ChangesNothing()
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        var first = (await target.WaitForAsync(1))[0];
        Assert.Equal(AckResult.AccountMismatch, await core.Outbox.AckAsync(new Ack(first.Id, "test", "other", Ok: true)));
        Assert.Equal(AckResult.AlreadyAckedOrMissing, await core.AckAsync(Guid.NewGuid()));
        Assert.False(core.Store.Outbox()[0].Settled);
        Assert.Equal(AckResult.Acked, await core.AckAsync(first.Id));
    }

    [Fact]
    public async Task Ack_StoreFails_IsNotConfirmedAndComesAgain()
    {
        var fail = false;
        var store = new MemoryStore
        {
            BeforeCommit = batch => fail && batch[0] is OutboxUpdate ? throw new BridgeException(ErrorCodes.StoreFull, "full") { Retryable = true } : Task.CompletedTask,
        };
        var core = await new CoreUnderTest(store).StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        var first = (await target.WaitForAsync(1))[0];
        fail = true;
        await Assert.ThrowsAsync<BridgeException>(async () => await core.AckAsync(first.Id));
        fail = false;
        await InboxTests.AdvanceUntilAsync(core, () => target.Pushed.Count == 2);
        Assert.Equal(first.Id, target.Pushed.Last().Id);
        Assert.Equal(AckResult.Acked, await core.AckAsync(first.Id));
    }

    [Fact]
    public async Task Full_IsNoAttempt()
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time) { Outcome = PushOutcome.Full };
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        core.Time.Advance(TimeSpan.FromSeconds(5));
        target.Outcome = PushOutcome.Flushed;
        await InboxTests.AdvanceUntilAsync(core, () => target.Pushed.Count == 1);
        Assert.Equal(1, target.Pushed.Single().Attempt);
    }

    [Fact]
    public async Task Expired_IsSettledWithoutAPush()
    {
        var core = await new CoreUnderTest(configure: o => o.DefaultDelivery = new DeliveryPolicy { TimeToLive = TimeSpan.FromMinutes(1) }).StartAsync();
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "old"), "old");
        core.Time.Advance(TimeSpan.FromMinutes(2));
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "new"), "new");
        Assert.Equal("new", (await target.WaitForAsync(1))[0].Message.Text);
        Assert.Equal(DeliveryState.Expired, core.Store.Outbox()[0].State);
    }

    /// <summary>Random sends, acks, refusals, silences, breaks and takeovers: nothing is lost, order per lane holds, doubles only under the same id.</summary>
    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    public async Task RandomFaults_LoseNothingAndKeepTheOrder(int seed)
    {
        var random = new Random(seed);
        var core = await new CoreUnderTest(configure: o =>
        {
            o.LaneWindow = 3;
            o.ActiveLanes = 4;
            o.IdleLanes = 1;
            o.DefaultDelivery = new DeliveryPolicy { MaxAttempts = 1_000, MaxDelay = TimeSpan.FromSeconds(2) };
        }).StartAsync();
        const int Lanes = 7, Each = 30;
        var received = new List<PushItem>();
        FakeTarget Connect()
        {
            var target = new FakeTarget(core.Time);
            target.OnPush = async item =>
            {
                int dice;
                lock (random) dice = random.Next(10);
                if (dice == 0) return;
                if (dice == 1)
                {
                    await core.AckAsync(item.Id, ok: false);
                    return;
                }

                lock (received) received.Add(item);
                if (dice != 2) await core.AckAsync(item.Id);
            };
            core.Attach(target);
            return target;
        }

        var current = Connect();
        var sending = Task.WhenAll(Enumerable.Range(0, Lanes).Select(async lane =>
        {
            for (var number = 0; number < Each; number++)
            {
                await core.Outbox.SendAsync(CoreUnderTest.Outbound($"lane{lane}", $"{number}"), $"{lane}/{number}");
                await Task.Yield();
            }
        }));
        var began = Stopwatch.GetTimestamp();
        for (var step = 0; !(sending.IsCompleted && core.Outbox.GetBacklog("test", "primary").Pending == 0); step++)
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromMinutes(2), "not all of it was delivered");
            core.Time.Advance(TimeSpan.FromMilliseconds(200));
            if (step % 50 == 49)
            {
                core.Detach(current);
                current = Connect();
            }

            await Task.Yield();
        }

        await sending.WaitAsync(CoreUnderTest.Patience);
        Assert.Equal(0, core.Outbox.GetBacklog("test", "primary").Pending);
        lock (received)
        {
            Assert.Equal(Lanes * Each, received.Select(item => item.Id).Distinct().Count());
            foreach (var lane in received.GroupBy(item => item.Message.SessionKey))
            {
                var firsts = lane.DistinctBy(item => item.Id).Select(item => int.Parse(item.Message.Text));
                Assert.Equal(Enumerable.Range(0, Each), firsts);
                Assert.All(lane.GroupBy(item => item.Id), doubles => Assert.Single(doubles.Select(item => item.Message.Text).Distinct()));
            }
        }
    }
}
