using System.Text.Json;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Agents;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Tests.Unit.Agents;

public sealed class ChatCompletionsTests
{
    [Fact]
    public async Task Run_Text_StreamsDeltasAndEndsWithTheWhole()
    {
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            await request.ChunkAsync(new { role = "assistant", content = "" });
            await request.ChunkAsync(new { content = "Hel" });
            await request.ChunkAsync(new { content = "lo" });
            await request.ChunkAsync(new { }, "stop");
            await request.WriteAsync(
                "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_tokens_details\":{\"reasoning_tokens\":1}}}\n\ndata: [DONE]\n\n");
        });
        using var agent = AgentUnderTest.Of(AgentKind.ChatCompletions, provider.Address, o => o.Model = "m1");
        var events = await AgentUnderTest.RunAsync(agent);
        Assert.Equal(
            [new AgentPartial("Hel"), new AgentPartial("lo"), new AgentReply("Hello"), new AgentUsage(7, 2, 4, 1), new AgentFinish(FinishReason.Stop)], events);
        var asked = Assert.Single(provider.Requests);
        Assert.Equal("/v1/chat/completions", asked.Path);
        Assert.Null(asked.Authorization);
        Assert.Equal("m1", asked.Json.GetProperty("model").GetString());
        Assert.True(asked.Json.GetProperty("stream").GetBoolean());
        Assert.Equal("""[{"role":"user","content":"hello"}]""", asked.Json.GetProperty("messages").GetRawText());
    }

    [Fact]
    public async Task Run_WholeRequest_IsCarriedOver()
    {
        await using var provider = await FakeProvider.StartAsync(request => request.ChatAsync("ok"));
        using var agent = AgentUnderTest.Of(AgentKind.ChatCompletions, provider.Address + "/v1/", o => o.Instructions = "Be kind.");
        var request = new ResponseRequest
        {
            Model = "local/other",
            Instructions = "Be short.",
            Input =
            [
                new MessageItem("developer", [new InputTextPart("rules")]),
                new MessageItem("user", [new InputTextPart("look"), new InputImagePart("data:image/png;base64,AAAA", "low"), new InputFilePart("a.pdf", "QUJD", null)]),
                new MessageItem("assistant", [new OutputTextPart("I look")]),
                new FunctionCallItem("c1", "f", "{\"a\":1}"),
                new FunctionCallItem("c2", "g", "{}"),
                new FunctionCallOutputItem("c1", "one"),
                new FunctionCallOutputItem("c2", null, [new InputTextPart("two"), new InputImagePart("https://x/y.png")]),
                new MessageItem("user", [new InputTextPart("and now?")]),
            ],
            Tools = [new FunctionTool("f", "does f", AgentUnderTest.Parse("""{"type":"object"}"""), true), new FunctionTool("g", null, null, null)],
            ToolChoice = new ToolChoice("required", null, ["f"]),
            ParallelToolCalls = false,
            Temperature = 0.5,
            TopP = 0.9,
            MaxOutputTokens = 100,
            PresencePenalty = 1,
            Text = AgentUnderTest.Parse("""{"format":{"type":"json_schema","name":"s","schema":{"type":"object"},"strict":true}}"""),
        };
        await AgentUnderTest.RunAsync(agent, AgentUnderTest.Turn("and now?", request));
        var json = Assert.Single(provider.Requests).Json;
        Assert.Equal("other", json.GetProperty("model").GetString());
        var messages = json.GetProperty("messages").EnumerateArray().Select(message => message.GetRawText()).ToList();
        Assert.Equal(
            [
                """{"role":"system","content":"Be kind.\n\nBe short.\n\nrules"}""",
                """{"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/octet-stream;base64,QUJD"}}]}""",
                """{"role":"assistant","content":"I look","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]}""",
                """{"role":"tool","tool_call_id":"c1","content":"one"}""",
                """{"role":"tool","tool_call_id":"c2","content":"two\n[image]"}""",
                """{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}""",
                """{"role":"user","content":"and now?"}""",
            ],
            messages);
        // Only what the choice allows is offered: no server has to know allowed_tools.
        Assert.Equal("""[{"type":"function","function":{"name":"f","description":"does f","parameters":{"type":"object"},"strict":true}}]""",
            json.GetProperty("tools").GetRawText());
        Assert.Equal("required", json.GetProperty("tool_choice").GetString());
        Assert.False(json.GetProperty("parallel_tool_calls").GetBoolean());
        Assert.Equal(100, json.GetProperty("max_tokens").GetInt32());
        Assert.Equal(0.5, json.GetProperty("temperature").GetDouble());
        Assert.Equal("""{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"},"strict":true}}""", json.GetProperty("response_format").GetRawText());
    }

    [Fact]
    public async Task Run_ToolCalls_AreJoinedFromTheirPieces()
    {
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            await request.ChunkAsync(new { tool_calls = new[] { new { index = 0, id = "c1", type = "function", function = new { name = "f", arguments = "" } } } });
            await request.ChunkAsync(new { tool_calls = new[] { new { index = 0, function = new { arguments = "{\"a\"" } } } });
            await request.ChunkAsync(new { tool_calls = new[] { new { index = 1, id = "c2", function = new { name = "g", arguments = "{}" } } } });
            await request.ChunkAsync(new { tool_calls = new[] { new { index = 0, function = new { arguments = ":1}" } } } });
            await request.ChunkAsync(new { }, "tool_calls");
            await request.WriteAsync("data: [DONE]\n\n");
        });
        using var agent = AgentUnderTest.Of(AgentKind.ChatCompletions, provider.Address);
        Assert.Equal(
            [new AgentToolCall("c1", "f", "{\"a\":1}"), new AgentToolCall("c2", "g", "{}"), new AgentFinish(FinishReason.ToolCalls)], await AgentUnderTest.RunAsync(agent));
    }

    [Fact]
    public async Task Run_ToolCallsWithoutIndexAndWithObjectArguments_AreTold()
    {
        // As Ollama and some older servers send them.
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            await request.ChunkAsync(new { tool_calls = new[] { new { id = "a", function = new { name = "f", arguments = new { x = 1 } } } } });
            await request.ChunkAsync(new { tool_calls = new[] { new { id = "b", function = new { name = "g", arguments = "{}" } } } }, "stop");
            await request.WriteAsync("data: [DONE]\n\n");
        });
        using var agent = AgentUnderTest.Of(AgentKind.ChatCompletions, provider.Address);
        var calls = (await AgentUnderTest.RunAsync(agent)).OfType<AgentToolCall>().ToList();
        Assert.Equal([new AgentToolCall("a", "f", "{\"x\":1}"), new AgentToolCall("b", "g", "{}")], calls);
    }

    [Theory]
    [InlineData("stop", FinishReason.Stop)]
    [InlineData("length", FinishReason.Length)]
    [InlineData("content_filter", FinishReason.ContentFilter)]
    [InlineData("eos", FinishReason.Stop)]
    public async Task Run_FinishReason_IsTold(string reason, FinishReason expected)
    {
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            await request.ChunkAsync(new { content = "x" }, reason);
            // No [DONE]: some servers just close.
        });
        using var agent = AgentUnderTest.Of(AgentKind.ChatCompletions, provider.Address);
        Assert.Equal(new AgentFinish(expected), (await AgentUnderTest.RunAsync(agent))[^1]);
    }

    [Fact]
    public async Task Run_ReasoningAndRefusal_AreTold()
    {
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            await request.ChunkAsync(new { reasoning_content = "hm" });
            await request.ChunkAsync(new { reasoning = "m" });
            await request.ChunkAsync(new { refusal = "No" });
            await request.ChunkAsync(new { refusal = "." }, "stop");
            await request.WriteAsync("data: [DONE]\n\n");
        });
        using var agent = AgentUnderTest.Of(AgentKind.ChatCompletions, provider.Address);
        Assert.Equal(
            [
                new AgentReasoning("hm", IsSummary: false), new AgentReasoning("m", IsSummary: false), new AgentRefusal("No"), new AgentRefusal("."),
                new AgentReply("") { Refusal = "No." }, new AgentFinish(FinishReason.Stop),
            ],
            (await AgentUnderTest.RunAsync(agent)).Where(one => one is not AgentReasoningEnd));
    }

    [Fact]
    public async Task Run_ServerThatDoesNotStream_IsReadAsAWhole()
    {
        await using var provider = await FakeProvider.StartAsync(request => request.RefuseAsync(
            200, """{"choices":[{"message":{"role":"assistant","content":"whole"},"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"""));
        using var agent = AgentUnderTest.Of(AgentKind.ChatCompletions, provider.Address);
        Assert.Equal(
            [new AgentPartial("whole"), new AgentReply("whole"), new AgentUsage(1, 2), new AgentFinish(FinishReason.Length)], await AgentUnderTest.RunAsync(agent));
    }

    [Fact]
    public async Task Run_EmptyAnswer_IsOneEmptyMessage()
    {
        await using var provider = await FakeProvider.StartAsync(request => request.ChatAsync());
        using var agent = AgentUnderTest.Of(AgentKind.ChatCompletions, provider.Address);
        Assert.Equal([new AgentReply(""), new AgentFinish(FinishReason.Stop)], await AgentUnderTest.RunAsync(agent));
    }

    [Fact]
    public async Task Run_ChannelMessage_CarriesHistoryAndFiles()
    {
        await using var provider = await FakeProvider.StartAsync(request => request.ChatAsync("ok"));
        using var agent = AgentUnderTest.Of(AgentKind.ChatCompletions, provider.Address);
        await AgentUnderTest.RunAsync(agent, AgentUnderTest.Turn(
            "what is it?",
            history: [new MessageItem("user", [new InputTextPart("hi")]), new MessageItem("assistant", [new OutputTextPart("hello")])],
            files: [new Attachment { MimeType = "image/png", Content = [1, 2, 3] }, new Attachment { MimeType = "application/pdf", FileName = "a.pdf", Content = [4] }]));
        Assert.Equal(
            """[{"role":"user","content":"hi"},{"role":"assistant","content":"hello"},{"role":"user","content":[{"type":"text","text":"what is it?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AQID"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,BA=="}}]}]""",
            Assert.Single(provider.Requests).Json.GetProperty("messages").GetRawText());
    }

    [Fact]
    public async Task Run_Key_ComesFromItsFileAnewForEachTurn()
    {
        var file = Path.GetTempFileName();
        try
        {
            await using var provider = await FakeProvider.StartAsync(request => request.ChatAsync("ok"));
            using var agent = AgentUnderTest.Of(AgentKind.ChatCompletions, provider.Address, o => o.KeyFile = file);
            await File.WriteAllTextAsync(file, "first-key\n");
            await AgentUnderTest.RunAsync(agent);
            await File.WriteAllTextAsync(file, "second-key\nsomething else\n");
            await AgentUnderTest.RunAsync(agent);
            Assert.Equal(["Bearer first-key", "Bearer second-key"], provider.Requests.Select(request => request.Authorization));
            Assert.DoesNotContain("key\"", agent.Describe()!.ToJsonString(), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Run_AddressWithQuery_IsKeptAsItStands()
    {
        await using var provider = await FakeProvider.StartAsync(request => request.ChatAsync("ok"));
        using var agent = AgentUnderTest.Of(AgentKind.ChatCompletions, provider.Address + "/openai/deployments/x/chat/completions?api-version=1");
        await AgentUnderTest.RunAsync(agent);
        Assert.Equal("/openai/deployments/x/chat/completions?api-version=1", Assert.Single(provider.Requests).Path);
        Assert.DoesNotContain("api-version", agent.Describe()!.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_ErrorInTheStream_IsAFailure()
    {
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            await request.ChunkAsync(new { content = "par" });
            await request.WriteAsync($"data: {JsonSerializer.Serialize(new { error = new { message = "the GPU is on fire", code = "server_error" } })}\n\n");
        });
        using var agent = AgentUnderTest.Of(AgentKind.ChatCompletions, provider.Address);
        var before = new List<AgentEvent>();
        var fault = await AgentUnderTest.FailAsync(agent, before);
        Assert.Equal([new AgentPartial("par")], before);
        Assert.Equal(AgentErrorCodes.Failed, fault.Code);
        Assert.Contains("the GPU is on fire", fault.Message, StringComparison.Ordinal);
        Assert.Equal("server_error", (string?)fault.Details!["providerCode"]);
    }
}
