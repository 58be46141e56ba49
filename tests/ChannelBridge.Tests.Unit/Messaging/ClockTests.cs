using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;

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

    [Theory]
    [InlineData(-24)]
    [InlineData(24)]
    public async Task Turn_ThatFailed_RunsAgainAfterItsWait(int hours)
    {
        var failed = 0;
        var agent = new ScriptedAgent("echo", (_, _) => Interlocked.Increment(ref failed) == 1
            ? throw new BridgeException(ErrorCodes.Internal, "broken") { Retryable = true }
            : Task.FromResult<IReadOnlyList<AgentEvent>>([new AgentReply("answer")])).Ready();
        var core = await new CoreUnderTest(agent: agent).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = true };
        core.Attach(target);
        await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        while (Volatile.Read(ref failed) == 0) await Task.Yield();
        core.Time.Jump(TimeSpan.FromHours(hours));
        await InboxTests.AdvanceUntilAsync(core, () => !target.Pushed.IsEmpty, TimeSpan.FromHours(1));
        Assert.Equal("answer", target.Pushed.First().Message.Text);
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
}
