using System.Diagnostics.Metrics;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Core.Messaging;

namespace ChannelBridge.Tests.Unit.Messaging;

/// <summary>Every queue has a bound and a gauge, lanes are served fairly, and cold lanes cost nothing.</summary>
public sealed class BackPressureTests
{
    [Fact]
    public async Task LaneAtItsBound_IsBusyBeforeAnythingIsWritten_OthersAreNot()
    {
        var gate = new TaskCompletionSource();
        var agent = new ScriptedAgent("echo", async (_, cancel) =>
        {
            await gate.Task.WaitAsync(cancel);
            return [];
        }).Ready();
        var core = await new CoreUnderTest(agent: agent, configure: options => options.LaneInboxCapacity = 5).StartAsync();
        for (var number = 0; number < 5; number++) await core.AcceptAsync(CoreUnderTest.Message("a", $"{number}"));
        var error = await Assert.ThrowsAsync<BridgeException>(async () => await core.AcceptAsync(CoreUnderTest.Message("a", "5")));
        Assert.Equal((ErrorCodes.Busy, true), (error.Code, error.Retryable));
        Assert.NotNull(error.RetryAfter);
        Assert.Equal(5, core.Store.Inbox().Count);
        await core.AcceptAsync(CoreUnderTest.Message("b", "0"));

        gate.SetResult();
        await InboxTests.AdvanceUntilAsync(core, () => core.Backlogs.InboxPending == 0);
        await core.AcceptAsync(CoreUnderTest.Message("a", "5"));
        Assert.Equal(0, core.Turns.Bound.FullCount);
    }

    /// <summary>Those that arrive together are counted before they are written, so they don't pass the bound together.</summary>
    [Fact]
    public async Task Bounds_HoldForWhatArrivesAtTheSameMoment()
    {
        var away = new ScriptedAgent("echo", (_, _) => Task.FromResult<IReadOnlyList<AgentEvent>>([]));
        var core = await new CoreUnderTest(agent: away, configure: options => (options.InboxCapacity, options.OutboxCapacity) = (3, 2)).StartAsync();
        var disk = new TaskCompletionSource();
        core.Store.BeforeCommit = _ => disk.Task;
        var messages = Enumerable.Range(0, 10).Select(async number => await core.AcceptAsync(CoreUnderTest.Message($"{number}", "x"))).ToArray();
        var sends = Enumerable.Range(0, 10).Select(number => core.Outbox.SendAsync(CoreUnderTest.Outbound($"{number}", "x"), $"{number}").AsTask()).ToArray();
        disk.SetResult();
        Assert.Equal((7, 8), (await BusyAsync(messages), await BusyAsync(sends)));
        Assert.Equal((3, 2), (core.Store.Inbox().Count, core.Store.Outbox().Count));
    }

    [Fact]
    public async Task BoundOfALane_HoldsForWhatArrivesAtTheSameMoment()
    {
        var away = new ScriptedAgent("echo", (_, _) => Task.FromResult<IReadOnlyList<AgentEvent>>([]));
        var core = await new CoreUnderTest(agent: away, configure: options => options.LaneInboxCapacity = 4).StartAsync();
        var disk = new TaskCompletionSource();
        core.Store.BeforeCommit = _ => disk.Task;
        var messages = Enumerable.Range(0, 20).Select(async number => await core.AcceptAsync(CoreUnderTest.Message("a", $"{number}"))).ToArray();
        var other = core.AcceptAsync(CoreUnderTest.Message("b", "x")).AsTask();
        disk.SetResult();
        Assert.Equal(16, await BusyAsync(messages));
        await other;
        Assert.Equal(5, core.Store.Inbox().Count);
        await Assert.ThrowsAsync<BridgeException>(async () => await core.AcceptAsync(CoreUnderTest.Message("a", "later")));
    }

    private static async Task<int> BusyAsync(IEnumerable<Task> calls)
    {
        var busy = 0;
        foreach (var call in calls)
        {
            try
            {
                await call;
            }
            catch (BridgeException error) when (error.Code == ErrorCodes.Busy)
            {
                busy++;
            }
        }

        return busy;
    }

    /// <summary>Another host counted the message in, this one counts it out.</summary>
    [Fact]
    public void Counts_AreNeverShownBelowZero()
    {
        var backlogs = new Backlogs();
        var counter = backlogs.Of("test", "primary");
        counter.OutboxPending = -3;
        backlogs.InboxAdd(counter, -2);
        Assert.Equal((0, 0), (backlogs.InboxPending, backlogs.OutboxPending));
        Assert.True(counter.OutboxTake(1));
        Assert.False(counter.OutboxTake(1));
    }

