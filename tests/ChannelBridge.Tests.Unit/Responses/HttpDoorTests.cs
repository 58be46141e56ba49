using System.Net.Http.Headers;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Tests.Unit.Wire;

namespace ChannelBridge.Tests.Unit.Responses;

public sealed class HttpDoorTests
{
    [Fact]
    public async Task Stream_IsStrict_AndReadableByAReaderThatKnowsLineFeedsOnly()
    {
        await using var door = await DoorUnderTest.StartAsync();
        using var response = await door.PostAsync("responses", """{"input":"Hello 👩‍👩‍👧 שלום","stream":true}""");
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        var text = await response.Content.ReadAsStringAsync();
        Assert.Equal(["echo: Hello 👩‍👩‍👧 שלום"], StreamChecker.Check(DoorUnderTest.Parse(text)).Messages);
        Assert.DoesNotContain("\nid:", text, StringComparison.Ordinal);
    }

    /// <summary>Each event goes out whole and at once: a reader loses an event whose empty line comes in a later piece.</summary>
    [Fact]
    public async Task EachEvent_IsOnePiece()
    {
        var agent = new ScriptedAgent();
        await using var door = await DoorUnderTest.StartAsync(agents: agent);
        using var response = await door.PostAsync("responses", """{"input":"x","model":"scripted","stream":true}""", HttpCompletionOption.ResponseHeadersRead);
        await using var stream = await response.Content.ReadAsStreamAsync();
        var buffer = new byte[64 * 1024];
        var count = 0;
        await agent.Started.Task.WaitAsync(DoorUnderTest.Patience);
        while (true)
        {
            using var timeout = new CancellationTokenSource(DoorUnderTest.Patience);
            var read = await stream.ReadAsync(buffer, timeout.Token);
            if (read == 0) break;
            Assert.Equal("\n\n"u8.ToArray(), buffer[(read - 2)..read]);
            if (count++ < 5) agent.Say(new AgentPartial($"piece {count} "));
            else agent.End();
        }
    }

