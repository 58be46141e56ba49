using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Tests.Unit.Messaging;

public sealed class ConversationMemoryTests
{
    [Fact]
    public async Task Turn_EarlierOnesOfTheLane_AreGivenAlong()
    {
        var agent = new RememberedAgent();
        var core = await new CoreUnderTest(agent: agent).StartAsync();
        Assert.Equal("", await agent.AnswerAsync(core, "a", "one"));
        Assert.Equal("user: one | assistant: re one", await agent.AnswerAsync(core, "a", "two"));
        // Another conversation knows nothing of it.
        Assert.Equal("", await agent.AnswerAsync(core, "b", "three"));
        Assert.Equal("user: one | assistant: re one | user: two | assistant: re two", await agent.AnswerAsync(core, "a", "four"));
        await core.Service.StopAsync();

        // It is in the store, not in the process.
        var next = await new CoreUnderTest(core.Store, agent, time: core.Time).StartAsync();
        Assert.EndsWith("user: four | assistant: re four", await agent.AnswerAsync(next, "a", "five"), StringComparison.Ordinal);
        await next.Service.StopAsync();
    }

    [Fact]
    public async Task Turn_MoreThanTheBounds_TheOldestGo()
    {
        var agent = new RememberedAgent { Memory = new AgentMemory(5, 1000, TimeSpan.FromDays(1)) };
        var core = await new CoreUnderTest(agent: agent).StartAsync();
        foreach (var text in new[] { "one", "two", "three" }) await agent.AnswerAsync(core, "a", text);
        // Five would begin with an answer without its question.
        Assert.Equal("user: two | assistant: re two | user: three | assistant: re three", await agent.AnswerAsync(core, "a", "four"));
        await core.Service.StopAsync();

        agent.Memory = new AgentMemory(100, 20, TimeSpan.FromDays(1));
        core = await new CoreUnderTest(agent: agent).StartAsync();
        foreach (var text in new[] { "one", "two", "three" }) await agent.AnswerAsync(core, "c", text);
        Assert.Equal("user: three | assistant: re three", await agent.AnswerAsync(core, "c", "four"));
        await core.Service.StopAsync();
    }

    [Fact]
    public async Task Turn_ThatFailedFirst_IsRememberedOnce()
    {
        var agent = new RememberedAgent { Failures = 1 };
        var core = await new CoreUnderTest(agent: agent, configure: options => options.TurnRetryDelay = TimeSpan.FromMilliseconds(1)).StartAsync();
        var answer = agent.AnswerAsync(core, "a", "one");
        while (!answer.IsCompleted)
        {
            core.Time.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(answer, Task.Delay(10));
        }

        Assert.Equal("", await answer);
        Assert.Equal("user: one | assistant: re one", await agent.AnswerAsync(core, "a", "two"));
        await core.Service.StopAsync();
    }

    [Fact]
    public async Task Reply_SilentOrRefused_IsNothingOrTheRefusal()
    {
        var agent = new RememberedAgent { Reply = turn => turn.Message.Text == "silent" ? new AgentReply("NO_REPLY") : new AgentReply("") { Refusal = "I won't." } };
        var core = await new CoreUnderTest(agent: agent).StartAsync();
        var target = new FakeTarget(core.Time) { RequiresAck = false };
        core.Attach(target);
        await agent.AnswerAsync(core, "a", "silent");
        await agent.AnswerAsync(core, "a", "refused");
        Assert.Equal("I won't.", Assert.Single(await target.WaitForAsync(1)).Message.Text);
        await core.Service.StopAsync();
    }

    private sealed class RememberedAgent : IAgent
    {
        private readonly ConcurrentDictionary<string, TaskCompletionSource<string>> _told = new();

        public string Name => "echo";

        public AgentMemory? Memory { get; set; } = new(40, 10_000, TimeSpan.FromDays(1));

        public int Failures { get; set; }

        public Func<AgentTurn, AgentReply> Reply { get; set; } = turn => new AgentReply("re " + turn.Message.Text);

        public Task WaitUntilAvailableAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        /// <summary>Says something and gives what the agent was told of the conversation before.</summary>
        public async Task<string> AnswerAsync(CoreUnderTest core, string conversation, string text)
        {
            var told = _told[text] = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            await core.AcceptAsync(CoreUnderTest.Message(conversation, text));
            return await told.Task.WaitAsync(CoreUnderTest.Patience);
        }

        public async IAsyncEnumerable<AgentEvent> RunAsync(AgentTurn turn, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await Task.Yield();
            if (Failures-- > 0) throw new BridgeException(ErrorCodes.Internal, "not yet") { Retryable = true };
            _told[turn.Message.Text].TrySetResult(string.Join(" | ", turn.History.Select(item => $"{item.Role}: {Text(item)}")));
            yield return Reply(turn);
        }

        private static string Text(MessageItem item) => item.Content[0] switch { InputTextPart text => text.Text, OutputTextPart text => text.Text, _ => "?" };
    }
}
