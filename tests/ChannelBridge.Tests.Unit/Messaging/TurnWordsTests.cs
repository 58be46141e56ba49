using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Messaging;
using ChannelBridge.OpenClaw;

namespace ChannelBridge.Tests.Unit.Messaging;

/// <summary>Words that pass the lane, word of a delay, agents that answer each other, times that end while nobody is there, keys that are used twice.</summary>
public sealed class TurnWordsTests
{
    private static readonly TurnRules FromAgent = new() { SenderIsAgent = true };

    private static async Task UntilAsync(Func<bool> condition, CoreUnderTest? core = null, TimeSpan? step = null)
    {
        var deadline = DateTime.UtcNow + CoreUnderTest.Patience;
        while (!condition())
        {
            Assert.True(DateTime.UtcNow < deadline, "it didn't happen in time");
            if (core is not null) core.Time.Advance(step ?? TimeSpan.FromMilliseconds(100));
            await Task.Delay(1);
        }
    }

    private static ScriptedAgent Answers(ConcurrentQueue<string>? ran = null, Func<AgentTurn, CancellationToken, Task>? before = null) => new ScriptedAgent(
        "echo",
        async (turn, stop) =>
        {
            ran?.Enqueue(turn.Message.Text);
            if (before is not null) await before(turn, stop);
            return [new AgentReply($"re {turn.Message.Text}")];
        }).Ready();