    [Fact]
    public async Task Json_IsTheWholeResponse()
    {
        await using var door = await DoorUnderTest.StartAsync();
        var response = await door.AskAsync("""{"input":[{"role":"user","content":"hi"}],"model":"gpt-unknown","temperature":0.1,"metadata":{"k":"v"}}""");
        Assert.Empty(ContractSchema.Check("ResponseResource", response));
        Assert.Equal(32, response.AsObject().Count);
        Assert.Equal("gpt-unknown", (string)response["model"]!);
        Assert.Equal("echo: hi", (string)response["output"]![0]!["content"]![0]!["text"]!);
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("[]", null)]
    [InlineData("{", null)]
    [InlineData("{}", "input")]
    [InlineData("""{"input":[]}""", "input")]
    [InlineData("""{"input":5}""", "input")]
    [InlineData("""{"input":"x","temperature":3}""", "temperature")]
    [InlineData("""{"input":"x","temperature":"hot"}""", "temperature")]
    [InlineData("""{"input":"x","max_output_tokens":5}""", "max_output_tokens")]
    [InlineData("""{"input":"x","top_logprobs":21}""", "top_logprobs")]
    [InlineData("""{"input":"x","stream":"yes"}""", "stream")]
    [InlineData("""{"input":"x","truncation":"some"}""", "truncation")]
    [InlineData("""{"input":"x","metadata":{"a":1}}""", "metadata.a")]
    [InlineData("""{"input":"x","tools":[{"name":"x"}]}""", "tools[0].type")]
    [InlineData("""{"input":"x","tools":[{"type":"web_search"}],"tool_choice":{"type":"web_search"}}""", "tool_choice.type")]
    [InlineData("""{"input":"x","tools":[{"type":"web_search"}],"tool_choice":"required"}""", "tool_choice")]
    [InlineData("""{"input":"x","conversation":{"id":"conv_1"}}""", "conversation")]
    [InlineData("""{"input":"x","prompt":{"id":"pmpt_1"}}""", "prompt")]
    [InlineData("""{"input":"x","include":"reasoning.encrypted_content"}""", "include")]
    [InlineData("""{"input":"x","include":[1]}""", "include[0]")]
    [InlineData("""{"input":"x","metadata":{"0123456789012345678901234567890123456789012345678901234567890123x":"y"}}""",
        "metadata.0123456789012345678901234567890123456789012345678901234567890123…")]
    [InlineData("""{"input":"x","tools":[{"type":"function","name":"a b"}]}""", "tools[0].name")]
    [InlineData("""{"input":"x","tool_choice":"required"}""", "tool_choice")]
    [InlineData("""{"input":"x","tools":[{"type":"function","name":"a"}],"tool_choice":{"type":"function","name":"b"}}""", "tool_choice.name")]
    [InlineData("""{"input":"x","text":{"format":{"type":"xml"}}}""", "text.format.type")]
    [InlineData("""{"input":[{"type":"input_text","text":"bare"}]}""", "input[0].type")]
    [InlineData("""{"input":[{"type":"message","role":"king","content":"x"}]}""", "input[0].role")]
    [InlineData("""{"input":[{"type":"message","role":"user"}]}""", "input[0].content")]
    [InlineData("""{"input":[{"role":"user","content":[{"type":"input_text"}]}]}""", "input[0].content[0].text")]
    [InlineData("""{"input":[{"role":"system","content":[{"type":"input_image","image_url":"https://example.org/x.png"}]}]}""", "input[0].content[0].type")]
    [InlineData("""{"input":[{"role":"user","content":[{"type":"input_image","image_url":"file:///etc/passwd"}]}]}""", "input[0].content[0].image_url")]
    [InlineData("""{"input":[{"role":"user","content":[{"type":"input_image","image_url":"http://127.0.0.1/x"}]}]}""", "input[0].content[0].image_url")]
    [InlineData("""{"input":[{"role":"user","content":[{"type":"input_file","file_data":"not base64!"}]}]}""", "input[0].content[0].file_data")]
    [InlineData("""{"input":[{"type":"function_call_output","call_id":"call_x","output":"y"}]}""", "input[0].call_id")]
    [InlineData("""{"input":[{"type":"item_reference","id":"msg_x"}]}""", "input[0].id")]
    [InlineData("""{"input":"\ud800"}""", "input")]
    public async Task WrongRequest_IsToldWhere(string body, string? param)
    {
        await using var door = await DoorUnderTest.StartAsync();
        var error = (await door.AskAsync(body, 400))["error"]!;
        Assert.Equal("invalid_request", (string)error["type"]!);
        Assert.Equal(param, (string?)error["param"]);
        Assert.NotNull(error["message"]);
        Assert.True(error.AsObject().ContainsKey("code"));
    }

