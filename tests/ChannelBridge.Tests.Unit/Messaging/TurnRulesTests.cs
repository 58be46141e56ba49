using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Messaging;

/// <summary>Turns by a channel's rules, what a channel writes with their end, results, cancelled turns.</summary>
public sealed class TurnRulesTests
{
    private static ScriptedAgent Says(params AgentEvent[] events) =>
        new ScriptedAgent("echo", (_, _) => Task.FromResult<IReadOnlyList<AgentEvent>>(events)).Ready();

    private static async Task<string?> RecordAsync(CoreUnderTest core, string key) =>
        await core.Store.GetRecordAsync("test.task", key) is { } record ? Encoding.UTF8.GetString(record.Value.Span) : null;

    private static RecordPut Put(string key, string value) => new() { Namespace = "test.task", Key = key, Value = Encoding.UTF8.GetBytes(value), At = 1 };

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

    [Fact]
    public async Task Accept_WithRecords_TheyAreWrittenOnce()
    {
        var core = await new CoreUnderTest(agent: Says(new AgentReply("fine"))).StartAsync();
        var message = CoreUnderTest.Message("a", "1");
        var first = await core.Inbox.AcceptAsync(message, 7, TimeSpan.FromDays(1), [Put("a", "first")]);
        var again = await core.Inbox.AcceptAsync(message, 7, TimeSpan.FromDays(1), [Put("a", "second"), Put("b", "second")]);
        Assert.Equal((false, true, first.Id), (first.Duplicate, again.Duplicate, again.Id));
        Assert.Equal(("first", null), (await RecordAsync(core, "a"), await RecordAsync(core, "b")));
    }