    // It waited for the very turn that it should stop.
    [Fact]
    public async Task Stop_OwnAgentRuns_TheTurnEndsTheUserIsToldAndTheRestIsAnswered()
    {
        var ran = new ConcurrentQueue<string>();
        var core = await new CoreUnderTest(agent: Answers(ran, (turn, stop) => turn.Message.Text == "long" ? Task.Delay(Timeout.Infinite, stop) : Task.CompletedTask)).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        await core.AcceptAsync(CoreUnderTest.Message("a", "long"));
        await core.AcceptAsync(CoreUnderTest.Message("a", "next"));
        await UntilAsync(() => !ran.IsEmpty);
        await core.AcceptAsync(CoreUnderTest.Message("a", "/STOP "));
        Assert.Equal(["Stopped.", "re next"], (await target.WaitForAsync(2)).Select(item => item.Message.Text).Order());
        await UntilAsync(() => core.Backlogs.InboxPending == 0);
        Assert.Equal(["long", "next"], ran);
        Assert.StartsWith("CANCELLED", core.Store.Inbox()[0].Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stop_NothingRuns_SaysSo()
    {
        var ran = new ConcurrentQueue<string>();
        var core = await new CoreUnderTest(agent: Answers(ran)).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        await core.AcceptAsync(CoreUnderTest.Message("a", "/stop"));
        Assert.Equal("There is nothing to stop.", (await target.WaitForAsync(1)).Single().Message.Text);
        Assert.Empty(ran);
        await UntilAsync(() => core.Backlogs.InboxPending == 0);
    }

    // A slash text of a sender without commands is a text.
    [Fact]
    public async Task Stop_SenderWithoutCommands_IsAText()
    {
        var core = await new CoreUnderTest(agent: Answers()).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        await core.AcceptAsync(CoreUnderTest.Message("a", "/stop") with { Rules = new TurnRules { Commands = false } });
        Assert.Equal("re /stop", (await target.WaitForAsync(1)).Single().Message.Text);
    }

    // The gateway's agent takes such words itself: they are handed to it beside the turn that runs, and don't run again when their turn comes.
    [Fact]
    public async Task Passing_AgentTakesTheWordItself_BesideTheTurnAndOnce()
    {
        var release = new TaskCompletionSource();
        var agent = new PassingAgent(release.Task);
        var core = await new CoreUnderTest(agent: agent).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        await core.AcceptAsync(CoreUnderTest.Message("a", "asks"));
        await UntilAsync(() => agent.Ran.Count == 1);
        await core.AcceptAsync(CoreUnderTest.Message("a", "behind"));
        await core.AcceptAsync(CoreUnderTest.Message("a", "/approve 1"));
        Assert.Equal("re /approve 1", (await target.WaitForAsync(1)).Single().Message.Text);
        release.SetResult();
        await UntilAsync(() => core.Backlogs.InboxPending == 0);
        Assert.Equal(["asks", "/approve 1", "behind"], agent.Ran);
    }

    [Theory]
    [InlineData("/stop", true)]
    [InlineData(" Stop! ", true)]
    [InlineData("please   STOP.", true)]
    [InlineData("stop don’t do anything", true)]
    [InlineData("やめて。", true)]
    [InlineData("/approve abc123 allow-once", true)]
    [InlineData("/approved", false)]
    [InlineData("stop the bus", false)]
    [InlineData("hello", false)]
    [InlineData("", false)]
    [InlineData("  stop                                                                                  \n", true)]
    public void UrgentWords_AreTheGateways(string text, bool urgent) => Assert.Equal(urgent, UrgentWords.Contains(text));

    [Fact]
    public async Task Delay_FailingTurn_TheUserIsToldOnceAndAnotherAgentsConversationIsUnharmed()
    {
        var works = false;
        var agent = new ScriptedAgent("echo", (turn, _) => works || turn.Message.SessionKey == "b"
            ? Task.FromResult<IReadOnlyList<AgentEvent>>([new AgentReply("at last")])
            : throw new BridgeException(ErrorCodes.Timeout, "slow") { Retryable = true }).Ready();
        var core = await new CoreUnderTest(agent: agent, configure: options => options.DelayNotice = TimeSpan.FromSeconds(20)).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        await core.AcceptAsync(CoreUnderTest.Message("b", "1"));
        Assert.Equal("b", (await target.WaitForAsync(1)).Single().Message.SessionKey);
        var began = core.Time.GetUtcNow();
        await UntilAsync(() => target.Pushed.Count == 2, core);
        Assert.InRange(core.Time.GetUtcNow() - began, TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(60));
        await UntilAsync(() => core.Time.GetUtcNow() - began > TimeSpan.FromMinutes(5), core, TimeSpan.FromSeconds(1));
        works = true;
        await UntilAsync(() => target.Pushed.Count == 3, core, TimeSpan.FromSeconds(1));
        Assert.Equal([core.Options.DelayNoticeText, "at last"], target.Pushed.Skip(1).Select(item => item.Message.Text));
    }

    [Fact]
    public async Task Delay_AgentIsAway_EachConversationIsToldOnce()
    {
        var agent = new ScriptedAgent("echo", (turn, _) => Task.FromResult<IReadOnlyList<AgentEvent>>([new AgentReply("fine")]));
        var core = await new CoreUnderTest(agent: agent, configure: options => (options.DelayNotice, options.ConcurrentTurns) = (TimeSpan.FromSeconds(20), 2)).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        for (var lane = 0; lane < 5; lane++) await core.AcceptAsync(CoreUnderTest.Message($"{lane}", "1"));
        await core.AcceptAsync(CoreUnderTest.Message("quiet", "1") with { Rules = new TurnRules { Replies = ReplyWay.Channel } });
        await UntilAsync(() => target.Pushed.Count == 5, core, TimeSpan.FromSeconds(1));
        core.Time.Advance(TimeSpan.FromHours(1));
        agent.Ready();
        var pushed = await target.WaitForAsync(10);
        Assert.Equal(5, pushed.Count(item => item.Message.Text == core.Options.DelayNoticeText));
        Assert.Equal(5, pushed.Where(item => item.Message.Text == "fine").Select(item => item.Message.SessionKey).Distinct().Count());
    }

    // Two agents that thank each other for ever; a bridge of people that carries a lively group is none.
    [Fact]
    public async Task Guard_AgentsAnswerEachOther_HeldAndTold()
    {
        var ran = new ConcurrentQueue<string>();
        var core = new CoreUnderTest(agent: Answers(ran), configure: options => options.AgentTurnsPerMinute = 3);
        var listener = new Listener();
        core.Registry.Add([listener]);
        await core.StartAsync();
        for (var i = 0; i < 8; i++)
        {
            await core.AcceptAsync(CoreUnderTest.Message("loop", $"thanks {i}") with { Rules = FromAgent, SenderId = "peer" });
            await core.AcceptAsync(CoreUnderTest.Message("people", $"hi {i}"));
            await core.AcceptAsync(CoreUnderTest.Message("other", $"ask {i}") with { Rules = FromAgent, SenderId = $"other{i}" });
        }

        await UntilAsync(() => ran.Count(text => text.StartsWith("hi", StringComparison.Ordinal)) == 8
            && ran.Count(text => text.StartsWith("ask", StringComparison.Ordinal)) == 8 && core.Turns.Held > 0);
        Assert.Equal(3, ran.Count(text => text.StartsWith("thanks", StringComparison.Ordinal)));
        await UntilAsync(() => !listener.Told.IsEmpty);
        Assert.StartsWith("Held: more than 3 turns a minute", listener.Told.First(), StringComparison.Ordinal);
        // A minute after the first three, the next three.
        await UntilAsync(() => ran.Count(text => text.StartsWith("thanks", StringComparison.Ordinal)) == 6, core, TimeSpan.FromSeconds(1));
        Assert.Equal(Enumerable.Range(0, 6).Select(i => $"thanks {i}"), ran.Where(text => text.StartsWith("thanks", StringComparison.Ordinal)));
        Assert.All(core.Store.Inbox(), entry => Assert.Equal(entry.State == TurnState.Done ? 1 : 0, entry.Attempts));
    }

    [Fact]
    public async Task TimeToLive_NobodyIsConnected_EndsAllTheSame()
    {
        var core = await new CoreUnderTest(configure: options => options.DefaultDelivery = new DeliveryPolicy { TimeToLive = TimeSpan.FromMinutes(5) }).StartAsync();
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "old"), "1");
        core.Time.Advance(TimeSpan.FromMinutes(3));
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "new"), "2");
        Assert.Equal(2, core.Outbox.GetBacklog("test", "Primary").Pending);
        core.Time.Advance(TimeSpan.FromMinutes(3));
        await UntilAsync(() => core.Outbox.GetBacklog("test", "Primary").Pending == 1, core);
        Assert.Equal((DeliveryState.Expired, "expired"), (core.Store.Outbox()[0].State, core.Store.Outbox()[0].Error));
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        Assert.Equal("new", (await target.WaitForAsync(1)).Single().Message.Text);
        await core.AckAsync(target.Pushed.Single().Id);
        Assert.Equal(0, core.Outbox.GetBacklog("test", "Primary").Pending);
    }

    [Fact]
    public async Task IdempotencyKey_OtherTargetOrText_IsAConflict()
    {
        var core = await new CoreUnderTest().StartAsync();
        var keys = new SentKeys(core.Store, core.Options, core.Time);
        var (me, you) = (new Caller("me", Scopes.Write, Door.Channel), new Caller("you", Scopes.Write, Door.Channel));
        using (var use = await keys.TakeAsync("k", me, ["bncr", "Primary", "a", "hello", null], CancellationToken.None))
        {
            await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "hello"), "k", use.Records);
        }

        (await keys.TakeAsync("k", me, ["bncr", "Primary", "a", "hello", null], CancellationToken.None)).Dispose();
        (await keys.TakeAsync("k", you, ["bncr", "Primary", "b", "mine", null], CancellationToken.None)).Dispose();
        foreach (string?[] other in new string?[][] { ["bncr", "Primary", "b", "hello", null], ["bncr", "Primary", "a", "hullo", null], ["bncr", "Primary", "a", "hell", "o"] })
        {
            var fault = await Assert.ThrowsAsync<BridgeException>(async () => await keys.TakeAsync("k", me, other, CancellationToken.None));
            Assert.Equal((ErrorCodes.Conflict, false), (fault.Code, fault.Retryable));
        }
    }

    private sealed class PassingAgent(Task release) : IAgent
    {
        public string Name => "echo";

        public ConcurrentQueue<string> Ran { get; } = new();

        public bool PassesLine(InboundMessage message) => message.Text.StartsWith("/approve", StringComparison.Ordinal);

        public Task WaitUntilAvailableAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public async IAsyncEnumerable<AgentEvent> RunAsync(AgentTurn turn, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
        {
            Ran.Enqueue(turn.Message.Text);
            if (turn.Message.Text == "asks") await release.WaitAsync(cancellationToken);
            yield return new AgentReply($"re {turn.Message.Text}");
        }
    }

    private sealed class Listener : ITurnListener
    {
        public ConcurrentQueue<string> Told { get; } = new();

        public void OnTurnEvent(AgentTurn turn, int ordinal, AgentEvent agentEvent)
        {
            if (agentEvent is AgentStatus status) Told.Enqueue(status.Text);
        }

        public void OnTurnEnded(AgentTurn turn, bool failed)
        {
        }
    }
}
