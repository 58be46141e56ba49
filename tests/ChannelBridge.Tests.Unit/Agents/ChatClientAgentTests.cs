using System.Runtime.CompilerServices;
using System.Text.Json;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Protocol.OpenResponses;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Tests.Unit.Agents;

/// <summary>Any <see cref="IChatClient"/> is an agent in one line; the line is the one in docs/agents.md.</summary>
public sealed class ChatClientAgentTests
{
    [Fact]
    public async Task AddChatClientAgent_OneLine_IsAnAgentThatStreams()
    {
        var chatClient = new ScriptedChatClient(
            new ChatResponseUpdate(ChatRole.Assistant, "Hel") { MessageId = "1" },
            new ChatResponseUpdate(ChatRole.Assistant, "lo\ud83d") { MessageId = "1" },
            new ChatResponseUpdate(ChatRole.Assistant, "\ude00") { MessageId = "1", FinishReason = ChatFinishReason.Length },
            new ChatResponseUpdate(ChatRole.Assistant,
                [new UsageContent(
                    new UsageDetails { InputTokenCount = 3, OutputTokenCount = 4, CachedInputTokenCount = 1, ReasoningTokenCount = 2 })]));
        var services = new ServiceCollection();
        // docs/agents.md: begin
        services.AddChatClientAgent("mine", chatClient);
        // docs/agents.md: end
        using var provider = services.BuildServiceProvider();
        var agent = provider.GetServices<IAgent>().Single();
        Assert.Equal("mine", agent.Name);
        Assert.NotNull(agent.Memory);
        Assert.Equal(
            [new AgentPartial("Hel"), new AgentPartial("lo"), new AgentPartial("😀"), new AgentReply("Hello😀"), new AgentUsage(3, 4, 1, 2), new AgentFinish(FinishReason.Length)],
            await AgentUnderTest.RunAsync(agent));
        Assert.Equal("chat-client", (string?)agent.Describe()!["kind"]);
    }

    [Fact]
    public async Task Run_WholeRequest_ReachesTheClient()
    {
        var client = new ScriptedChatClient(new ChatResponseUpdate(ChatRole.Assistant, "ok"));
        await AgentUnderTest.RunAsync(Of(client), AgentUnderTest.Turn(request: new ResponseRequest
        {
            Instructions = "Be short.",
            Input =
            [
                new MessageItem("developer", [new InputTextPart("rules")]),
                new MessageItem("user", [new InputTextPart("look"), new InputImagePart("data:image/png;base64,AAAA"), new InputFilePart("a.pdf", null, "https://x/a.pdf")]),
                new FunctionCallItem("c1", "f", "{\"a\":1}"),
                new FunctionCallOutputItem("c1", "one"),
            ],
            Tools = [new FunctionTool("f", "does f", AgentUnderTest.Parse("""{"type":"object"}"""), null), new FunctionTool("g", null, null, null)],
            ToolChoice = new ToolChoice("required", null, ["f"]),
            Temperature = 0.5,
            MaxOutputTokens = 64,
        }));
        Assert.Equal([ChatRole.System, ChatRole.User, ChatRole.Assistant, ChatRole.Tool], client.Messages.Select(message => message.Role));
        Assert.Collection(client.Messages[1].Contents, text => Assert.IsType<TextContent>(text), image => Assert.IsType<DataContent>(image),
            file => Assert.IsType<UriContent>(file));
        Assert.Equal("1", client.Messages[2].Contents.OfType<FunctionCallContent>().Single().Arguments!["a"]!.ToString());
        Assert.Equal(["f"], client.Options!.Tools!.Select(tool => tool.Name));
        Assert.Equal(ChatToolMode.RequireAny, client.Options.ToolMode);
        Assert.Equal(("Be short.", 0.5f, 64), (client.Options.Instructions, client.Options.Temperature, client.Options.MaxOutputTokens));
    }

