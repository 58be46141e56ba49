using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.OpenClaw;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Tests.Unit.Link;

/// <summary>Turns that somebody waits for: an Open Responses request answered by the agent <c>openclaw</c>; and what is shown of any turn.</summary>
public sealed class RequestTurnTests
{
    [Fact]
    public async Task Request_Answered_GivesTextToolsReasoningAndReplies()
    {
        await using var link = new LinkUnderTest();
        var plugin = await link.LinkedAsync();
        var running = link.RunAsync(Turn(new ResponseRequest { Input = [User("hello")] }));
        var sent = await plugin.CalledAsync("link.turn");
        Assert.True((bool?)sent["collect"]);
        await EventAsync(link, plugin, sent, "partial", ("text", "let me"));
        await EventAsync(link, plugin, sent, "rewrite", ("text", "Let me see"));
        await EventAsync(link, plugin, sent, "message", ("text", "Let me see"));
        await EventAsync(link, plugin, sent, "toolCall", ("callId", "c1"), ("name", "look"), ("arguments", "{\"x\":1}"));
        await EventAsync(link, plugin, sent, "toolResult", ("callId", "c1"), ("output", "seen"));
        await EventAsync(link, plugin, sent, "toolCall", ("callId", "c2"), ("name", "look"), ("arguments", "{}"));
        await EventAsync(link, plugin, sent, "reasoning", ("text", "hm"));
        await EventAsync(link, plugin, sent, "reply", ("text", "It is 5."));
        await EventAsync(link, plugin, sent, "reply", ("text", "NO_REPLY"));
        await link.EventAsync(plugin, sent, "done");
        Assert.Equal(
            [
                new AgentPartial("let me"), new AgentRewrite("Let me see"), new AgentReply("Let me see"), new AgentToolCall("c1", "look", "{\"x\":1}"),
                new AgentToolResult("c1", "seen"),
                new AgentToolCall("c2", "look", "{}"), new AgentReasoning("hm"), new AgentReply("It is 5."),
                // A call without a result would look as if the client had to run it.
                new AgentToolResult("c2", ""),
            ],
            await running);
    }

    [Fact]
    public async Task Request_NothingToSay_IsAnEmptyAnswer()
    {
        await using var link = new LinkUnderTest();
        var plugin = await link.LinkedAsync();
        var running = link.RunAsync(Turn(new ResponseRequest { Input = [User("hello")] }));
        await link.EventAsync(plugin, await plugin.CalledAsync("link.turn"), "done");
        Assert.Equal([new AgentReply("")], await running);
    }

    [Fact]
    public async Task Request_ReaderGone_IsCancelledAtTheGateway()
    {
        await using var link = new LinkUnderTest();
        var plugin = await link.LinkedAsync();
        using var cancel = new CancellationTokenSource();
        var running = link.RunAsync(Turn(new ResponseRequest { Input = [User("hello")] }), cancel.Token);
        var sent = await plugin.CalledAsync("link.turn");
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.Equal((string?)sent["turnId"], (string?)(await plugin.CalledAsync("link.cancelTurn"))["turnId"]);
    }

    [Fact]
    public async Task Request_ThatMustCallAClientsTool_IsRefused()
    {
        await using var link = new LinkUnderTest();
        await link.LinkedAsync();
        var fault = await Assert.ThrowsAsync<BridgeException>(() => link.RunAsync(Turn(new ResponseRequest
        {
            Input = [User("hello")],
            Tools = [new FunctionTool("f", null, null, null)],
            ToolChoice = new ToolChoice("required"),
        })));
        Assert.Equal(ErrorCodes.InvalidRequest, fault.Code);
    }

    [Fact]
    public async Task ChannelsTurn_RewriteAndNextMessage_AreShownAndGiveNoReply()
    {
        await using var link = new LinkUnderTest();
        var plugin = await link.LinkedAsync();
        var running = link.RunAsync(LinkUnderTest.Turn());
        var sent = await plugin.CalledAsync("link.turn");
        Assert.Null(sent["collect"]);
        await EventAsync(link, plugin, sent, "partial", ("text", "a"));
        await EventAsync(link, plugin, sent, "rewrite", ("text", "b"));
        await EventAsync(link, plugin, sent, "message", ("text", "b"));
        await EventAsync(link, plugin, sent, "partial", ("text", "c"));
        await EventAsync(link, plugin, sent, "reply", ("text", "not for this kind of turn"));
        await link.EventAsync(plugin, sent, "done");
        Assert.Equal([new AgentPartial("a"), new AgentRewrite("b"), AgentMessageEnd.Instance, new AgentPartial("c")], await running);
    }

    [Theory]
    [InlineData("gpt-5", "main")]
    [InlineData("openclaw", "main")]
    [InlineData("openclaw/Work", "work")]
    [InlineData("openclaw:work", "work")]
    [InlineData("openclaw/../x", "main")]
    public void Prompt_OfARequest_HasASessionOfItsOwn(string model, string agent)
    {
        var turn = Turn(new ResponseRequest { Model = model, Input = [User("hello")] });
        Assert.Equal($"agent:{agent}:responses:{turn.Id:N}", GatewayPrompt.Of(turn, turn.Request!).SessionKey);
    }

    [Fact]
    public void Prompt_OfAConversation_TellsWhatWasSaid()
    {
        var turn = Turn(new ResponseRequest
        {
            Instructions = "Be kind.",
            Input =
            [
                new MessageItem("system", [new InputTextPart("Be short.")]), User("one"), new FunctionCallItem("c", "f", "{}"), new FunctionCallOutputItem("c", "two"),
                new MessageItem("assistant", [new OutputTextPart("three")]), User("four"),
            ],
        });
        var prompt = GatewayPrompt.Of(turn, turn.Request!);
        Assert.Equal("Be kind.\n\nBe short.", prompt.Instructions);
        Assert.Equal("What was said before:\nUser: one\nAssistant called f({})\nResult: two\nAssistant: three\n\nWhat to answer now:\nfour", prompt.Text);
    }

    [Fact]
    public void Prompt_OfAChannelsRequest_StaysInItsSessionAndTellsWhatIsNew()
    {
        var turn = Turn(new ResponseRequest { Input = [User("one"), new MessageItem("assistant", [new OutputTextPart("two")]), User("hello")] });
        turn = turn with { Message = turn.Message with { SessionKey = "agent:main:insta:1" } };
        var prompt = GatewayPrompt.Of(turn, turn.Request!);
        Assert.Equal(("agent:main:insta:1", "hello", null), (prompt.SessionKey, prompt.Text, prompt.Instructions));
    }

    private static MessageItem User(string text) => new("user", [new InputTextPart(text)]);

    private static AgentTurn Turn(ResponseRequest request) => new(
        Guid.NewGuid(),
        new InboundMessage { Channel = "responses", AccountId = "first", SessionKey = "responses:1", Agent = "openclaw", Route = "1", SenderId = "first", Text = "hello" },
        1)
    { Request = request };

    private static Task EventAsync(LinkUnderTest link, FakePlugin plugin, JsonNode sent, string kind, params (string Key, string Value)[] fields)
    {
        var parameters = new JsonObject { ["turnId"] = (string?)sent["turnId"], ["kind"] = kind };
        foreach (var (key, value) in fields) parameters[key] = value;
        return link.CallAsync(plugin, "link.turnEvent", parameters);
    }
}
