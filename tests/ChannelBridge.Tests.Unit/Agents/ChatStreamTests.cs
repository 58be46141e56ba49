using System.IO.Compression;
using System.Text;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Agents;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Tests.Unit.Agents;

/// <summary>What public reports say that servers of chat completions really send: broken is never passed on as whole, and what came whole is never lost.</summary>
public sealed class ChatStreamTests
{
    private const string Half = """{"choices":[{"index":0,"delta":{"content":"The answer is"}}]}""";

    public static TheoryData<string, string?> Failures => new()
    {
        { """{"choices":[{"index":0,"delta":{},"finish_reason":"abort"}]}""", null },
        { """{"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}""", null },
        { """{"choices":[{"index":0,"delta":{},"finish_reason":"network_error"}]}""", null },
        { """{"choices":[{"index":0,"delta":{},"finish_reason":"insufficient_system_resource"}]}""", null },
        { """{"choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"code":502,"message":"Upstream died"}}]}""", "Upstream died" },
        { """{"error":{"message":"No memory","code":500}}""", "No memory" },
        { """{"error":"No memory"}""", "No memory" },
        { """{"object":"error","message":"No memory","code":500}""", "No memory" },
        { """{"detail":"No memory"}""", "No memory" },
        { """{"detail":[{"loc":["x"],"msg":"No memory","type":"y"}]}""", "No memory" },
        { """[{"error":{"message":"No memory","status":"UNAVAILABLE"}}]""", "No memory" },
        { """{"errors":[{"message":"No memory"}]}""", "No memory" },
    };

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task AFailure_ThatTheStreamTells_IsAFailure_BehindWhatWasSaid(string last, string? words)
    {
        var before = new List<AgentEvent>();
        var fault = await FailAsync($"data: {Half}\n\ndata: {last}\n\ndata: [DONE]\n\n", before);
        Assert.Equal("The answer is", AgentUnderTest.TextOf(before));
        if (words is not null) Assert.Contains(words, fault, StringComparison.Ordinal);
    }

    [Theory]
    // JSON without its field; a field of its own; an event of its own with a plain text.
    [InlineData("data: " + Half + "\n\n{\"error\":{\"message\":\"No memory\"}}\n\n")]
    [InlineData("data: " + Half + "\n\nerror: {\"message\":\"No memory\",\"code\":500}\n\n")]
    [InlineData("data: " + Half + "\n\nevent: error\ndata: No memory\n\n")]
    public async Task AnErrorsText_IsFound_WhereverItStands(string stream) =>
        Assert.Contains("No memory", await FailAsync(stream), StringComparison.Ordinal);

    [Theory]
    [InlineData("data: " + Half + "\n\n")]
    [InlineData("data: [DONE]\n\n")]
    [InlineData("""data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{\"a\""}}]}}]}""" + "\n\ndata: [DONE]\n\n")]
    [InlineData("""data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"arguments":"{}"}}]},"finish_reason":"tool_calls"}]}""" + "\n\n")]
    public async Task WithoutAnEnd_OrWithHalfACall_NothingIsWhole(string stream) => Assert.NotEmpty(await FailAsync(stream));

    [Theory]
    [InlineData("stop", FinishReason.Stop)]
    [InlineData("STOP", FinishReason.Stop)]
    [InlineData("eos_token", FinishReason.Stop)]
    [InlineData("model_length", FinishReason.Length)]
    [InlineData("MAX_TOKENS", FinishReason.Length)]
    [InlineData("sensitive", FinishReason.ContentFilter)]
    [InlineData("SAFETY", FinishReason.ContentFilter)]
    [InlineData("something_new", FinishReason.Unknown)]
    public async Task FinishReasons_KeepTheirMeaning(string word, FinishReason meaning)
    {
        var events = await RunAsync($$"""data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"{{word}}"}]}""" + "\n\n");
        Assert.Equal(new AgentFinish(meaning), events[^1]);
    }