    [Fact]
    public async Task Run_ToolsReasoningRefusalsAndSeveralMessages_AreTold()
    {
        var client = new ScriptedChatClient(
            new ChatResponseUpdate(ChatRole.Assistant, [new TextReasoningContent("hm")]) { MessageId = "1" },
            new ChatResponseUpdate(ChatRole.Assistant, "one") { MessageId = "1" },
            new ChatResponseUpdate(ChatRole.Assistant, [new FunctionCallContent("c1", "f", new Dictionary<string, object?> { ["a"] = 1 })]) { MessageId = "1" },
            new ChatResponseUpdate(ChatRole.Tool, [new FunctionResultContent("c1", JsonSerializer.SerializeToElement(new { b = 2 }))]) { MessageId = "2" },
            new ChatResponseUpdate(ChatRole.Assistant, [new ErrorContent("No.") { ErrorCode = "Refusal" }]) { MessageId = "3" });
        Assert.Equal(
            [
                new AgentReasoning("hm"), new AgentPartial("one"), new AgentToolCall("c1", "f", """{"a":1}"""), new AgentReply("one"), new AgentToolResult("c1", """{"b":2}"""),
                new AgentRefusal("No."), new AgentReply("") { Refusal = "No." }, new AgentFinish(FinishReason.Stop),
            ],
            await AgentUnderTest.RunAsync(Of(client)));
    }

    [Fact]
    public async Task Run_ClientThatThrows_IsARetryableFailureWithoutItsWords()
    {
        var fault = await AgentUnderTest.FailAsync(Of(new ScriptedChatClient { Fault = new InvalidOperationException("the key is sk-secret") }));
        Assert.Equal(("AGENT_FAILED", true), (fault.Code, fault.Retryable));
        Assert.DoesNotContain("sk-secret", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_ErrorContent_IsAFailure()
    {
        var fault = await AgentUnderTest.FailAsync(Of(new ScriptedChatClient(new ChatResponseUpdate(ChatRole.Assistant, [new ErrorContent("it broke")]))));
        Assert.Contains("it broke", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_Cancelled_ReachesTheClient()
    {
        var client = new ScriptedChatClient { Silent = true };
        using var cancel = new CancellationTokenSource();
        var running = AgentUnderTest.RunAsync(Of(client), cancellationToken: cancel.Token);
        await client.Asked.Task.WaitAsync(AgentUnderTest.Patience);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.True(client.Cancelled);
    }

    [Fact]
    public async Task Run_EmptyAnswer_IsOneEmptyMessage() =>
        Assert.Equal([new AgentReply(""), new AgentFinish(FinishReason.Stop)], await AgentUnderTest.RunAsync(Of(new ScriptedChatClient())));

    [Fact]
    public async Task Run_ChannelsMessage_HasHistoryAndFiles()
    {
        var client = new ScriptedChatClient();
        await AgentUnderTest.RunAsync(Of(client), AgentUnderTest.Turn(
            "now", history: [new MessageItem("user", [new InputTextPart("before")])], files: [new Attachment { MimeType = "image/png", Content = [1] }]));
        Assert.Equal(["before", "now"], client.Messages.Select(message => message.Text));
        Assert.IsType<DataContent>(client.Messages[1].Contents[1]);
    }

    private static IAgent Of(IChatClient client)
    {
        var services = new ServiceCollection();
        services.AddChatClientAgent("mine", client);
        using var provider = services.BuildServiceProvider();
        return provider.GetServices<IAgent>().Single();
    }

    private sealed class ScriptedChatClient(params ChatResponseUpdate[] updates) : IChatClient
    {
        public List<ChatMessage> Messages { get; private set; } = [];

        public ChatOptions? Options { get; private set; }

        public Exception? Fault { get; init; }

        public bool Silent { get; init; }

        public bool Cancelled { get; private set; }

        public TaskCompletionSource Asked { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            Messages = [.. messages];
            Options = options;
            if (Fault is not null) throw Fault;
            if (Silent)
            {
                Asked.SetResult();
                try
                {
                    await Task.Delay(Timeout.Infinite, cancellationToken);
                }
                finally
                {
                    Cancelled = true;
                }
            }

            foreach (var update in updates) yield return update;
        }

        public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
            throw new NotSupportedException();

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose()
        {
        }
    }
}