    /// <summary>A bridge that sends and never takes would otherwise let the outbox grow without end: each message makes an answer.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task OutboxAtItsBound_TakesNoMessagesOfTheAccount_UnlessTheyMayLetHeldOnesGo(bool holds)
    {
        var core = await new CoreUnderTest(configure: options =>
        {
            options.OutboxCapacity = 2;
            if (holds) options.DefaultDelivery = new DeliveryPolicy { HoldUntilInbound = ["window-closed"] };
        }).StartAsync();
        for (var number = 0; number < 2; number++) await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", $"{number}"), $"{number}");
        if (holds)
        {
            await core.AcceptAsync(CoreUnderTest.Message("a", "x"));
            return;
        }

        var error = await Assert.ThrowsAsync<BridgeException>(async () => await core.AcceptAsync(CoreUnderTest.Message("a", "x")));
        Assert.Equal((ErrorCodes.Busy, true, 0), (error.Code, error.Retryable, core.Store.Inbox().Count));
        Assert.NotNull(error.RetryAfter);
        await core.AcceptAsync(CoreUnderTest.Message("a", "x") with { AccountId = "Other" });
    }

    [Fact]
    public async Task LaneAtItsBound_IsKnownAgainAfterARestart()
    {
        var away = new ScriptedAgent("echo", (_, _) => Task.FromResult<IReadOnlyList<AgentEvent>>([]));
        var core = await new CoreUnderTest(agent: away, configure: options => options.LaneInboxCapacity = 5).StartAsync();
        for (var number = 0; number < 5; number++) await core.AcceptAsync(CoreUnderTest.Message("a", $"{number}"));
        await core.Service.StopAsync();
        var again = await new CoreUnderTest(core.Store, away, options => options.LaneInboxCapacity = 5, core.Time).StartAsync();
        // The first message after the start may still come in: it is what shows how deep the lane is.
        var accepted = 0;
        var busy = false;
        for (var number = 5; number < 8 && !busy; number++)
        {
            try
            {
                await again.AcceptAsync(CoreUnderTest.Message("a", $"{number}"));
                accepted++;
                await InboxTests.AdvanceUntilAsync(again, () => again.Turns.Bound.FullCount == 1);
            }
            catch (BridgeException error) when (error.Code == ErrorCodes.Busy)
            {
                busy = true;
            }
        }

        Assert.True(busy);
        Assert.InRange(accepted, 0, 1);
    }

    [Fact]
    public async Task LaneWithTenThousandMessages_DelaysOneWithASingleMessageByOneTurn()
    {
        const int Many = 10_000;
        var order = new List<string>();
        var opened = new TaskCompletionSource();
        var agent = new ScriptedAgent("echo", async (turn, cancel) =>
        {
            lock (order) order.Add(turn.Message.SessionKey);
            if (order.Count == 1) await opened.Task.WaitAsync(cancel);
            return [];
        }).Ready();
        var core = await new CoreUnderTest(agent: agent, configure: options => options.ConcurrentTurns = 1).StartAsync();
        for (var number = 0; number < Many; number++) await core.AcceptAsync(CoreUnderTest.Message("long", $"{number}"));
        await core.AcceptAsync(CoreUnderTest.Message("short", "1"));
        opened.SetResult();
        await WaitAsync(() => core.Backlogs.InboxPending == 0);
        // One turn of the long lane was running already; then it is the short lane's turn.
        Assert.Equal(1, order.IndexOf("short"));
        Assert.Equal(Many + 1, order.Count);
    }

    [Fact]
    public async Task LaneWithTenThousandReplies_DelaysNoOtherLane()
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        for (var number = 0; number < 10_000; number++) await core.Outbox.SendAsync(CoreUnderTest.Outbound("long", $"{number}"), $"l{number}");
        await target.WaitForAsync(1);
        for (var number = 0; number < 5; number++)
        {
            // The long lane's head is never acked; each of the others goes out at once nevertheless.
            await core.Outbox.SendAsync(CoreUnderTest.Outbound($"short{number}", "1"), $"s{number}");
            Assert.Equal($"short{number}", (await target.WaitForAsync(1))[^1].Message.SessionKey);
        }

