using System.Diagnostics;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Messaging;

public sealed class InboxTests
{
    [Fact]
    public async Task Accept_BeforeTheCommit_IsNotAcknowledged()
    {
        var gate = new TaskCompletionSource();
        var store = new MemoryStore { BeforeCommit = _ => gate.Task };
        var core = await new CoreUnderTest(store).StartAsync();
        var accept = core.AcceptAsync(CoreUnderTest.Message("a", "1")).AsTask();
        Assert.False(accept.IsCompleted);
        gate.SetResult();
        Assert.False((await accept.WaitAsync(CoreUnderTest.Patience)).Duplicate);
    }

    [Fact]
    public async Task Accept_StoreFails_TheErrorReachesTheCallerAndNothingRuns()
    {
        var store = new MemoryStore { BeforeCommit = _ => throw new BridgeException(ErrorCodes.StoreFull, "full") };
        var core = await new CoreUnderTest(store).StartAsync();
        var error = await Assert.ThrowsAsync<BridgeException>(async () => await core.AcceptAsync(CoreUnderTest.Message("a", "1")));
        Assert.Equal(ErrorCodes.StoreFull, error.Code);
        Assert.Equal(0, core.Backlogs.InboxPending);
        Assert.Empty(store.Inbox());
    }

    [Fact]
    public async Task Accept_SameKeyTwice_IsOneMessageAndOneReply()
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        var first = await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        var second = await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        Assert.True(second.Duplicate);
        Assert.Equal(first.Id, second.Id);
        await target.WaitForAsync(1);
        Assert.Single(core.Store.Outbox());
    }

    [Fact]
    public async Task Accept_AtTheBound_IsBusyBeforeAnythingIsWritten()
    {
        var core = await new CoreUnderTest(agent: new ScriptedAgent("echo", (_, _) => throw new InvalidOperationException()), configure: o => o.InboxCapacity = 2)
            .StartAsync();
        await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        await core.AcceptAsync(CoreUnderTest.Message("a", "2"));
        var error = await Assert.ThrowsAsync<BridgeException>(async () => await core.AcceptAsync(CoreUnderTest.Message("a", "3")));
        Assert.Equal(ErrorCodes.Busy, error.Code);
        Assert.True(error.Retryable);
        Assert.NotNull(error.RetryAfter);
        Assert.Equal(2, core.Store.Inbox().Count);
    }

    [Fact]
    public async Task Turns_RandomArrival_AreInOrderPerLaneAndOneAtATime()
    {
        var random = new Random(7);
        var running = new System.Collections.Concurrent.ConcurrentDictionary<string, int>();
        var agent = new ScriptedAgent("echo", async (turn, _) =>
        {
            Assert.Equal(1, running.AddOrUpdate(turn.Message.SessionKey, 1, (_, count) => count + 1));
            for (var yields = turn.Message.Text.Length % 4; yields > 0; yields--) await Task.Yield();
            running.AddOrUpdate(turn.Message.SessionKey, 0, (_, count) => count - 1);
            return [new AgentReply(turn.Message.Text)];
        }).Ready();
        // Commits complete in a random order, lanes are few in memory, windows small: the store has to help all the time.
        var store = new MemoryStore { BeforeCommit = async _ => { for (var i = random.Next(5); i > 0; i--) await Task.Yield(); } };
        var core = await new CoreUnderTest(store, agent, o =>
        {
            o.ActiveLanes = 3;
            o.IdleLanes = 1;
            o.LaneWindow = 2;
        }).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        const int Lanes = 12, Each = 40;
        await Task.WhenAll(Enumerable.Range(0, Lanes).Select(async lane =>
        {
            for (var number = 0; number < Each; number++) await core.AcceptAsync(CoreUnderTest.Message($"lane{lane}", $"{number}"));
        })).WaitAsync(CoreUnderTest.Patience);
        var pushed = await target.WaitForAsync(Lanes * Each);
        foreach (var lane in pushed.GroupBy(item => item.Message.SessionKey))
        {
            Assert.Equal(Enumerable.Range(0, Each).Select(number => $"{number}"), lane.Select(item => item.Message.Text));
            Assert.Equal(Enumerable.Range(1, Each).Select(number => (long)number), lane.Select(item => item.Seq));
        }

        Assert.Equal(0, core.Backlogs.InboxPending);
    }

    [Fact]
    public async Task Restart_AcceptedWithoutAFinishedTurn_RunsAgainAndDoublesNothing()
    {
        var store = new MemoryStore();
        var time = new ManualTime();
        var stuck = new TaskCompletionSource<IReadOnlyList<AgentEvent>>();
        var first = await new CoreUnderTest(store, new ScriptedAgent("echo", async (turn, cancel) =>
            turn.Message.Text == "2" ? await stuck.Task.WaitAsync(cancel) : [new AgentReply(turn.Message.Text)]).Ready(), time: time).StartAsync();
        var target = new FakeTarget(time);
        first.Attach(target);
        foreach (var text in (string[])["1", "2", "3"]) await first.AcceptAsync(CoreUnderTest.Message("a", text));
        await target.WaitForAsync(1);
        await first.Service.StopAsync().WaitAsync(CoreUnderTest.Patience);

        var second = await new CoreUnderTest(store, time: time).StartAsync();
        var after = new FakeTarget(time) { OnPush = async item => await second.AckAsync(item.Id) };
        second.Attach(after);
        // 1 was pushed and not acked: it comes again under its key.
        var pushed = await after.WaitForAsync(3);
        Assert.Equal(["1", "echo: 2", "echo: 3"], pushed.Select(item => item.Message.Text));
        Assert.Equal(target.Pushed.Single().Id, pushed[0].Id);
        Assert.Equal(3, store.Outbox().Count);
    }

    [Fact]
    public async Task Turn_FailsThenSucceeds_KeepsTheLanesOrder()
    {
        var failures = 2;
        var agent = new ScriptedAgent("echo", (turn, _) => turn.Message.Text == "1" && failures-- > 0
            ? throw new BridgeException(ErrorCodes.Timeout, "slow") { Retryable = true }
            : Task.FromResult<IReadOnlyList<AgentEvent>>([new AgentReply(turn.Message.Text + "@" + turn.Attempt)])).Ready();
        var failed = new SemaphoreSlim(0);
        var store = new MemoryStore
        {
            BeforeCommit = batch =>
            {
                if (batch[0] is InboxUpdate { State: TurnState.Pending }) failed.Release();
                return Task.CompletedTask;
            },
        };
        var core = await new CoreUnderTest(store, agent).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        await core.AcceptAsync(CoreUnderTest.Message("a", "2"));
        for (var round = 0; round < 2; round++)
        {
            Assert.True(await failed.WaitAsync(CoreUnderTest.Patience));
            await AdvanceUntilAsync(core, () => target.Pushed.Count == 2 || failed.CurrentCount > 0);
        }

        var pushed = await target.WaitForAsync(2);
        Assert.Equal(["1@3", "2@1"], pushed.Select(item => item.Message.Text));
    }

    [Fact]
    public async Task Turn_FailsForGood_TellsTheUserAndGoesOn()
    {
        var agent = new ScriptedAgent("echo", (turn, _) => turn.Message.Text == "1"
            ? throw new BridgeException(ErrorCodes.InvalidRequest, "no")
            : Task.FromResult<IReadOnlyList<AgentEvent>>([new AgentReply("fine")])).Ready();
        var core = await new CoreUnderTest(agent: agent).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        await core.AcceptAsync(CoreUnderTest.Message("a", "2"));
        var pushed = await target.WaitForAsync(2);
        Assert.Equal([core.Options.TurnFailureNotice, "fine"], pushed.Select(item => item.Message.Text));
        Assert.Equal(TurnState.Dead, core.Store.Inbox()[0].State);
    }

    [Theory]
    [InlineData("NO_REPLY")]
    [InlineData(" HEARTBEAT_OK\n")]
    public async Task Turn_SilentReply_IsNotDelivered(string text)
    {
        var agent = new ScriptedAgent("echo", (turn, _) => Task.FromResult<IReadOnlyList<AgentEvent>>(
            [new AgentReply(turn.Message.Text == "quiet" ? text : "loud")])).Ready();
        var core = await new CoreUnderTest(agent: agent).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        await core.AcceptAsync(CoreUnderTest.Message("a", "quiet"));
        await core.AcceptAsync(CoreUnderTest.Message("a", "next"));
        Assert.Equal("loud", (await target.WaitForAsync(1)).Single().Message.Text);
    }

    [Fact]
    public async Task Agent_IsAway_ItsMessagesWaitAndCostNoAttempt()
    {
        var agent = new ScriptedAgent("echo", (turn, _) => Task.FromResult<IReadOnlyList<AgentEvent>>([new AgentReply($"{turn.Attempt}")]));
        var core = await new CoreUnderTest(agent: agent).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        core.Time.Advance(TimeSpan.FromHours(1));
        Assert.Empty(target.Pushed);
        agent.Ready();
        Assert.Equal("1", (await target.WaitForAsync(1)).Single().Message.Text);
    }

    [Fact]
    public async Task Turn_SeveralReplies_TheLastCommitsTogetherWithDone()
    {
        var batches = new List<string>();
        var store = new MemoryStore
        {
            BeforeCommit = batch =>
            {
                lock (batches) batches.Add(string.Join('+', batch.Select(write => write.GetType().Name)));
                return Task.CompletedTask;
            },
        };
        var agent = new ScriptedAgent("echo", (_, _) => Task.FromResult<IReadOnlyList<AgentEvent>>(
            [new AgentReply("one"), new AgentPartial("t"), new AgentReply("two")])).Ready();
        var core = await new CoreUnderTest(store, agent).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        var pushed = await target.WaitForAsync(2);
        Assert.Equal(["one", "two"], pushed.Select(item => item.Message.Text));
        lock (batches) Assert.Equal(["InboxAppend", "OutboxAppend", "OutboxAppend+InboxUpdate"], batches.Take(3));
    }

    /// <summary>
    /// Moves the clock in small steps until something has happened: the code under test arms its timers on other threads, and a busy machine runs those
    /// late. So what ends this is a minute of the real clock, not a number of steps.
    /// </summary>
    internal static async Task AdvanceUntilAsync(CoreUnderTest core, Func<bool> happened)
    {
        var began = Stopwatch.GetTimestamp();
        for (var step = 1; !happened(); step++)
        {
            core.Time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
            if (step % 16 == 0) await Task.Delay(1);
            Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromMinutes(1), "it didn't happen");
        }
    }

    /// <summary>The same within a time of the moved clock: what should happen by then, happens, however slow the machine.</summary>
    internal static async Task AdvanceUntilAsync(CoreUnderTest core, Func<bool> happened, TimeSpan within)
    {
        for (var step = 0; step < 100 && !happened(); step++)
        {
            core.Time.Advance(within / 100);
            for (var look = 0; look < 20 && !happened(); look++) await Task.Yield();
            if (!happened()) await Task.Delay(1);
        }

        for (var look = 0; look < 1000 && !happened(); look++) await Task.Delay(10);
        Assert.True(happened());
    }
}
