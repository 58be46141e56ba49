using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Agents;
using ChannelBridge.Protocol.OpenResponses;
using ChannelBridge.Tests.Interop.Lab;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Tests.Interop;

/// <summary>Requests that somebody waits for, answered by the real gateway: through the plugin, and through its own /v1/responses.</summary>
[Collection(GatewaysCollection.Name)]
public sealed partial class AgentTests(AgentLab lab) : IClassFixture<AgentLab>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    [OpenClawFact]
    public async Task Plugin_Request_IsStreamedAndEndsWithTheReply()
    {
        var events = await RunAsync(lab.OpenClaw, Turn("please ask:waited-for now"));
        Assert.Equal("answer to waited-for", string.Concat(events.OfType<AgentPartial>().Select(partial => partial.Suffix)));
        Assert.Equal("answer to waited-for", Assert.Single(events.OfType<AgentReply>()).Text);
        Assert.True(events.FindLastIndex(e => e is AgentPartial) < events.FindIndex(e => e is AgentReply));
    }

    [OpenClawFact]
    public async Task Plugin_Request_BringsItsConversationAndInstructions()
    {
        var turn = Turn("and then ask:continued", new ResponseRequest
        {
            Instructions = "Speak like a pirate.",
            Input =
            [
                new MessageItem("user", [new InputTextPart("the parrot is called Polly")]),
                new MessageItem("assistant", [new OutputTextPart("noted")]),
                new MessageItem("user", [new InputTextPart("and then ask:continued")]),
            ],
        });
        await RunAsync(lab.OpenClaw, turn);
        var prompt = lab.Model.PromptOf("continued");
        Assert.Contains("the parrot is called Polly", prompt, StringComparison.Ordinal);
        Assert.Contains("Assistant: noted", prompt, StringComparison.Ordinal);
        Assert.Contains("Speak like a pirate.", prompt, StringComparison.Ordinal);
    }

    [OpenClawFact]
    public async Task Plugin_TwoRequests_KnowNothingOfEachOther()
    {
        await RunAsync(lab.OpenClaw, Turn("my secret is marzipan ask:one-request"));
        await RunAsync(lab.OpenClaw, Turn("ask:other-request"));
        Assert.DoesNotContain("marzipan", lab.Model.PromptOf("other-request"), StringComparison.Ordinal);
    }

    [OpenClawFact]
    public async Task Plugin_ToolOfTheGateway_IsTold()
    {
        var events = await RunAsync(lab.OpenClaw, Turn("ask:tool-told"));
        var call = Assert.Single(events.OfType<AgentToolCall>());
        Assert.Equal(call.CallId, Assert.Single(events.OfType<AgentToolResult>()).CallId);
        Assert.Equal("answer to tool-told", events.OfType<AgentReply>().Last().Text);
    }

    [OpenClawFact]
    public async Task Plugin_CancelledRequest_ReachesTheModel()
    {
        lab.Model.Hold("cancelled-request");
        using var cancel = new CancellationTokenSource();
        var running = RunAsync(lab.OpenClaw, Turn("ask:cancelled-request"), cancel.Token);
        await lab.Model.AskedAsync("cancelled-request");
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        await lab.Model.GivenUpAsync("cancelled-request");
    }

    [OpenClawFact]
    public async Task Responses_OfTheGatewayItself_AreReadAsAnAgent()
    {
        using var key = new TemporaryFile(GatewayProcess.Token);
        using var services = Agents(key.Path, "openclaw");
        var agent = services.GetServices<IAgent>().Single();
        var events = await RunAsync(agent, Turn("please ask:over-http", new ResponseRequest
        {
            Instructions = "Speak like a pirate.",
            Temperature = 0.5,
            PresencePenalty = 1,
            ParallelToolCalls = true,
            ServiceTier = "auto",
            Input =
            [
                new MessageItem("user", [new InputTextPart("the parrot is called Polly")]),
                new MessageItem("assistant", [new OutputTextPart("noted")]),
                new MessageItem("user", [new InputTextPart("please ask:over-http")]),
            ],
        }));
        Assert.Equal("answer to over-http", string.Concat(events.OfType<AgentPartial>().Select(partial => partial.Suffix)));
        Assert.Equal("answer to over-http", Assert.Single(events.OfType<AgentReply>()).Text);
        Assert.Equal(new AgentFinish(FinishReason.Stop), events[^1]);
        Assert.Contains("the parrot is called Polly", lab.Model.PromptOf("over-http"), StringComparison.Ordinal);
        Assert.Contains("Speak like a pirate.", lab.Model.PromptOf("over-http"), StringComparison.Ordinal);
    }

    [OpenClawFact]
    public async Task Responses_ClientsTool_IsCalledThroughTheGateway()
    {
        using var key = new TemporaryFile(GatewayProcess.Token);
        using var services = Agents(key.Path, "openclaw/main");
        using var schema = System.Text.Json.JsonDocument.Parse("""{"type":"object","properties":{}}""");
        var tool = new FunctionTool("look_up", "looks up", schema.RootElement, null);
        var events = await RunAsync(services.GetServices<IAgent>().Single(), Turn("ask:named-look_up", new ResponseRequest
        {
            Tools = [tool],
            ToolChoice = new ToolChoice("required", "look_up"),
            Input = [new MessageItem("user", [new InputTextPart("ask:named-look_up")])],
        }));
        Assert.Equal("look_up", Assert.Single(events.OfType<AgentToolCall>()).Name);
        Assert.Equal(new AgentFinish(FinishReason.ToolCalls), events[^1]);
    }

    [OpenClawFact]
    public async Task Responses_WrongKey_SaysWhatToDo()
    {
        using var key = new TemporaryFile("not-the-gateways-token");
        using var services = Agents(key.Path, "openclaw");
        var fault = await Assert.ThrowsAsync<BridgeException>(() => RunAsync(services.GetServices<IAgent>().Single(), Turn("ask:never")));
        Assert.Equal(AgentErrorCodes.KeyRefused, fault.Code);
    }

    private ServiceProvider Agents(string keyFile, string model)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddProviderAgent(new ProviderOptions
        {
            Name = "gateway",
            Kind = AgentKind.Responses,
            Url = new Uri($"http://127.0.0.1:{lab.Gateway.Port}"),
            Model = model,
            KeyFile = keyFile,
        });
        return services.BuildServiceProvider();
    }

    private static AgentTurn Turn(string text, ResponseRequest? request = null)
    {
        var id = Guid.NewGuid();
        return new AgentTurn(
            id,
            new InboundMessage
            {
                Channel = "responses",
                AccountId = "first",
                SessionKey = $"responses:{id:N}",
                Agent = "openclaw",
                Route = id.ToString("N"),
                SenderId = "first",
                Text = text
            },
            1)
        { Request = request ?? new ResponseRequest { Input = [new MessageItem("user", [new InputTextPart(text)])] } };
    }

    private static async Task<List<AgentEvent>> RunAsync(IAgent agent, AgentTurn turn, CancellationToken cancellationToken = default)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        var events = new List<AgentEvent>();
        await foreach (var agentEvent in agent.RunAsync(turn, patience.Token)) events.Add(agentEvent);
        return events;
    }

    private sealed class TemporaryFile : IDisposable
    {
        public TemporaryFile(string content) => File.WriteAllText(Path, content);

        public string Path { get; } = System.IO.Path.GetTempFileName();

        public void Dispose() => File.Delete(Path);
    }
}
