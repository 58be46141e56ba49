using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Core.Messaging;

namespace ChannelBridge.Tests.Unit.Messaging;

/// <summary>Policies per account: when a push is tried again, when it is given up, when it waits for its user.</summary>
public sealed class DeliveryPolicyTests
{
    [Fact]
    public async Task AccountPolicy_GoesBeforeTheChannels()
    {
        var core = await StartAsync(new DeliveryPolicy { MaxAttempts = 2, BaseDelay = TimeSpan.FromSeconds(3), Factor = 5 });
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "bad"), "bad");
        var first = (await target.WaitForAsync(1))[0];
        var before = core.Time.GetUtcNow();
        Assert.Equal(AckResult.WillRetry, await core.AckAsync(first.Id, ok: false));
        await InboxTests.AdvanceUntilAsync(core, () => target.Pushed.Count == 2);
        Assert.Equal(3, Math.Round((core.Time.GetUtcNow() - before).TotalSeconds));
        Assert.Equal(AckResult.MovedToDeadLetter, await core.AckAsync(first.Id, ok: false));
    }

    [Fact]
    public async Task RetryAfter_OfTheClient_IsHonouredAboveTheLongestWait()
    {
        var core = await StartAsync(new DeliveryPolicy { MaxDelay = TimeSpan.FromSeconds(2) });
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        var item = (await target.WaitForAsync(1))[0];
        await core.Outbox.AckAsync(new Ack(item.Id, "test", "primary", Ok: false, Error: "rate limited", RetryAfter: TimeSpan.FromMinutes(10)));
        core.Time.Advance(TimeSpan.FromMinutes(9));
        Assert.Single(target.Pushed);
        core.Time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(2, (await target.WaitForAsync(1)).Count);
    }

    [Theory]
    [InlineData("chat-not-found", true)]
    [InlineData("Chat-Not-Found: 404", true)]
    [InlineData("chat-not-found-yet", false)]
    [InlineData("timeout", false)]
    [InlineData(null, false)]
    public async Task Permanent_Error_IsADeadLetterAtOnce(string? error, bool permanent)
    {
        var core = await StartAsync(new DeliveryPolicy { Permanent = ["chat-not-found"] });
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        var item = (await target.WaitForAsync(1))[0];
        var result = await core.Outbox.AckAsync(new Ack(item.Id, "test", "primary", Ok: false, Error: error));
        Assert.Equal(permanent ? AckResult.MovedToDeadLetter : AckResult.WillRetry, result);
        if (permanent) Assert.Equal((DeliveryState.Dead, AccountOutbox.PermanentRefusal), (core.Store.Outbox()[0].State, core.Store.Outbox()[0].Error));
    }

    [Fact]
    public async Task Held_WaitsForTheUsersNextMessage_AtNoCostAndInOrder()
    {
        var core = await StartAsync(Holding);
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        for (var number = 1; number <= 3; number++) await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", $"{number}"), $"{number}");
        var first = (await target.WaitForAsync(1))[0];
        Assert.Equal(AckResult.Held, await RefuseAsync(core, first.Id));
        // Neither time nor a new message of ours brings it out, and other lanes flow.
        core.Time.Advance(TimeSpan.FromDays(20));
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "4"), "4");
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("b", "other"), "other");
        Assert.Equal("other", (await target.WaitForAsync(1))[^1].Message.Text);
        Assert.Equal(2, target.Pushed.Count);

        target.OnPush = async item => await core.AckAsync(item.Id);
        await core.AcceptAsync(CoreUnderTest.Message("a", "hello again"));
        var pushed = await target.WaitForAsync(5);
        Assert.Equal(["1", "2", "3", "4", "echo: hello again"], pushed.Skip(2).Select(item => item.Message.Text));
        Assert.Equal((first.Id, 1), (pushed[2].Id, pushed[2].Attempt));
        await InboxTests.AdvanceUntilAsync(core, () => core.Outbox.GetBacklog("test", "primary").Pending == 1);
    }

    [Fact]
    public async Task Held_SurvivesARestart_AndIsReleasedWhileNobodyIsAttached()
    {
        var core = await StartAsync(Holding);
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        await RefuseAsync(core, (await target.WaitForAsync(1))[0].Id);
        await core.Service.StopAsync();

        var again = await StartAsync(Holding, core);
        var other = new FakeTarget(again.Time);
        again.Attach(other);
        await again.Outbox.SendAsync(CoreUnderTest.Outbound("b", "flows"), "flows");
        Assert.Equal("flows", (await other.WaitForAsync(1))[0].Message.Text);
        again.Detach(other);
        await again.AcceptAsync(CoreUnderTest.Message("a", "hello again"));
        var third = new FakeTarget(again.Time);
        again.Attach(third);
        for (var count = 1; third.Pushed.All(item => item.Message.Text != "1"); count++) await third.WaitForAsync(1);
    }

    [Fact]
    public async Task Held_AnotherLaneOfTheSameRoute_ReleasesItToo()
    {
        var core = await StartAsync(Holding);
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a:task:x", "1") with { Route = "a" }, "1");
        await RefuseAsync(core, (await target.WaitForAsync(1))[0].Id);
        await core.AcceptAsync(CoreUnderTest.Message("a", "hello"));
        var pushed = await target.WaitForAsync(2);
        Assert.Equal(2, pushed.Count(item => item.Message.Text == "1"));
    }

    [Fact]
    public async Task RefusedAfterTheUserWrote_IsTriedAgainInsteadOfHeld()
    {
        var core = await StartAsync(Holding);
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        var first = (await target.WaitForAsync(1))[0];
        // The push was refused at the platform before the user wrote; the refusal only arrives after it.
        await core.AcceptAsync(CoreUnderTest.Message("a", "hello"));
        Assert.Equal(AckResult.WillRetry, await RefuseAsync(core, first.Id));
        Assert.Equal(first.Id, (await target.WaitForAsync(1))[^1].Id);
    }

    [Fact]
    public async Task Held_ExpiresWhenItsTimeIsUp()
    {
        var core = await StartAsync(Holding with { TimeToLive = TimeSpan.FromHours(1) });
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "1"), "1");
        await RefuseAsync(core, (await target.WaitForAsync(1))[0].Id);
        await InboxTests.AdvanceUntilAsync(core, () => core.Store.Outbox()[0].State == DeliveryState.Expired, TimeSpan.FromHours(2));
        Assert.True(core.Store.Outbox()[0].Settled);
    }

    private static DeliveryPolicy Holding { get; } = new() { HoldUntilInbound = ["window-closed"] };

    private static async Task<CoreUnderTest> StartAsync(DeliveryPolicy policy, CoreUnderTest? before = null) =>
        await new CoreUnderTest(before?.Store, time: before?.Time, configure: options => options.AccountDelivery[("test", "primary")] = policy).StartAsync();

    private static ValueTask<AckResult> RefuseAsync(CoreUnderTest core, Guid id) =>
        core.Outbox.AckAsync(new Ack(id, "test", "primary", Ok: false, Error: "window-closed: 24 h have passed"));
}
