using System.Text;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Agents;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Tests.Unit.Agents;

public sealed class ResponsesAgentTests
{
    [Fact]
    public async Task Run_Text_StreamsDeltasAndEndsWithTheWhole()
    {
        await using var provider = await FakeProvider.StartAsync(request => request.ResponseAsync("Hel", "lo"));
        using var agent = AgentUnderTest.Of(AgentKind.Responses, provider.Address);
        Assert.Equal(
            [new AgentPartial("Hel"), new AgentPartial("lo"), new AgentReply("Hello"), new AgentUsage(3, 5), new AgentFinish(FinishReason.Stop)],
            await AgentUnderTest.RunAsync(agent));
        var asked = Assert.Single(provider.Requests);
        Assert.Equal("/v1/responses", asked.Path);
        Assert.Equal(
            """{"model":"default","stream":true,"store":false,"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hello"}]}]}""",
            asked.Json.GetRawText());
    }

    [Fact]
    public async Task Run_WholeRequest_IsCarriedOver()
    {
        await using var provider = await FakeProvider.StartAsync(request => request.ResponseAsync("ok"));
        using var agent = AgentUnderTest.Of(AgentKind.Responses, provider.Address + "/v1/responses", o => o.Model = "m");
        await AgentUnderTest.RunAsync(agent, AgentUnderTest.Turn(request: FullRequest()));
        Assert.Equal(
            """{"model":"m","stream":true,"store":false,"instructions":"Be short.","input":["""
            + """{"type":"message","role":"user","content":[{"type":"input_text","text":"look"},{"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"low"},{"type":"input_file","filename":"a.pdf","file_data":"QUJD"}]},"""
            + """{"type":"message","role":"assistant","phase":"commentary","content":[{"type":"output_text","text":"I look","annotations":[]}]},"""
            + """{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},"""
            + """{"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"one"}]},"""
            + """{"type":"reasoning","summary":[],"encrypted_content":"sealed"}"""
            + """],"tools":[{"type":"function","name":"f","parameters":{"type":"object"}}],"tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":true"""
            + ""","temperature":0.5,"max_output_tokens":64,"reasoning":{"effort":"xhigh","summary":"auto"},"presence_penalty":1,"text":{"format":{"type":"text"}},"truncation":"auto","user":"u","prompt_cache_key":"k"}""",
            Assert.Single(provider.Requests).Json.GetRawText());
    }

    [Fact]
    public async Task Run_OpenClawModel_IsAskedInItsDialect()
    {
        await using var provider = await FakeProvider.StartAsync(request => request.ResponseAsync("ok"));
        using var agent = AgentUnderTest.Of(AgentKind.Responses, provider.Address, o => o.Model = "openclaw/main");
        await AgentUnderTest.RunAsync(agent, AgentUnderTest.Turn(request: FullRequest()));
        // Its schema is strict: any field that it doesn't know is a refusal.
        Assert.Equal(
            """{"model":"openclaw/main","stream":true,"instructions":"Be short.","input":["""
            + """{"type":"message","role":"user","content":[{"type":"input_text","text":"look"},{"type":"input_image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},{"type":"input_file","source":{"type":"base64","media_type":"application/octet-stream","data":"QUJD","filename":"a.pdf"}}]},"""
            + """{"type":"message","role":"assistant","phase":"commentary","content":[{"type":"output_text","text":"I look"}]},"""
            + """{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},"""
            + """{"type":"function_call_output","call_id":"c1","output":"one"}"""
            + """],"tools":[{"type":"function","name":"f","parameters":{"type":"object"}}],"tool_choice":{"type":"function","name":"f"}"""
            + ""","temperature":0.5,"max_output_tokens":64,"reasoning":{"summary":"auto"},"truncation":"auto","user":"u"}""",
            Assert.Single(provider.Requests).Json.GetRawText());
    }