        Assert.Equal(6, target.Pushed.Count);
        Assert.Equal(("long", 10_000L), core.Outbox.Deepest() is { } deepest ? (deepest.Key.SessionKey, deepest.Depth) : default);
    }

    [Fact]
    public async Task ColdLanes_CostNoMemory_HoweverManyAreInTheStore()
    {
        const int Lanes = 5_000;
        static void Configure(MessagingOptions options)
        {
            options.ActiveLanes = 64;
            options.IdleLanes = 32;
        }

        // Their users wrote, were answered and got their answers; and as many more wait while nobody is connected.
        var core = await new CoreUnderTest(configure: Configure).StartAsync();
        var highest = 0;
        void Look() => highest = Math.Max(highest, Math.Max(core.Turns.LanesInMemory, core.Outbox.LanesInMemory));
        var target = new FakeTarget(core.Time) { OnPush = async item => await core.AckAsync(item.Id) };
        core.Attach(target);
        for (var lane = 0; lane < Lanes; lane++)
        {
            await core.AcceptAsync(CoreUnderTest.Message($"warm{lane}", "1"));
            Look();
        }

        // The last lanes rest a moment after the last message is counted as done.
        await WaitAsync(
            () => core.Backlogs.InboxPending == 0 && core.Outbox.GetBacklog("test", "primary").Pending == 0
                && (core.Outbox.ActiveLanes, core.Turns.ActiveLanes) == (0, 0),
            Look);
        Assert.InRange(core.Turns.LanesInMemory, 0, 32);
        Assert.InRange(core.Outbox.LanesInMemory, 0, 32);

        core.Detach(target);
        for (var lane = 0; lane < Lanes; lane++) await core.Outbox.SendAsync(CoreUnderTest.Outbound($"cold{lane}", "1"), $"c{lane}");
        Look();
        Assert.Equal((0, 0), (core.Outbox.ActiveLanes, core.Turns.ActiveLanes));
        await core.Service.StopAsync();

        // A new host on the same store: all of it goes out through the few lanes that may be in memory.
        core = await new CoreUnderTest(core.Store, configure: Configure, time: core.Time).StartAsync();
        var other = new FakeTarget(core.Time) { OnPush = async item => await core.AckAsync(item.Id) };
        core.Attach(other);
        await WaitAsync(() => core.Outbox.GetBacklog("test", "primary").Pending == 0, Look);
        Assert.Equal(Lanes, other.Pushed.DistinctBy(item => item.Id).Count());
        Assert.InRange(highest, 1, 64 + 32);
        Assert.InRange(core.Outbox.LanesInMemory, 0, 32);
    }

    [Fact]
    public async Task Gauges_AndDiagnostics_ShowEveryQueue()
    {
        var core = await new CoreUnderTest(agent: new ScriptedAgent("echo", (_, _) => Task.FromResult<IReadOnlyList<AgentEvent>>([]))).StartAsync();
        await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        await core.AcceptAsync(CoreUnderTest.Message("a", "2"));
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        for (var number = 0; number < 3; number++) await core.Outbox.SendAsync(CoreUnderTest.Outbound("b", $"{number}"), $"{number}");
        await target.WaitForAsync(1);

        var section = await new MessagingDiagnostics(core.Backlogs, core.Turns, core.Outbox, core.Options).CollectAsync(CancellationToken.None);
        Assert.Equal((2L, core.Options.InboxCapacity), ((long)section["inbox"]!["pending"]!, (int)section["inbox"]!["capacity"]!));
        Assert.Equal((3L, 1), ((long)section["outbox"]!["pending"]!, (int)section["outbox"]!["inFlight"]!));
        Assert.Equal(("a", 2L), ((string?)section["lanes"]!["deepestTurns"]!["sessionKey"], (long)section["lanes"]!["deepestTurns"]!["atLeast"]!));
        Assert.Equal(("b", 3L), ((string?)section["lanes"]!["deepestPushes"]!["sessionKey"], (long)section["lanes"]!["deepestPushes"]!["atLeast"]!));
        Assert.NotNull(section["turns"]!["waitingLanes"]!["echo"]);

        var seen = new HashSet<string>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == "ChannelBridge.Core") listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, _, _, _) => seen.Add(instrument.Name));
        listener.SetMeasurementEventCallback<int>((instrument, _, _, _) => seen.Add(instrument.Name));
        listener.Start();
        listener.RecordObservableInstruments();
        string[] expected =
        [
            "channelbridge.inbox.pending", "channelbridge.outbox.pending", "channelbridge.outbox.in_flight", "channelbridge.outbox.dead", "channelbridge.lanes.active",
            "channelbridge.lanes.memory", "channelbridge.lanes.deepest", "channelbridge.lanes.full", "channelbridge.turns.waiting",
        ];
        Assert.Superset(expected.ToHashSet(), seen);
    }

    private static async Task WaitAsync(Func<bool> condition, Action? look = null)
    {
        using var timeout = new CancellationTokenSource(CoreUnderTest.Patience);
        while (!condition())
        {
            look?.Invoke();
            await Task.Delay(1, timeout.Token);
        }
    }
}