    [Fact]
    public async Task SendAndAck_WithRecords_TheyAreWrittenWithTheConsequence()
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        var sent = await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "hello"), "k", [Put("sent", "1")]);
        await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "hello"), "k", [Put("sent", "2")]);
        await target.WaitForAsync(1);
        var ack = new Ack(sent.Id, "test", "primary", Ok: true);
        Assert.Equal(AckResult.AccountMismatch, await core.Outbox.AckAsync(ack with { AccountId = "other" }, [Put("acked", "0")]));
        Assert.Equal(AckResult.Acked, await core.Outbox.AckAsync(ack, [Put("acked", "1")]));
        Assert.Equal(AckResult.AlreadyAckedOrMissing, await core.Outbox.AckAsync(ack, [Put("acked", "2")]));
        Assert.Equal(("1", "1"), (await RecordAsync(core, "sent"), await RecordAsync(core, "acked")));
    }

    [Fact]
    public async Task Ack_Refusal_WritesRecordsWithTheDeadLetter()
    {
        var core = await new CoreUnderTest().StartAsync();
        var target = new FakeTarget(core.Time);
        core.Attach(target);
        var sent = await core.Outbox.SendAsync(CoreUnderTest.Outbound("a", "hello"), "k");
        await target.WaitForAsync(1);
        var ack = new Ack(sent.Id, "test", "primary", Ok: false, Fatal: true, Error: "gone");
        Assert.Equal(AckResult.MovedToDeadLetter, await core.Outbox.AckAsync(ack, [Put("dead", "1")]));
        Assert.Equal("1", await RecordAsync(core, "dead"));
    }

    [Fact]
    public async Task Replies_Channel_GoToTheEndingAndNotToTheOutbox()
    {
        var json = JsonDocument.Parse("""{"a":1}""").RootElement;
        var core = new CoreUnderTest(agent: Says(
            new AgentPartial("on"), new AgentReply("one", "block"), new AgentArtifact("r") { Text = "be" },
            new AgentArtifact("r") { Text = "gin", Append = true, LastChunk = true },
            new AgentArtifact("d") { Json = json }, new AgentReply("two"), new AgentFinish(FinishReason.InputRequired)));
        var channel = new Ending();
        core.Registry.Add([channel]);
        await core.StartAsync();
        var message = CoreUnderTest.Message("a", "1") with { Rules = new TurnRules { Replies = ReplyWay.Channel } };
        await core.AcceptAsync(message);
        await UntilAsync(() => core.Store.Inbox()[0].State == TurnState.Done);
        var ending = Assert.Single(channel.Endings);
        Assert.Equal((TurnOutcome.Completed, FinishReason.InputRequired), (ending.Outcome, ending.Finish));
        Assert.Equal(["one", "two"], ending.Replies.Select(reply => reply.Text));
        Assert.Equal(["begin", """{"a":1}"""], ending.Artifacts.Select(artifact => artifact.Text ?? artifact.Json!.Value.GetRawText()));
        Assert.Empty(core.Store.Outbox());
        Assert.Equal("Completed", await RecordAsync(core, "1"));
    }

    // Channels without a notion of results show each as a message, in its place, whole.
    [Fact]
    public async Task Artifacts_OutboxChannel_BecomeMessages()
    {
        var core = await new CoreUnderTest(agent: Says(
            new AgentReply("look", "block"), new AgentArtifact("r") { Name = "poem.txt", Text = "roses" },
            new AgentArtifact("r") { Text = " are red", Append = true, LastChunk = true },
            new AgentArtifact("d") { Json = JsonDocument.Parse("""{"n":1}""").RootElement }, new AgentReply("done"))).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        var texts = (await target.WaitForAsync(4)).Select(item => item.Message.Text.ReplaceLineEndings("\n"));
        Assert.Equal(["look", "poem.txt\nroses are red", "{\n  \"n\": 1\n}", "done"], texts);
    }

    [Fact]
    public async Task Turn_Fails_EndingAndRulesOwnNotice()
    {
        var agent = new ScriptedAgent("echo", (turn, _) => throw new BridgeException(ErrorCodes.InvalidRequest, "no")).Ready();
        var core = new CoreUnderTest(agent: agent);
        var channel = new Ending();
        core.Registry.Add([channel]);
        await core.StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        await core.AcceptAsync(CoreUnderTest.Message("a", "1") with { Rules = new TurnRules { FailureNotice = "our own words" } });
        await core.AcceptAsync(CoreUnderTest.Message("a", "2") with { Rules = new TurnRules { FailureNotice = "" } });
        await core.AcceptAsync(CoreUnderTest.Message("a", "3"));
        Assert.Equal(["our own words", core.Options.TurnFailureNotice], (await target.WaitForAsync(2)).Select(item => item.Message.Text));
        await UntilAsync(() => channel.Endings.Count == 3);
        Assert.All(channel.Endings, ending => Assert.Equal((TurnOutcome.Failed, ErrorCodes.InvalidRequest, "no"), (ending.Outcome, ending.ErrorCode, ending.Error)));
        Assert.Equal("Failed", await RecordAsync(core, "3"));
    }

    // A channel that fails at the end of its turn must not stop the conversation; one whose store is busy is asked again.
    [Fact]
    public async Task Ending_Throws_TheTurnEndsWithoutItsRecords()
    {
        var core = new CoreUnderTest(agent: Says(new AgentReply("fine")));
        var channel = new Ending { Fault = new InvalidOperationException("mine") };
        core.Registry.Add([channel]);
        await core.StartAsync();
        await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        await UntilAsync(() => core.Store.Inbox()[0].State == TurnState.Done);
        Assert.Null(await RecordAsync(core, "1"));
        channel.Fault = BridgeException.Busy("later", TimeSpan.FromSeconds(1));
        await core.AcceptAsync(CoreUnderTest.Message("a", "2"));
        await UntilAsync(() => core.Store.Inbox()[1].State == TurnState.Done, core);
        Assert.Equal("Completed", await RecordAsync(core, "2"));
    }

    [Fact]
    public async Task Timeout_OfTheRules_GoesBeforeTheHostsAndIsFinal()
    {
        var agent = new ScriptedAgent("echo", async (turn, stop) =>
        {
            await Task.Delay(Timeout.Infinite, stop);
            return [];
        }).Ready();
        var core = new CoreUnderTest(agent: agent, configure: options => options.TurnTimeout = TimeSpan.FromMinutes(1));
        var channel = new Ending();
        core.Registry.Add([channel]);
        await core.StartAsync();
        await core.AcceptAsync(CoreUnderTest.Message("a", "1") with { Rules = new TurnRules { Timeout = TimeSpan.FromHours(12), Patience = TimeSpan.FromDays(1) } });
        await UntilAsync(() => core.Turns.Running == 1);
        core.Time.Advance(TimeSpan.FromHours(11.9));
        await Task.Delay(50);
        Assert.Equal(TurnState.Pending, core.Store.Inbox()[0].State);
        await UntilAsync(() => channel.Endings.Count == 1, core, TimeSpan.FromMinutes(1));
        Assert.Equal(ErrorCodes.Timeout, channel.Endings.Single().ErrorCode);
    }

    // "A short outage of the model is no apology": by time, not by five tries.
    [Theory]
    [InlineData(null, 15)]
    [InlineData(60, 60)]
    [InlineData(0, 0)]
    public async Task RetryableFailures_AreTriedAgainByTime(int? rule, int minutes)
    {
        var attempts = 0;
        var agent = new ScriptedAgent("echo", (turn, _) =>
        {
            Interlocked.Increment(ref attempts);
            throw new BridgeException(ErrorCodes.Timeout, "slow") { Retryable = true };
        }).Ready();
        var core = await new CoreUnderTest(agent: agent).StartAsync();
        var began = core.Time.GetUtcNow();
        var rules = rule is { } given ? new TurnRules { Patience = TimeSpan.FromMinutes(given) } : null;
        await core.AcceptAsync(CoreUnderTest.Message("a", "1") with { Rules = rules });
        await UntilAsync(() => core.Store.Inbox()[0].State == TurnState.Dead, core, TimeSpan.FromSeconds(1));
        var took = core.Time.GetUtcNow() - began;
        // The first tries are quick, the later ones a minute apart. The clock goes on while the turn runs, so the end may be a little late.
        Assert.InRange(took, TimeSpan.FromMinutes(minutes), TimeSpan.FromMinutes(minutes + 10));
        if (minutes > 0) Assert.InRange(attempts, 6, minutes + 8);
        else Assert.Equal(1, attempts);
    }

    // What a restart leaves of the patience comes from the attempts that are stored.
    [Fact]
    public async Task Patience_AfterARestart_GoesOnWhereItWas()
    {
        var agent = new ScriptedAgent("echo", (turn, _) => throw new BridgeException(ErrorCodes.Timeout, "slow") { Retryable = true }).Ready();
        var store = new MemoryStore();
        var first = await new CoreUnderTest(store, agent).StartAsync();
        await first.AcceptAsync(CoreUnderTest.Message("a", "1"));
        await UntilAsync(() => store.Inbox()[0].Attempts >= 15, first, TimeSpan.FromSeconds(1));
        await first.Service.StopAsync();
        Assert.Equal(TurnState.Pending, store.Inbox()[0].State);
        var began = first.Time.GetUtcNow();
        var second = await new CoreUnderTest(store, agent, time: first.Time).StartAsync();
        await UntilAsync(() => store.Inbox()[0].State == TurnState.Dead, second, TimeSpan.FromSeconds(1));
        Assert.InRange(second.Time.GetUtcNow() - began, TimeSpan.Zero, TimeSpan.FromMinutes(12));
    }

    [Fact]
    public async Task UnknownAgent_DeadLetterAndNoticeAndTheNextGoesOn()
    {
        var core = await new CoreUnderTest(agent: Says(new AgentReply("fine"))).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        await core.AcceptAsync(CoreUnderTest.Message("a", "1", agent: "gone"));
        await core.AcceptAsync(CoreUnderTest.Message("a", "2"));
        Assert.Equal([core.Options.TurnFailureNotice, "fine"], (await target.WaitForAsync(2)).Select(item => item.Message.Text));
        var dead = core.Store.Inbox()[0];
        Assert.Equal(TurnState.Dead, dead.State);
        Assert.StartsWith("NOT_FOUND: The settings know no agent 'gone'", dead.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("  ")]
    public async Task EmptyAnswer_DeadLetterAndNotice(string? answer)
    {
        var core = await new CoreUnderTest(agent: Says(answer is null ? [] : [new AgentReply(answer)])).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        Assert.Equal(core.Options.TurnFailureNotice, (await target.WaitForAsync(1)).Single().Message.Text);
        Assert.StartsWith("EMPTY_ANSWER", core.Store.Inbox()[0].Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancel_RunningTurn_EndsItAndTheNextGoesOn()
    {
        var cancelled = new TaskCompletionSource<bool>();
        var agent = new ScriptedAgent("echo", async (turn, stop) =>
        {
            if (turn.Message.Text != "1") return [new AgentReply("fine")];
            await Task.Delay(Timeout.Infinite, stop).ContinueWith(_ => cancelled.SetResult(turn.Cancelled.IsCancellationRequested), TaskScheduler.Default);
            stop.ThrowIfCancellationRequested();
            return [];
        }).Ready();
        var core = new CoreUnderTest(agent: agent);
        var channel = new Ending();
        core.Registry.Add([channel]);
        await core.StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        var first = await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        await core.AcceptAsync(CoreUnderTest.Message("a", "2"));
        await UntilAsync(() => core.Turns.Running == 1);
        Assert.True(await core.Cancels.CancelAsync(first.Id));
        Assert.Equal("fine", (await target.WaitForAsync(1)).Single().Message.Text);
        Assert.True(await cancelled.Task);
        Assert.Equal(TurnOutcome.Cancelled, channel.Endings.First().Outcome);
        Assert.Equal("Cancelled", await RecordAsync(core, "1"));
        Assert.False(await core.Cancels.CancelAsync(first.Id));
        Assert.False(await core.Cancels.CancelAsync(Guid.NewGuid()));
        await UntilAsync(() => core.Backlogs.InboxPending == 0);
        await UntilAsync(() => core.Store.ListRecordsAsync("core.cancel", null, null, 10).AsTask().Result.Count == 0);
    }

    // In the middle of a lane, behind a turn that runs: it ends at once, and is passed over when its time comes.
    [Fact]
    public async Task Cancel_WaitingTurn_EndsAtOnceAndNeverRuns()
    {
        var release = new TaskCompletionSource();
        var ran = new ConcurrentQueue<string>();
        var agent = new ScriptedAgent("echo", async (turn, _) =>
        {
            ran.Enqueue(turn.Message.Text);
            if (turn.Message.Text == "1") await release.Task;
            return [new AgentReply(turn.Message.Text)];
        }).Ready();
        var core = new CoreUnderTest(agent: agent);
        var channel = new Ending();
        core.Registry.Add([channel]);
        await core.StartAsync();
        await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        var second = await core.AcceptAsync(CoreUnderTest.Message("a", "2"));
        await core.AcceptAsync(CoreUnderTest.Message("a", "3"));
        await UntilAsync(() => !ran.IsEmpty);
        Assert.True(await core.Cancels.CancelAsync(second.Id));
        Assert.Equal((TurnOutcome.Cancelled, 0), (channel.Endings.Single().Outcome, channel.Endings.Single().Turn.Attempt));
        Assert.Equal(TurnState.Done, core.Store.Inbox()[1].State);
        release.SetResult();
        await UntilAsync(() => core.Backlogs.InboxPending == 0);
        Assert.Equal(["1", "3"], ran);
    }

    // It waits for its next attempt, which may be a minute off; what waits behind it doesn't.
    [Fact]
    public async Task Cancel_TurnThatWaitsForARetry_TheNextGoesOnAtOnce()
    {
        var failed = new SemaphoreSlim(0);
        var agent = new ScriptedAgent("echo", (turn, _) =>
        {
            if (turn.Message.Text == "2") return Task.FromResult<IReadOnlyList<AgentEvent>>([new AgentReply("fine")]);
            failed.Release();
            throw new BridgeException(ErrorCodes.Timeout, "slow", null) { Retryable = true, RetryAfter = TimeSpan.FromHours(1) };
        }).Ready();
        var core = await new CoreUnderTest(agent: agent).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        var first = await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        await core.AcceptAsync(CoreUnderTest.Message("a", "2"));
        Assert.True(await failed.WaitAsync(CoreUnderTest.Patience));
        await UntilAsync(() => core.Store.Inbox()[0].Attempts == 1);
        Assert.True(await core.Cancels.CancelAsync(first.Id));
        await UntilAsync(() => !target.Pushed.IsEmpty, core, TimeSpan.FromMilliseconds(1));
        Assert.Equal("fine", (await target.WaitForAsync(1)).Single().Message.Text);
    }

    // The wish outlives a crash: the message isn't handed to the agent again.
    [Fact]
    public async Task Cancel_ThenCrash_TheTurnIsEndedAfterTheRestart()
    {
        var store = new MemoryStore();
        var begun = new TaskCompletionSource();
        var stuck = new ScriptedAgent("echo", async (turn, _) =>
        {
            begun.TrySetResult();
            await Task.Delay(Timeout.Infinite, CancellationToken.None);
            return [];
        }).Ready();
        var first = await new CoreUnderTest(store, stuck).StartAsync();
        var receipt = await first.AcceptAsync(CoreUnderTest.Message("a", "1"));
        await begun.Task;
        Assert.True(await first.Cancels.CancelAsync(receipt.Id));
        var ran = false;
        var second = new CoreUnderTest(store, new ScriptedAgent("echo", (_, _) =>
        {
            ran = true;
            return Task.FromResult<IReadOnlyList<AgentEvent>>([new AgentReply("no")]);
        }).Ready());
        var channel = new Ending();
        second.Registry.Add([channel]);
        await second.StartAsync();
        await UntilAsync(() => store.Inbox()[0].State == TurnState.Done);
        Assert.Equal(TurnOutcome.Cancelled, channel.Endings.Single().Outcome);
        Assert.False(ran);
    }

    // A slow listener costs the agent nothing: texts that grow meanwhile come in one piece, and the reply after all of them.
    [Fact]
    public async Task Listener_IsSlow_PartialsAreJoinedAndTheReplyComesLast()
    {
        var events = Enumerable.Range(0, 5000).Select(AgentEvent (i) => new AgentPartial($"{i % 10}")).Append(new AgentReply("whole")).ToArray();
        var core = new CoreUnderTest(agent: Says(events));
        var listener = new Listener();
        core.Registry.Add([listener]);
        await core.StartAsync();
        await core.AcceptAsync(CoreUnderTest.Message("a", "1"));
        await listener.Ended.Task.WaitAsync(CoreUnderTest.Patience);
        var heard = listener.Heard.ToArray();
        Assert.Equal(string.Concat(events.OfType<AgentPartial>().Select(partial => partial.Suffix)), string.Concat(heard.OfType<AgentPartial>().Select(partial => partial.Suffix)));
        Assert.InRange(heard.Length, 2, 1000);
        Assert.IsType<AgentReply>(heard[^1]);
        Assert.Equal(TurnState.Done, core.Store.Inbox()[0].State);
    }

    private sealed class Ending : ITurnEnding
    {
        public string Channel => "test";

        public ConcurrentQueue<TurnEnding> Endings { get; } = new();

        public Exception? Fault { get; set; }

        public ValueTask<IReadOnlyList<RecordWrite>> EndAsync(TurnEnding ending, CancellationToken cancellationToken)
        {
            if (Fault is { } fault)
            {
                Fault = null;
                throw fault;
            }

            Endings.Enqueue(ending);
            return ValueTask.FromResult<IReadOnlyList<RecordWrite>>([Put(ending.Turn.Message.Text, ending.Outcome.ToString())]);
        }
    }

    private sealed class Listener : ITurnListener
    {
        public ConcurrentQueue<AgentEvent> Heard { get; } = new();

        public TaskCompletionSource Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void OnTurnEvent(AgentTurn turn, int ordinal, AgentEvent agentEvent)
        {
            Heard.Enqueue(agentEvent);
            if (Heard.Count < 20) Thread.Sleep(1);
        }

        public void OnTurnEnded(AgentTurn turn, bool failed) => Ended.TrySetResult();
    }
}