    [Fact]
    public async Task Run_ReasoningToolsRefusalsAndResults_AreTold()
    {
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            await request.EventAsync(new { type = "response.reasoning_summary_part.added", summary_index = 0 });
            await request.EventAsync(new { type = "response.reasoning_summary_text.delta", delta = "first" });
            await request.EventAsync(new { type = "response.reasoning_summary_part.added", summary_index = 1 });
            await request.EventAsync(new { type = "response.reasoning_summary_text.delta", delta = "second" });
            await request.EventAsync(new { type = "response.reasoning_text.delta", delta = "raw" });
            await request.EventAsync(new { type = "response.reasoning.delta", delta = "spec" });
            await request.EventAsync(new { type = "response.function_call_arguments.delta", delta = "{" });
            await request.EventAsync(new { type = "response.output_item.done", item = new { type = "function_call", call_id = "c1", name = "f", arguments = "{\"a\":1}" } });
            await request.EventAsync(new { type = "response.output_item.done", item = new { type = "function_call_output", call_id = "c1", output = "done" } });
            await request.EventAsync(new { type = "response.refusal.delta", delta = "No." });
            await request.EventAsync(
                new
                {
                    type = "response.output_item.done",
                    item = new { type = "message", role = "assistant", content = new[] { new { type = "refusal", refusal = "No. Never." } } }
                });
            await request.EventAsync(new { type = "response.completed", response = new { status = "completed" } });
        });
        using var agent = AgentUnderTest.Of(AgentKind.Responses, provider.Address);
        Assert.Equal(
            [
                new AgentReasoning("first"), new AgentReasoning("\n\nsecond"), new AgentReasoning("raw", false), new AgentReasoning("spec", false),
                new AgentToolCall("c1", "f", "{\"a\":1}"), new AgentToolResult("c1", "done"),
                new AgentRefusal("No."), new AgentRefusal(" Never."), new AgentReply("") { Refusal = "No. Never." }, new AgentFinish(FinishReason.Stop),
            ],
            await AgentUnderTest.RunAsync(agent));
    }

    [Fact]
    public async Task Run_OnlyTheLastEventTellsTheAnswer_IsReadFromIt()
    {
        await using var provider = await FakeProvider.StartAsync(request => request.EventAsync(new
        {
            type = "response.completed",
            response = new
            {
                status = "completed",
                output = new object[]
                {
                    new { type = "message", role = "assistant", content = new[] { new { type = "output_text", text = "whole" } } },
                    new { type = "function_call", call_id = "c", name = "f", arguments = "{}" },
                },
            },
        }));
        using var agent = AgentUnderTest.Of(AgentKind.Responses, provider.Address);
        Assert.Equal(
            [new AgentPartial("whole"), new AgentReply("whole"), new AgentToolCall("c", "f", "{}"), new AgentFinish(FinishReason.ToolCalls)], await AgentUnderTest.RunAsync(agent));
    }

    [Fact]
    public async Task Run_DeltasWithoutItems_AreOneMessage()
    {
        // As lenient servers stream: no item, no part, and an empty output at the end.
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            await request.EventAsync(new { type = "response.output_text.delta", delta = "a" });
            await request.EventAsync(new { type = "response.output_text.delta", delta = "b" });
            await request.EventAsync(new { type = "response.completed", response = new { status = "completed", output = Array.Empty<object>() } });
        });
        using var agent = AgentUnderTest.Of(AgentKind.Responses, provider.Address);
        Assert.Equal(
            [new AgentPartial("a"), new AgentPartial("b"), new AgentReply("ab"), new AgentFinish(FinishReason.Stop)], await AgentUnderTest.RunAsync(agent));
    }

    [Fact]
    public async Task Run_MessageThatEndsOtherwiseThanItsDeltas_IsARewrite()
    {
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            await request.EventAsync(new { type = "response.output_text.delta", delta = "draft" });
            await request.EventAsync(
                new
                {
                    type = "response.output_item.done",
                    item = new { type = "message", role = "assistant", content = new[] { new { type = "output_text", text = "final" } } }
                });
            await request.EventAsync(new { type = "response.completed", response = new { status = "completed" } });
        });
        using var agent = AgentUnderTest.Of(AgentKind.Responses, provider.Address);
        Assert.Equal(
            [new AgentPartial("draft"), new AgentRewrite("final"), new AgentReply("final"), new AgentFinish(FinishReason.Stop)], await AgentUnderTest.RunAsync(agent));
    }

    [Theory]
    [InlineData("max_output_tokens", FinishReason.Length)]
    [InlineData("content_filter", FinishReason.ContentFilter)]
    public async Task Run_Incomplete_SaysWhy(string reason, FinishReason expected)
    {
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            await request.EventAsync(new { type = "response.output_text.delta", delta = "half" });
            await request.EventAsync(new { type = "response.incomplete", response = new { status = "incomplete", incomplete_details = new { reason } } });
        });
        using var agent = AgentUnderTest.Of(AgentKind.Responses, provider.Address);
        Assert.Equal([new AgentPartial("half"), new AgentReply("half"), new AgentFinish(expected)], await AgentUnderTest.RunAsync(agent));
    }

    [Theory]
    [InlineData("""{"type":"error","error":{"type":"server_error","code":"boom","message":"it broke"}}""", AgentErrorCodes.Failed)]
    [InlineData("""{"type":"error","code":"boom","message":"it broke","param":null}""", AgentErrorCodes.Failed)]
    [InlineData("""{"type":"response.failed","response":{"status":"failed","error":{"code":"boom","message":"it broke"}}}""", AgentErrorCodes.Failed)]
    [InlineData("""{"type":"response.failed","response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"it broke"}}}""", AgentErrorCodes.Overloaded)]
    [InlineData("""{"error":{"code":"invalid_request_error","message":"it broke"}}""", AgentErrorCodes.RequestRefused)]
    public async Task Run_FailureToldInTheStream_IsTheTurns(string data, string code)
    {
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            await request.EventAsync(new { type = "response.output_text.delta", delta = "half" });
            await request.WriteAsync($"data: {data}\n\n");
        });
        using var agent = AgentUnderTest.Of(AgentKind.Responses, provider.Address);
        var before = new List<AgentEvent>();
        var fault = await AgentUnderTest.FailAsync(agent, before);
        Assert.Equal([new AgentPartial("half")], before);
        Assert.Equal(code, fault.Code);
        Assert.Contains("it broke", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\r\n", 1)]
    [InlineData("\r\n", 7)]
    [InlineData("\n", 1)]
    [InlineData("\r", 3)]
    public async Task Run_StreamCutAnywhere_IsReadTheSame(string newLine, int piece)
    {
        const string Text = "smile 😀, e\u0301, שלום, 漢字 👩‍👩‍👧‍👦";
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            const string Json = $$"""{"type":"response.output_text.delta","delta":"{{Text}}"}""";
            var stream = string.Join(newLine, "\uFEFF: hello", "", "event: response.output_text.delta", $"data: {Json}", "id: 1", "retry: 5",
                "", ": ping", "", "data: {\"type\":", "data:\"response.completed\",\"response\":{}}", "");
            var bytes = Encoding.UTF8.GetBytes(stream);
            for (var at = 0; at < bytes.Length; at += piece) await request.WriteAsync(bytes[at..Math.Min(bytes.Length, at + piece)]);
        });
        using var agent = AgentUnderTest.Of(AgentKind.Responses, provider.Address);
        Assert.Equal([new AgentPartial(Text), new AgentReply(Text), new AgentFinish(FinishReason.Stop)], await AgentUnderTest.RunAsync(agent));
    }

    [Fact]
    public async Task Run_SurrogatePairCutIntoTwoDeltas_IsJoined()
    {
        // A provider in JavaScript that cuts by UTF-16 units writes each half as a lone escape, which .NET refuses to read.
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            await request.WriteAsync("data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\\ud83d\"}\n\n");
            await request.WriteAsync("data: {\"type\":\"response.output_text.delta\",\"delta\":\"\\ude00\\n\\\"b\\ud83d\"}\n\n");
            await request.WriteAsync("data: {\"type\":\"response.output_text.delta\",\"delta\":\"c\"}\n\n");
            await request.WriteAsync("data: {\"type\":\"response.completed\",\"response\":{}}\n\n");
        });
        using var agent = AgentUnderTest.Of(AgentKind.Responses, provider.Address);
        var events = await AgentUnderTest.RunAsync(agent);
        Assert.Equal(
            [new AgentPartial("a"), new AgentPartial("😀\n\"b"), new AgentPartial("\uFFFDc"), new AgentReply("a😀\n\"b\uFFFDc"),
                new AgentFinish(FinishReason.Stop)], events);
    }

    [Fact]
    public async Task Run_LargeAnswer_ComesWhole()
    {
        var deltas = Enumerable.Range(0, 4000).Select(i => $"{i:0000}-{new string('x', 90)}😀\n").ToArray();
        await using var provider = await FakeProvider.StartAsync(request => request.ResponseAsync(deltas));
        using var agent = AgentUnderTest.Of(AgentKind.Responses, provider.Address);
        var events = await AgentUnderTest.RunAsync(agent);
        Assert.True(string.Concat(deltas).Length > 390_000);
        Assert.Equal(string.Concat(deltas), AgentUnderTest.TextOf(events));
        Assert.Equal(string.Concat(deltas), events.OfType<AgentReply>().Single().Text);
    }

    [Fact]
    public async Task Run_LargeAnswerInOneEvent_ComesWhole()
    {
        var text = new string('é', 400_000);
        await using var provider = await FakeProvider.StartAsync(request => request.ResponseAsync(text));
        using var agent = AgentUnderTest.Of(AgentKind.Responses, provider.Address);
        Assert.Equal(text, (await AgentUnderTest.RunAsync(agent)).OfType<AgentReply>().Single().Text);
    }

    [Fact]
    public async Task Run_EventLargerThanAllowed_IsAFailure()
    {
        await using var provider = await FakeProvider.StartAsync(request => request.ResponseAsync(new string('x', 100_000)));
        using var agent = AgentUnderTest.Of(AgentKind.Responses, provider.Address, o => o.MaxEventBytes = 50_000);
        Assert.Equal(AgentErrorCodes.StreamBroken, (await AgentUnderTest.FailAsync(agent)).Code);
    }

    private static ResponseRequest FullRequest() => new()
    {
        Model = "local",
        Instructions = "Be short.",
        Input =
        [
            new MessageItem("user", [new InputTextPart("look"), new InputImagePart("data:image/png;base64,AAAA", "low"), new InputFilePart("a.pdf", "QUJD", null)]),
            new MessageItem("assistant", [new OutputTextPart("I look")]) { Phase = "commentary" },
            new FunctionCallItem("c1", "f", "{}"),
            new FunctionCallOutputItem("c1", null, [new InputTextPart("one")]),
            new ReasoningItem([], null, "sealed"),
            new ReasoningItem([new SummaryTextPart("ours")]),
        ],
        Tools = [new FunctionTool("f", null, AgentUnderTest.Parse("""{"type":"object"}"""), null)],
        ToolChoice = new ToolChoice("required", "f"),
        ParallelToolCalls = true,
        Temperature = 0.5,
        MaxOutputTokens = 64,
        ReasoningEffort = "xhigh",
        ReasoningSummary = "auto",
        PresencePenalty = 1,
        Text = AgentUnderTest.Parse("""{"format":{"type":"text"}}"""),
        Truncation = "auto",
        User = "u",
        PromptCacheKey = "k",
    };
}
