using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Messaging;

/// <summary>The clock is set back or forth under the running host: waits stay what they were, nothing is lost, nothing is doubled.</summary>
public sealed class ClockTests
{
    [Theory]
    [InlineData(-24)]
    [InlineData(24)]
    public async Task AckTimeout_IsMeasuredNotCompared(int hours)
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        var first = (await target.WaitForAsync(1))[0];
        core.Time.Jump(TimeSpan.FromHours(hours));
        // A new message makes the lane look at its clock: an ack that isn't late yet must not be taken for late.
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "2"), "2");
        core.Time.Advance(TimeSpan.FromSeconds(29));
        Assert.Single(target.Pushed);
        core.Time.Advance(TimeSpan.FromSeconds(2));
        await InboxTests.AdvanceUntilAsync(core, () => target.Pushed.Count >= 2, TimeSpan.FromHours(1));
        Assert.Equal(first.Id, target.Pushed.ElementAt(1).Id);
    }

    [Theory]
    [InlineData(-24)]
    [InlineData(24)]
    public async Task Retry_WaitsWhatWasSaid(int hours)
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        var first = (await target.WaitForAsync(1))[0];
        await core.Outbox.AckAsync(new Ack(first.Id, "test", "primary", Ok: false, RetryAfter: TimeSpan.FromMinutes(1)));
        core.Time.Jump(TimeSpan.FromHours(hours));
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "2"), "2");
        core.Time.Advance(TimeSpan.FromSeconds(59));
        Assert.Single(target.Pushed);
        await InboxTests.AdvanceUntilAsync(core, () => target.Pushed.Count >= 2, TimeSpan.FromHours(1));
    }

    [Fact]
    public async Task Retry_StoredBeforeTheClockWasSetBackByYears_WaitsADayAtMost()
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        await core.AckAsync((await target.WaitForAsync(1))[0].Id, ok: false);
        await core.Service.StopAsync();
        core.Time.Jump(TimeSpan.FromDays(-3000));
        var again = await new CoreUnderTest(core.Store, time: core.Time).StartAsync();
        var other = new FakeTarget(again.Time);
        again.Attach(other);
        await InboxTests.AdvanceUntilAsync(again, () => !other.Pushed.IsEmpty, TimeSpan.FromHours(25));
    }

    // The clock is set while the failure is being recorded: after its retry was written down, and before the lane begins to wait. Measured by the time of day, a wait of
    // a second was a day then.
    [Theory]
    [InlineData(-24)]
    [InlineData(24)]
    public async Task Turn_ThatFailed_RunsAgainAfterItsWait(int hours)
    {
        var core = new CoreUnderTest(agent: FailsOnce());
        core.Registry.Add([new Jumping(core.Time, TimeSpan.FromHours(hours))]);
        await core.StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = true };
        core.Attach(target);
        await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        await core.Time.ArmedWithinAsync(core.Options.TurnRetryDelay);
        core.Time.Advance(core.Options.TurnRetryDelay);
        Assert.Equal("answer", (await target.WaitForAsync(1)).Single().Message.Text);
    }

    [Theory]
    [InlineData(-24)]
    [InlineData(24)]
    public async Task Turn_ThatWaitsToRunAgain_WaitsWhatWasSaid(int hours)
    {
        var core = await new CoreUnderTest(agent: FailsOnce()).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = true };
        core.Attach(target);
        await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        await core.Time.ArmedWithinAsync(core.Options.TurnRetryDelay);
        core.Time.Jump(TimeSpan.FromHours(hours));
        core.Time.Advance(core.Options.TurnRetryDelay / 2);
        Assert.Equal(1, core.Store.Inbox()[0].Attempts);
        Assert.Empty(target.Pushed);
        core.Time.Advance(core.Options.TurnRetryDelay / 2);
        Assert.Equal("answer", (await target.WaitForAsync(1)).Single().Message.Text);
    }

    [Fact]
    public async Task FlushIntoADyingConnection_IsNotConfirmedByAClockThatJumpedForward()
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        await target.WaitForAsync(1);
        core.Time.Jump(TimeSpan.FromDays(1));
        core.Time.Advance(TimeSpan.FromSeconds(2));
        core.Detach(target);
        var next = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(next);
        Assert.Equal("1", (await next.WaitForAsync(1))[0].Message.Text);
    }

    private static ScriptedAgent FailsOnce()
    {
        var turns = 0;
        return new ScriptedAgent("echo", (_, _) => Interlocked.Increment(ref turns) == 1
            ? throw new BridgeException(ErrorCodes.Internal, "broken") { Retryable = true }
            : Task.FromResult<IReadOnlyList<AgentEvent>>([new AgentReply("answer")])).Ready();
    }

    /// <summary>Sets the clock when the first turn has ended.</summary>
    private sealed class Jumping(ManualTime time, TimeSpan by) : ITurnListener
    {
        private int _ended;

        public void OnTurnEvent(AgentTurn turn, int ordinal, AgentEvent agentEvent)
        {
        }

        public void OnTurnEnded(AgentTurn turn, bool failed)
        {
            if (Interlocked.Increment(ref _ended) == 1) time.Jump(by);
        }
    }
}
