using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Messaging;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Messaging;

/// <summary>Words that pass their lane, when something goes otherwise than planned beside them.</summary>
public sealed class PassingWordsTests
{
    private static async Task<(CoreUnderTest Core, FakeTarget Target)> StartAsync(IAgent agent, Action<MessagingOptions>? configure = null)
    {
        var time = new ManualTime();
        var core = await new CoreUnderTest(new MemoryStore(time) { ChecksClaims = true }, agent, configure, time).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        return (core, target);
    }

    // The lane gave its claim back when its turn had ended, and the word was refused with CLAIM_LOST until the next start.
    [Fact]
    public async Task Passing_TheTurnEndsFirst_TheWordIsDoneAllTheSame()
    {
        var agent = new Gated();
        var (core, target) = await StartAsync(agent);
        await core.AcceptAsync(CoreUnderTest.Message("a", "asks"));
        await agent.BeganAsync("asks");
        await core.AcceptAsync(CoreUnderTest.Message("a", "/approve 1"));
        await agent.BeganAsync("/approve 1");
        agent.Let("asks");
        Assert.Equal("re asks", (await target.WaitForAsync(1)).Single().Message.Text);
        await Wait.UntilAsync(() => core.Backlogs.InboxPending == 1);
        agent.Let("/approve 1");
        Assert.Equal("re /approve 1", (await target.WaitForAsync(1))[^1].Message.Text);
        await Wait.UntilAsync(() => core.Backlogs.InboxPending == 0);
        // And the lane has come to rest: what comes next is answered.
        agent.Let("next");
        await core.AcceptAsync(CoreUnderTest.Message("a", "next"));
        await Wait.UntilAsync(() => core.Backlogs.InboxPending == 0);
        Assert.Equal(["asks", "/approve 1", "next"], agent.Ran);
    }

    [Fact]
    public async Task Passing_TheWordTakesItsTime_TheLaneGoesOnBesideIt()
    {
        var agent = new Gated();
        var (core, target) = await StartAsync(agent);
        await core.AcceptAsync(CoreUnderTest.Message("a", "asks"));
        await agent.BeganAsync("asks");
        await core.AcceptAsync(CoreUnderTest.Message("a", "/approve 1"));
        await agent.BeganAsync("/approve 1");
        agent.Let("asks");
        await target.WaitForAsync(1);
        agent.Let("next");
        await core.AcceptAsync(CoreUnderTest.Message("a", "next"));
        Assert.Equal("re next", (await target.WaitForAsync(1))[^1].Message.Text);
        agent.Let("/approve 1");
        await Wait.UntilAsync(() => core.Backlogs.InboxPending == 0);
        Assert.Equal(["asks", "/approve 1", "next"], agent.Ran);
    }

    // Its second try found the next message at the lane's head, and stopped that.
    [Fact]
    public async Task Stop_IsTriedAgain_TheNextTurnIsNotStopped()
    {
        var agent = new Gated { TakesStop = false };
        var (core, target) = await StartAsync(agent);
        await core.AcceptAsync(CoreUnderTest.Message("a", "long"));
        await agent.BeganAsync("long");
        await core.AcceptAsync(CoreUnderTest.Message("a", "next"));
        var failures = 0;
        core.Store.BeforeCommit = batch =>
        {
            var isAnswer = batch.OfType<OutboxAppend>().Any() && batch.OfType<InboxUpdate>().Any(update => update.Ordinal == 3);
            if (isAnswer && Interlocked.Increment(ref failures) == 1) throw new BridgeException(ErrorCodes.StoreUnavailable, "not now") { Retryable = true };
            return Task.CompletedTask;
        };
        await core.AcceptAsync(CoreUnderTest.Message("a", "/stop"));
        await agent.BeganAsync("next");
        await core.Time.ArmedWithinAsync(TimeSpan.FromSeconds(1));
        core.Time.Advance(TimeSpan.FromSeconds(1));
        await Wait.UntilAsync(() => core.Store.Inbox()[2].State == TurnState.Done);
        agent.Let("next");
        Assert.Equal(["Stopped.", "re next"], (await target.WaitForAsync(2)).Select(item => item.Message.Text));
        await Wait.UntilAsync(() => core.Backlogs.InboxPending == 0);
        Assert.Null(core.Store.Inbox()[1].Error);
    }

    // A channel that couldn't say now what it writes with the end held the word for ever, and the stop of the host with it.
    [Fact]
    public async Task Stop_TheChannelCannotEndIt_TheHostStopsAllTheSame()
    {
        var agent = new Gated { TakesStop = false };
        var (core, _) = await StartAsync(agent);
        var busy = new BusyChannel();
        core.Registry.Add([busy]);
        await core.AcceptAsync(CoreUnderTest.Message("a", "long"));
        await agent.BeganAsync("long");
        await core.AcceptAsync(CoreUnderTest.Message("a", "/stop"));
        await Wait.UntilAsync(() => busy.Asked > 0);
        await core.Service.StopAsync().WaitAsync(CoreUnderTest.Patience);
        Assert.Equal(TurnState.Pending, core.Store.Inbox()[1].State);
    }