    [Fact]
    public async Task DoneAlone_IsAnEnd() =>
        Assert.Equal(new AgentFinish(FinishReason.Stop), (await RunAsync($"data: {Half}\n\ndata: [DONE]\n\n"))[^1]);

    [Theory]
    [InlineData("""{"choices":[{"index":0,"message":{"content":"Hel"}}]}""", """{"choices":[{"index":0,"message":{"content":"lo"},"finish_reason":"stop"}]}""")]
    [InlineData("""{"choices":[{"index":0,"delta":{"content":"Hel"}}]}""",
        """{"object":"chat.completion","choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}]}""")]
    [InlineData("""{"choices":[{"index":0,"text":"Hel"}]}""", """{"choices":[{"index":0,"text":"lo","finish_reason":"stop"}]}""")]
    [InlineData("""{"choices":[{"index":0,"delta":{"content":["Hel"]}}]}""",
        """{"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"lo"}]},"finish_reason":"stop"}]}""")]
    public async Task Text_IsRead_WhereverItStands(string first, string second) =>
        Assert.Equal("Hello", AgentUnderTest.TextOf(await RunAsync($"data: {first}\n\ndata: {second}\n\n")));

    [Theory]
    [InlineData("""{"reasoning_content":"hm"}""")]
    [InlineData("""{"reasoning":"hm"}""")]
    [InlineData("""{"reasoning_content":"","reasoning":"hm"}""")]
    [InlineData("""{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}""")]
    public async Task Reasoning_IsRead_InEitherField(string delta) =>
        Assert.Equal("hm",
            string.Concat((await RunAsync($$"""data: {"choices":[{"index":0,"delta":{{delta}},"finish_reason":"stop"}]}""" + "\n\n"))
                .OfType<AgentReasoning>().Select(one => one.Suffix)));

    public static TheoryData<string[], string[]> Calls => new()
    {
        // Names and arguments in pieces; the name again with each piece.
        { ["""{"index":0,"id":"c1","function":{"name":"get_","arguments":""}}""", """{"index":0,"function":{"name":"weather","arguments":"{\"a\""}}""",
            """{"index":0,"function":{"arguments":":1}"}}"""], ["get_weather{\"a\":1}"] },
        { ["""{"index":0,"id":"c1","function":{"name":"get_weather","arguments":"{\"a\""}}""",
            """{"index":0,"id":"c1","function":{"name":"get_weather","arguments":":1}"}}"""], ["get_weather{\"a\":1}"] },
        { ["""{"index":0,"id":"c1","function":{"name":"get_weather","arguments":"{}"}}""",
            """{"index":0,"id":"c1","function":{"name":"get_weather","arguments":""}}"""], ["get_weather{}"] },
        // Parallel ones: same index without ids, same index with ids, no index, the same id twice, arguments as an object.
        { ["""{"index":0,"id":"","function":{"name":"get_weather","arguments":"{\"a\":1}"}}""",
            """{"index":0,"id":"","function":{"name":"get_weather","arguments":"{\"a\":2}"}}"""], ["get_weather{\"a\":1}", "get_weather{\"a\":2}"] },
        { ["""{"index":0,"id":"c1","function":{"name":"get_weather","arguments":"{}"}}""",
            """{"index":0,"id":"c2","function":{"name":"get_weather","arguments":"{}"}}"""], ["get_weather{}", "get_weather{}"] },
        { ["""{"function":{"name":"get_weather","arguments":"{}"}}""", """{"function":{"name":"get_time","arguments":"{}"}}"""], ["get_weather{}", "get_time{}"] },
        { ["""{"index":0,"id":"c","function":{"name":"get_weather","arguments":"{}"}}""",
            """{"index":1,"id":"c","function":{"name":"get_time","arguments":"{}"}}"""], ["get_weather{}", "get_time{}"] },
        { ["""{"index":0,"id":"c","function":{"name":"get_weather","arguments":{"a":1}}}"""], ["get_weather{\"a\":1}"] },
    };

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task Calls_ArePutTogether(string[] pieces, string[] expected)
    {
        var stream = string.Concat(pieces.Select(piece => $$$"""data: {"choices":[{"index":0,"delta":{"tool_calls":[{{{piece}}}]}}]}""" + "\n\n"));
        var calls = (await RunAsync(stream + """data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}""" + "\n\n", Weather)).OfType<AgentToolCall>().ToList();
        Assert.Equal(expected, calls.Select(call => call.Name + call.Arguments));
        Assert.Equal(calls.Count, calls.Select(call => call.CallId).Distinct().Count());
        Assert.DoesNotContain(calls, call => call.CallId.Length == 0 || call.IsCutOff);
    }