    [Fact]
    public async Task TooLarge_WrongToken_WrongScope_UnknownPath()
    {
        await using var door = await DoorUnderTest.StartAsync(options => options.MaxBodyBytes = 2000);
        Assert.Equal("payload_too_large", (string)(await door.AskAsync($$"""{"input":"{{new string('x', 3000)}}"}""", 413))["error"]!["code"]!);
        using (var chunked = new HttpRequestMessage(HttpMethod.Post, "responses") { Content = new StreamContent(new MemoryStream(new byte[5000])) })
        {
            chunked.Headers.TransferEncodingChunked = true;
            using var refused = await door.Http.SendAsync(chunked);
            Assert.Equal(413, (int)refused.StatusCode);
        }

        Assert.Equal("unknown_path", (string)(await door.GetAsync("nothing", 404))["error"]!["code"]!);
        door.Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", WireHost.ReadToken);
        Assert.Equal("forbidden", (string)(await door.AskAsync("""{"input":"x"}""", 403))["error"]!["code"]!);
        await door.GetAsync("models");
        door.Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "wrong");
        Assert.Equal("unauthorized", (string)(await door.GetAsync("models", 401))["error"]!["code"]!);
        door.Http.DefaultRequestHeaders.Authorization = null;
        await door.AskAsync("""{"input":"x"}""", 401);
    }

    [Fact]
    public async Task Continuation_Get_Items_Delete()
    {
        await using var door = await DoorUnderTest.StartAsync();
        var first = await door.AskAsync("""{"input":"one"}""");
        var id = (string)first["id"]!;
        var second = await door.AskAsync($$"""{"input":"two","previous_response_id":"{{id}}"}""");
        Assert.Equal(id, (string)second["previous_response_id"]!);
        Assert.Equal(first.ToJsonString(), (await door.GetAsync("responses/" + id)).ToJsonString());
        var items = await door.GetAsync($"responses/{id}/input_items");
        Assert.Equal("one", (string)items["data"]![0]!["content"]![0]!["text"]!);
        Assert.Empty(ContractSchema.Check("ItemField", items["data"]![0]));
        Assert.False((bool)items["has_more"]!);

        var error = (await door.AskAsync("""{"input":"x","previous_response_id":"resp_unknown"}""", 404))["error"]!;
        Assert.Equal(("not_found", "previous_response_not_found", "previous_response_id"), ((string)error["type"]!, (string)error["code"]!, (string)error["param"]!));

        using var deleted = await door.Http.DeleteAsync("responses/" + id);
        Assert.Contains("\"deleted\":true", await deleted.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await door.GetAsync("responses/" + id, 404);
        await door.GetAsync($"responses/{id}/input_items", 404);
        await door.AskAsync($$"""{"input":"x","previous_response_id":"{{id}}"}""", 404);
        // Another token's responses don't exist.
        door.Http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", WireHost.ReadToken);
        await door.GetAsync("responses/" + (string)second["id"]!, 404);
    }

    [Fact]
    public async Task ClientGone_ResponseGoesOn_AndIsResumed()
    {
        var agent = new ScriptedAgent();
        await using var door = await DoorUnderTest.StartAsync(agents: agent);
        using var leave = new CancellationTokenSource();
        using var response = await door.PostAsync("responses", """{"input":"x","model":"scripted","stream":true}""", HttpCompletionOption.ResponseHeadersRead, leave.Token);
        await using var stream = await response.Content.ReadAsStreamAsync();
        using var reader = new StreamReader(stream);
        agent.Say(new AgentPartial("first "));
        var seen = new List<System.Text.Json.Nodes.JsonNode>();
        while (await reader.ReadLineAsync().WaitAsync(DoorUnderTest.Patience) is { } line)
        {
            if (line.StartsWith("data: ", StringComparison.Ordinal)) seen.Add(System.Text.Json.Nodes.JsonNode.Parse(line[6..])!);
            if (line.Contains("output_text.delta", StringComparison.Ordinal) && line.StartsWith("data", StringComparison.Ordinal)) break;
        }

        var id = (string)seen[0]["response"]!["id"]!;
        response.Dispose();
        Assert.Equal("in_progress", (string)(await door.GetAsync("responses/" + id))["status"]!);
        agent.Say(new AgentPartial("second"), new AgentReply("first second"));
        agent.End();
        var rest = await door.Http.GetStringAsync($"responses/{id}?stream=true&starting_after={seen.Count - 1}");
        Assert.Equal(["first second"], StreamChecker.Check([.. seen, .. DoorUnderTest.Parse(rest)]).Messages);
        await door.GetAsync($"responses/{id}?stream=true&starting_after=x", 400);
    }

    [Fact]
    public async Task ClientGone_CancelsWhereTheSettingSaysSo()
    {
        var agent = new ScriptedAgent();
        await using var door = await DoorUnderTest.StartAsync(options => options.CancelOnDisconnect = true, agents: agent);
        using (var response = await door.PostAsync("responses", """{"input":"x","model":"scripted","stream":true}""", HttpCompletionOption.ResponseHeadersRead))
        {
            await agent.Started.Task.WaitAsync(DoorUnderTest.Patience);
        }

        await agent.Cancelled.Task.WaitAsync(DoorUnderTest.Patience);
    }

    [Fact]
    public async Task Background_IsAnsweredAtOnce_AndCancelled()
    {
        var agent = new ScriptedAgent();
        await using var door = await DoorUnderTest.StartAsync(agents: agent);
        var response = await door.AskAsync("""{"input":"x","model":"scripted","background":true}""");
        Assert.True((string)response["status"]! is "queued" or "in_progress", response.ToJsonString());
        var cancelled = await door.AskAsync("", 200, $"responses/{response["id"]}/cancel");
        Assert.Equal("cancelled", (string)cancelled["error"]!["code"]!);
        Assert.Equal("failed", (string)(await door.GetAsync($"responses/{response["id"]}"))["status"]!);
        await door.AskAsync("", 404, "responses/resp_unknown/cancel");
    }

    [Fact]
    public async Task AgentFailsBeforeAnything_IsAnHttpError_AndInParts_AResponse()
    {
        var early = new ScriptedAgent("early");
        early.End(new BridgeException("MODEL_AWAY", "the model is away"));
        var late = new ScriptedAgent("late");
        late.Say(new AgentPartial("some"));
        late.End(new BridgeException("MODEL_AWAY", "the model is away"));
        await using var door = await DoorUnderTest.StartAsync(agents: [early, late]);
        var error = (await door.AskAsync("""{"input":"x","model":"early"}""", 500))["error"]!;
        Assert.Equal(("model_error", "model_away"), ((string)error["type"]!, (string)error["code"]!));
        var response = await door.AskAsync("""{"input":"x","model":"late"}""");
        Assert.Equal("failed", (string)response["status"]!);
        Assert.Equal("some", (string)response["output"]![0]!["content"]![0]!["text"]!);
    }

    [Fact]
    public async Task LineFull_Is429_WithRetryAfter()
    {
        var agent = new ScriptedAgent();
        await using var door = await DoorUnderTest.StartAsync(options => (options.Slots, options.QueueCapacity) = (1, 0), agents: agent);
        await door.AskAsync("""{"input":"x","model":"scripted","background":true}""");
        using var refused = await door.PostAsync("responses", """{"input":"y","model":"scripted","stream":true}""");
        Assert.Equal(429, (int)refused.StatusCode);
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.Contains("too_many_requests", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Models_AreTheAgents()
    {
        await using var door = await DoorUnderTest.StartAsync(agents: new ScriptedAgent("helper"));
        Assert.Equal(["echo", "helper"], (await door.GetAsync("models"))["data"]!.AsArray().Select(model => (string)model!["id"]!));
        Assert.Equal("model", (string)(await door.GetAsync("models/helper"))["object"]!);
        await door.GetAsync("models/nobody", 404);
    }

    [Fact]
    public async Task Compact_GivesAnItem_ThatStandsForTheConversation()
    {
        var agent = new ScriptedAgent();
        await using var door = await DoorUnderTest.StartAsync(agents: agent);
        var compacted = await door.AskAsync(
            """{"model":"echo","input":[{"role":"user","content":"the word is slate"},{"role":"assistant","content":"OK"}]}""", 200,
            "responses/compact");
        Assert.Empty(ContractSchema.Check("CompactResource", compacted));
        var item = compacted["output"]![0]!.ToJsonString();
        agent.Say(new AgentReply("ok"));
        agent.End();
        await door.AskAsync($$"""{"model":"scripted","input":[{{item}},{"role":"user","content":"go on"}]}""");
        var turn = Assert.Single(agent.Turns);
        Assert.Contains("the word is slate",
            ((Protocol.OpenResponses.InputTextPart)((Protocol.OpenResponses.MessageItem)turn.Request!.Input[0]).Content[0]).Text,
            StringComparison.Ordinal);

        Assert.Equal("model", (string)(await door.AskAsync("""{"input":"x"}""", 400, "responses/compact"))["error"]!["param"]!);
        var changed = item.Replace("cb2.", "cb2.AAAA", StringComparison.Ordinal);
        Assert.Equal("invalid_compaction", (string)(await door.AskAsync($$"""{"input":[{{changed}},{"role":"user","content":"x"}]}""", 400))["error"]!["code"]!);
    }
}