    [Fact]
    public async Task Passing_ManyConversations_NoMoreAtOnceThanTheAgentHasTurns()
    {
        var agent = new Gated();
        var (core, target) = await StartAsync(agent, options => options.ConcurrentTurns = 2);
        for (var lane = 0; lane < 6; lane++)
        {
            await core.AcceptAsync(CoreUnderTest.Message($"{lane}", "asks"));
            await core.AcceptAsync(CoreUnderTest.Message($"{lane}", $"/approve {lane}"));
        }

        // Two turns that wait for their word, and two words beside them; the words don't wait for the turns.
        await Wait.UntilAsync(() => agent.Ran.Count(text => text == "asks") == 2 && agent.Ran.Count(text => text != "asks") == 2);
        Assert.Equal(4, core.Turns.Running);
        for (var lane = 0; lane < 6; lane++) agent.Let($"/approve {lane}");
        await Wait.UntilAsync(() => agent.Ran.Count(text => text != "asks") == 6);
        Assert.Equal(2, agent.MostWords);
        agent.Let("asks");
        await target.WaitForAsync(12);
        await Wait.UntilAsync(() => core.Backlogs.InboxPending == 0);
    }

    // A fault of the engine that isn't the bridge's own ended the look for cancelled turns, until the next start.
    [Fact]
    public async Task Cancel_TheEngineFailsOnce_TheLookGoesOn()
    {
        var agent = new Gated();
        var (core, _) = await StartAsync(agent, options => options.TurnTimeout = TimeSpan.FromDays(30));
        await core.AcceptAsync(CoreUnderTest.Message("a", "asks"));
        await agent.BeganAsync("asks");
        var waiting = await core.AcceptAsync(CoreUnderTest.Message("a", "waits"));
        var failures = 0;
        core.Store.BeforeCommit = batch => batch.OfType<InboxUpdate>().Any(update => update.Ordinal == 2) && Interlocked.Increment(ref failures) <= 2
            ? throw new InvalidOperationException("the engine is broken")
            : Task.CompletedTask;
        Assert.True(await core.Cancels.CancelAsync(waiting.Id));
        await Wait.UntilAsync(() =>
        {
            core.Time.Advance(TimeSpan.FromMilliseconds(100));
            return core.Store.Inbox()[1].State == TurnState.Done;
        });
        Assert.Equal(3, failures);
        agent.Let("asks");
        await Wait.UntilAsync(() => core.Backlogs.InboxPending == 0);
        Assert.Equal(["asks"], agent.Ran);
    }

    // 64 gates for all keys: a call that fetched a file for a minute held up others that had nothing to do with it.
    [Fact]
    public async Task SentKeys_OnlyTheSameKeyWaits()
    {
        var core = await new CoreUnderTest().StartAsync();
        var keys = new SentKeys(core.Store, core.Options, core.Time);
        var me = new Caller("me", Scopes.Write, Door.Channel);
        var first = await keys.TakeAsync("k", me, ["hello"], CancellationToken.None);
        for (var other = 0; other < 200; other++) (await keys.TakeAsync($"k{other}", me, ["hello"], CancellationToken.None)).Dispose();
        var second = keys.TakeAsync("k", me, ["hello"], CancellationToken.None).AsTask();
        Assert.False(second.IsCompleted);
        using (var gone = new CancellationTokenSource())
        {
            var third = keys.TakeAsync("k", me, ["hello"], gone.Token).AsTask();
            await gone.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => third);
        }

        first.Dispose();
        (await second.WaitAsync(CoreUnderTest.Patience)).Dispose();
        (await keys.TakeAsync("k", me, ["hello"], CancellationToken.None).AsTask().WaitAsync(CoreUnderTest.Patience)).Dispose();
    }

    /// <summary>An agent whose turns go on when the test lets them.</summary>
    private sealed class Gated : IAgent
    {
        private readonly ConcurrentDictionary<string, TaskCompletionSource> _gates = new();
        private int _words;

        public string Name => "echo";

        public bool TakesStop { get; init; } = true;

        public ConcurrentQueue<string> Ran { get; } = new();

        public int MostWords { get; private set; }

        public void Let(string text) => GateOf(text).TrySetResult();

        public Task BeganAsync(string text) => Wait.UntilAsync(() => Ran.Contains(text));

        public bool PassesLine(InboundMessage message) =>
            message.Text.StartsWith("/approve", StringComparison.Ordinal) || (TakesStop && message.Text == "/stop");

        public Task WaitUntilAvailableAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public async IAsyncEnumerable<AgentEvent> RunAsync(AgentTurn turn, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            var isWord = PassesLine(turn.Message);
            if (isWord)
            {
                var now = Interlocked.Increment(ref _words);
                lock (Ran) MostWords = Math.Max(MostWords, now);
            }

            Ran.Enqueue(turn.Message.Text);
            await GateOf(turn.Message.Text).Task.WaitAsync(cancellationToken);
            if (isWord) Interlocked.Decrement(ref _words);
            yield return new AgentReply($"re {turn.Message.Text}");
        }

        private TaskCompletionSource GateOf(string text) => _gates.GetOrAdd(text, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
    }

    private sealed class BusyChannel : ITurnEnding
    {
        private int _asked;

        public string Channel => "test";

        public int Asked => Volatile.Read(ref _asked);

        public ValueTask<IReadOnlyList<RecordWrite>> EndAsync(TurnEnding ending, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _asked);
            throw BridgeException.Busy("not now", TimeSpan.FromSeconds(1));
        }
    }
}