    [Theory]
    [InlineData("length", "{\\\"a", true)]
    [InlineData("content_filter", "", true)]
    [InlineData("length", "{}", false)]
    public async Task ACall_ThatTheLimitCutOff_SaysSo(string finish, string arguments, bool isCutOff)
    {
        var events = await RunAsync(
            $$$$"""data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}},{"index":1,"id":"d","function":{"name":"f","arguments":"{{{{arguments}}}}"}}]},"finish_reason":"{{{{finish}}}}"}]}""" + "\n\n");
        Assert.Equal([false, isCutOff], events.OfType<AgentToolCall>().Select(call => call.IsCutOff));
    }

    [Fact]
    public async Task Citations_AreTold_Once()
    {
        var events = await RunAsync("""
            data: {"citations":["https://a.example/1"],"choices":[{"index":0,"delta":{"content":"See."}}]}

            data: {"citations":["https://a.example/1"],"choices":[{"index":0,"delta":{"annotations":[{"type":"url_citation","url_citation":{"url":"https://b.example","title":"B","start_index":0,"end_index":3}}]},"finish_reason":"stop"}]}


            """);
        Assert.Equal([new AgentCitation("https://b.example", "B", 0, 3), new AgentCitation("https://a.example/1", "", 0, 0)],
            events.OfType<AgentCitation>().OrderByDescending(one => one.End));
    }

    public static TheoryData<string, string, string?> Bodies => new()
    {
        { "application/json", "sse", null },
        { "text/plain", "json", null },
        { "text/event-stream", "json", null },
        { "text/event-stream", "json-done", null },
        { "application/x-ndjson", "lines", null },
        { "text/event-stream", "sse", "gzip" },
        { "text/event-stream", "sse", "br" },
        { "text/event-stream", "sse", "deflate" },
        { "text/event-stream", "sse", "unnamed gzip" },
    };

    [Theory]
    [MemberData(nameof(Bodies))]
    public async Task MislabelledAndCompressedBodies_AreRead(string type, string form, string? coding)
    {
        const string Whole = """{"object":"chat.completion","choices":[{"index":0,"message":{"content":"hello"},"finish_reason":"stop"}]}""";
        const string First = """{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"hel"}}]}""";
        const string Last = """{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}""";
        var text = form switch
        {
            "json" => Whole,
            "json-done" => Whole + "\n\ndata: [DONE]\n\n",
            "lines" => First + "\n" + Last + "\n",
            _ => $"data: {First}\n\ndata: {Last}\n\ndata: [DONE]\n\n",
        };
        await using var provider = await FakeProvider.StartAsync(request => request.AnswerAsync(type, coding is "unnamed gzip" ? null : coding, Pack(text, coding)));
        using var agent = AgentUnderTest.Of(AgentKind.ChatCompletions, provider.Address);
        Assert.Equal("hello", AgentUnderTest.TextOf(await AgentUnderTest.RunAsync(agent)));
    }

