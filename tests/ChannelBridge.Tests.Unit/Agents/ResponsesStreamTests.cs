using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Agents;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Tests.Unit.Agents;

/// <summary>What servers of <c>/v1/responses</c> send besides what the spec says: nothing whole is lost, nothing broken is whole.</summary>
public sealed class ResponsesStreamTests
{
    private const string End = """{"type":"response.completed","response":{"status":"completed","output":[]}}""";

    [Fact]
    public async Task Reasoning_WithoutDeltas_IsTold_WithItsSeal()
    {
        var events = await RunAsync(
            """{"type":"response.output_item.done","item":{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"one"},{"type":"summary_text","text":"two"}],"encrypted_content":"S"}}""",
            """{"type":"response.output_item.done","item":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"done","annotations":[{"type":"url_citation","url":"https://a.example","title":"A","start_index":0,"end_index":4}]}]}}""",
            End);
        Assert.Equal("one\n\ntwo", string.Concat(events.OfType<AgentReasoning>().Select(one => one.Suffix)));
        Assert.Equal(new AgentReasoningEnd("S"), Assert.Single(events.OfType<AgentReasoningEnd>()));
        Assert.Equal(new AgentCitation("https://a.example", "A", 0, 4), Assert.Single(events.OfType<AgentCitation>()));
        Assert.Equal("done", Assert.Single(events.OfType<AgentReply>()).Text);
    }

    [Fact]
    public async Task Reasoning_WithDeltas_IsToldOnce()
    {
        var events = await RunAsync(
            """{"type":"response.reasoning_summary_text.delta","delta":"one"}""",
            """{"type":"response.output_item.done","item":{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"one"}]}}""",
            """{"type":"response.completed","response":{"status":"completed","output":[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"one"}]}]}}""");
        Assert.Equal("one", string.Concat(events.OfType<AgentReasoning>().Select(one => one.Suffix)));
    }

    [Theory]
    [InlineData("incomplete", "{\\\"a", true)]
    [InlineData("incomplete", "{}", false)]
    [InlineData("completed", "{\\\"a", false)]
    public async Task ACall_ThatTheLimitCutOff_SaysSo(string status, string arguments, bool isCutOff)
    {
        var item = $$"""{"type":"function_call","call_id":"c","name":"f","arguments":"{{arguments}}"}""";
        var events = await RunAsync(
            $$$"""{"type":"response.output_item.done","item":{{{item}}}}""",
            $$$"""{"type":"response.{{{status}}}","response":{"status":"{{{status}}}","output":[{{{item}}}]}}""");
        Assert.Equal(isCutOff, Assert.Single(events.OfType<AgentToolCall>()).IsCutOff);
    }

    [Fact]
    public async Task CallsWithoutIds_AreApart()
    {
        const string Item = """{"type":"function_call","name":"f","arguments":"{}"}""";
        var events = await RunAsync($$$"""{"type":"response.output_item.done","item":{{{Item}}}}""", $$$"""{"type":"response.output_item.done","item":{{{Item}}}}""", End);
        Assert.Equal(2, events.OfType<AgentToolCall>().Select(call => call.CallId).Distinct().Count());
    }

    [Theory]
    [InlineData("""{"error":{"message":"No memory"}}""")]
    [InlineData("""{"message":"No memory","code":500}""")]
    [InlineData("""{"type":"error","message":"No memory"}""")]
    [InlineData("""{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"No memory"}}}""")]
    public async Task AnErrorsText_IsFound(string last)
    {
        await using var provider = await FakeProvider.StartAsync(asked => asked.WriteAsync($"data: {last}\n\n"));
        using var agent = AgentUnderTest.Of(AgentKind.Responses, provider.Address, options => options.Retries = 0);
        Assert.Contains("No memory", (await AgentUnderTest.FailAsync(agent)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SealedReasoning_IsAskedFor_AndGivenBack_WhenTheClientWantsIt()
    {
        await using var provider = await FakeProvider.StartAsync(request => request.ResponseAsync("ok"));
        using var agent = AgentUnderTest.Of(AgentKind.Responses, provider.Address);
        IReadOnlyList<ResponseItem> input = [new MessageItem("user", [new InputTextPart("hi")]), new ReasoningItem([], null, "S")];
        await AgentUnderTest.RunAsync(agent, AgentUnderTest.Turn("hi", new ResponseRequest { Input = input, IncludeSealedReasoning = true }));
        await AgentUnderTest.RunAsync(agent, AgentUnderTest.Turn("hi", new ResponseRequest { Input = input }));
        var asked = provider.Requests.Select(request => request.Json).ToList();
        Assert.Equal("""["reasoning.encrypted_content"]""", asked[0].GetProperty("include").GetRawText());
        Assert.False(asked[1].TryGetProperty("include", out _));
        Assert.All(asked, json => Assert.Equal("S", json.GetProperty("input")[1].GetProperty("encrypted_content").GetString()));
    }

    private static async Task<List<AgentEvent>> RunAsync(params string[] events)
    {
        await using var provider = await FakeProvider.StartAsync(asked => asked.WriteAsync(string.Concat(events.Select(one => $"data: {one}\n\n"))));
        using var agent = AgentUnderTest.Of(AgentKind.Responses, provider.Address);
        return await AgentUnderTest.RunAsync(agent);
    }
}