    [Fact]
    public async Task WhatAProviderWantsBack_ItGetsBack()
    {
        await using var provider = await FakeProvider.StartAsync(request => request.ChatAsync("ok"));
        using var agent = AgentUnderTest.Of(AgentKind.ChatCompletions, provider.Address);
        var details = AgentUnderTest.Parse("""{"field":"reasoning","reasoning_details":[{"type":"reasoning.text","text":"hm"}]}""");
        var request = new ResponseRequest
        {
            Input =
            [
                new MessageItem("user", [new InputTextPart("hi")]),
                new ReasoningItem([], [new ReasoningTextPart("only said")]),
                new MessageItem("assistant", [new OutputTextPart("no tools here")]),
                new MessageItem("user", [new InputTextPart("and now")]),
                new ReasoningItem([], [new ReasoningTextPart("hm")]) { Extra = details },
                new FunctionCallItem("c1", "f", "{}") { Extra = AgentUnderTest.Parse("""{"extra_content":{"google":{"thought_signature":"S"}}}""") },
                new FunctionCallItem("c2", "f", "{}"),
                new FunctionCallOutputItem("c1", "one"),
                new FunctionCallOutputItem("c2", "two"),
            ],
        };
        await AgentUnderTest.RunAsync(agent, AgentUnderTest.Turn("and now", request));
        var messages = Assert.Single(provider.Requests).Json.GetProperty("messages").EnumerateArray().Select(message => message.GetRawText()).ToList();
        Assert.Equal("""{"role":"assistant","content":"no tools here"}""", messages[1]);
        Assert.Equal(
            """{"role":"assistant","content":null,"reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm"}],"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"S"}}},{"id":"c2","type":"function","function":{"name":"f","arguments":"{}"}}]}""",
            messages[3]);
    }

    [Fact]
    public async Task WhatAProviderWantsBack_IsReadFromItsStream()
    {
        var events = await RunAsync("""
            data: {"choices":[{"index":0,"delta":{"reasoning":"h","reasoning_details":[{"type":"reasoning.text","index":0,"text":"h"}]}}]}

            data: {"choices":[{"index":0,"delta":{"reasoning":"m","reasoning_details":[{"type":"reasoning.text","index":0,"text":"m","signature":"S"}]}}]}

            data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","extra_content":{"google":{"thought_signature":"T"}},"function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}


            """);
        Assert.Equal(
            """{"field":"reasoning","reasoning_details":[{"type":"reasoning.text","index":0,"text":"hm","signature":"S"}]}""",
            Assert.Single(events.OfType<AgentReasoningEnd>()).Extra!.Value.GetRawText());
        Assert.Equal("""{"extra_content":{"google":{"thought_signature":"T"}}}""", Assert.Single(events.OfType<AgentToolCall>()).Extra!.Value.GetRawText());
    }

    private static ResponseRequest Weather => new()
    {
        Input = [new MessageItem("user", [new InputTextPart("hi")])],
        Tools = [new FunctionTool("get_weather", null, null, null), new FunctionTool("get_time", null, null, null)],
    };

    private static byte[] Pack(string text, string? coding)
    {
        using var packed = new MemoryStream();
        using (Stream stream = coding switch
        {
            null => new BufferedStream(packed),
            "br" => new BrotliStream(packed, CompressionLevel.Fastest, leaveOpen: true),
            "deflate" => new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true),
            _ => new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true),
        })
        {
            stream.Write(Encoding.UTF8.GetBytes(text));
            stream.Flush();
            if (coding is null) return packed.ToArray();
        }

        return packed.ToArray();
    }

    private static async Task<List<AgentEvent>> RunAsync(string stream, ResponseRequest? request = null)
    {
        await using var provider = await FakeProvider.StartAsync(asked => asked.WriteAsync(stream));
        using var agent = AgentUnderTest.Of(AgentKind.ChatCompletions, provider.Address);
        return await AgentUnderTest.RunAsync(agent, AgentUnderTest.Turn("hi", request));
    }

    private static async Task<string> FailAsync(string stream, List<AgentEvent>? before = null)
    {
        await using var provider = await FakeProvider.StartAsync(asked => asked.WriteAsync(stream));
        using var agent = AgentUnderTest.Of(AgentKind.ChatCompletions, provider.Address, options => options.Retries = 0);
        return (await AgentUnderTest.FailAsync(agent, before)).Message;
    }
}
