using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Tests.Unit.Responses;

/// <summary>Tools that aren't functions, and what was handed out coming back: Codex and other clients of OpenAI's own service.</summary>
public sealed class ClientToolsTests
{
    private const string Function = """{"type":"function","name":"get_weather","parameters":{"type":"object"}}""";
    private const string Space =
        """{"type":"namespace","name":"agents","description":"of agents","tools":[{"type":"function","name":"close"},{"type":"function","name":"get_weather"},{"type":"web_search"}]}""";
    private const string Custom = """{"type":"custom","name":"apply_patch","description":"Patches.","format":{"type":"grammar","syntax":"lark","definition":"start: /.+/"}}""";

    [Theory]
    [InlineData("""{"type":"web_search","external_web_access":false}""", "web_search")]
    [InlineData("""{"type":"local_shell"}""", "local_shell")]
    [InlineData("""{"type":"image_generation","output_format":"png"}""", "image_generation")]
    [InlineData("""{"type":"mcp","server_label":"x","server_url":"https://example.org"}""", "mcp")]
    [InlineData("""{"type":"acme:thing"}""", "acme:thing")]
    public async Task WhatTheAgentCantDo_IsNotOffered_AndTheClientIsTold(string tool, string name)
    {
        var agent = Answering(new AgentReply("ok"));
        await using var door = await DoorUnderTest.StartAsync(agents: agent);
        using var response = await door.PostAsync(
            "responses",
            $$"""{"model":"scripted","input":"x","tools":[{{Function}},{{tool}}],"include":["web_search_call.results"],"conversations":1}""");
        Assert.Equal(200, (int)response.StatusCode);
        Assert.Equal($"conversations, tools[1] ({name}), include[0] (web_search_call.results)", Assert.Single(response.Headers.GetValues("ChannelBridge-Ignored")));
        Assert.Equal("get_weather", Assert.Single(Assert.Single(agent.Turns).Request!.Tools).Name);
        var body = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal("get_weather", (string)Assert.Single(body["tools"]!.AsArray())!["name"]!);
        Assert.Empty(body["metadata"]!.AsObject());
    }

    [Fact]
    public async Task Namespaces_AndCustomTools_AreFunctionsForTheAgent_AndComeBackAsTheyWere()
    {
        var agent = Answering(
            new AgentToolCall("c1", "close", "{\"id\":1}"),
            new AgentToolCall("c2", "agents__get_weather", "{}"),
            new AgentToolCall("c3", "apply_patch", "{\"input\":\"*** Begin\\n😀\"}"),
            new AgentToolCall("c4", "get_weather", "{}"));
        await using var door = await DoorUnderTest.StartAsync(agents: agent);
        var tools = $"[{Function},{Space},{Custom}]";
        using var response = await door.PostAsync(
            "responses",
            $$$"""{"model":"scripted","input":"x","stream":true,"tools":{{{tools}}},"tool_choice":{"type":"custom","name":"apply_patch"}}""");
        Assert.Equal("tools[1].tools[2] (web_search)", Assert.Single(response.Headers.GetValues("ChannelBridge-Ignored")));
        var events = DoorUnderTest.Parse(await response.Content.ReadAsStringAsync());
        var output = events[^1]["response"]!["output"]!.AsArray();
        Assert.Equal(
            ["function_call agents close {\"id\":1}", "function_call agents get_weather {}", "custom_tool_call  apply_patch *** Begin\n😀", "function_call  get_weather {}"],
            output.Select(item => $"{item!["type"]} {item["namespace"]} {item["name"]} {item["arguments"] ?? item["input"]}"));
        Assert.Equal("*** Begin\n😀", string.Concat(events.Where(one => (string)one["type"]! == "response.custom_tool_call_input.delta").Select(one => (string)one["delta"]!)));
        Assert.Equal("*** Begin\n😀", (string)Assert.Single(events, one => (string)one["type"]! == "response.custom_tool_call_input.done")["input"]!);
        // The snapshot repeats what was offered, as it was offered.
        var said = events[0]["response"]!;
        Assert.Equal(["function", "namespace", "custom"], said["tools"]!.AsArray().Select(tool => (string)tool!["type"]!));
        Assert.Equal(["close", "get_weather"], said["tools"]![1]!["tools"]!.AsArray().Select(tool => (string)tool!["name"]!));
        Assert.Equal("""{"type":"custom","name":"apply_patch"}""", said["tool_choice"]!.ToJsonString());
        var asked = Assert.Single(agent.Turns).Request!;
        Assert.Equal(["get_weather", "close", "agents__get_weather", "apply_patch"], asked.Tools.Select(tool => tool.Name));
        Assert.Contains("start: /.+/", asked.Tools[3].Description!, StringComparison.Ordinal);
        Assert.Equal("apply_patch", asked.ToolChoice.Function);

        var results =
            """{"type":"function_call_output","call_id":"c1","output":"1"},{"type":"function_call_output","call_id":"c2","output":"2"},{"type":"custom_tool_call_output","call_id":"c3","output":"3"},{"type":"function_call_output","call_id":"c4","output":"4"}""";
        var id = (string)events[^1]["response"]!["id"]!;
        await door.AskAsync($$"""{"model":"scripted","previous_response_id":"{{id}}","input":[{{results}}],"tools":{{tools}}}""");
        await door.AskAsync($$"""{"model":"scripted","store":false,"input":[{{string.Join(',', output.Select(item => item!.ToJsonString()))}},{{results}}],"tools":{{tools}}}""");
        foreach (var turn in agent.Turns.Skip(1))
        {
            Assert.Equal(
                ["close{\"id\":1}", "agents__get_weather{}", "apply_patch{\"input\":\"*** Begin\\n\\uD83D\\uDE00\"}", "get_weather{}"],
                turn.Request!.Input.OfType<FunctionCallItem>().Select(call => call.Name + call.Arguments));
        }

        var items = (await door.GetAsync($"responses/{id}/input_items"))["data"]!.AsArray();
        Assert.Single(items);
    }

    [Fact]
    public async Task WhatTheHostHandsOut_ItTakesBack()
    {
        var callId = "codex_mcp__google_calendar__search_events_exec-" + new string('7', 300);
        var name = "an invented.name with ünïcode " + new string('n', 100);
        var agent = Answering(new AgentReply(new string('x', 64)), new AgentToolCall(callId, name, "{}"), new AgentToolCall("c2", "f", "no json"));
        await using var door = await DoorUnderTest.StartAsync(agents: agent);
        var first = await door.AskAsync($$"""{"model":"scripted","input":"x","tools":[{{Function}}]}""");
        var results = $$"""{"type":"function_call_output","call_id":"{{callId}}","output":"1"},{"type":"function_call_output","call_id":"c2","output":"2"}""";
        await door.AskAsync($$"""{"model":"scripted","previous_response_id":"{{first["id"]}}","input":[{{results}}]}""");
        await door.AskAsync(
            $$"""{"model":"scripted","input":[{"role":"user","content":"x"},{{string.Join(',', first["output"]!.AsArray().Select(item => item!.ToJsonString()))}},{{results}}]}""");
        foreach (var turn in agent.Turns.Skip(1))
            Assert.Equal([(callId, name), ("c2", "f")], turn.Request!.Input.OfType<FunctionCallItem>().Select(call => (call.CallId, call.Name)));
    }

    /// <summary>A schema as deep as a request may be stands deeper in an event, and deeper still in the store.</summary>
    [Fact]
    public async Task ADeepRequest_IsStored_AndContinued()
    {
        var schema = string.Concat(Enumerable.Repeat("{\"x\":", 60)) + "1" + new string('}', 60);
        await using var door = await DoorUnderTest.StartAsync();
        var first = await door.AskAsync($$"""{"input":"x","tools":[{"type":"function","name":"f","parameters":{{schema}}}]}""");
        await door.GetAsync($"responses/{first["id"]}");
        var next = await door.AskAsync($$"""{"input":"y","previous_response_id":"{{first["id"]}}"}""");
        Assert.Equal("completed", (string)next["status"]!);
    }

    [Fact]
    public async Task ItemsOfOtherServersTools_ArePassedOver_AndTheClientIsTold()
    {
        var agent = Answering(new AgentReply("ok"));
        await using var door = await DoorUnderTest.StartAsync(agents: agent);
        using var response = await door.PostAsync(
            "responses",
            """{"model":"scripted","input":[{"type":"web_search_call","id":"ws_1","status":"completed","action":{}},{"type":"mcp_list_tools","id":"m","tools":[]},{"role":"user","content":"x"}]}""");
        Assert.Equal("input[0] (web_search_call), input[1] (mcp_list_tools)", Assert.Single(response.Headers.GetValues("ChannelBridge-Ignored")));
        Assert.IsType<MessageItem>(Assert.Single(Assert.Single(agent.Turns).Request!.Input));
    }

    [Fact]
    public async Task ParallelToolCallsFalse_Holds_WhateverTheProviderDoes()
    {
        var agent = Answering(new AgentToolCall("c1", "get_weather", "{}"), new AgentToolCall("c2", "get_weather", "{}"));
        await using var door = await DoorUnderTest.StartAsync(agents: agent);
        var body = await door.AskAsync($$"""{"model":"scripted","input":"x","tools":[{{Function}}],"parallel_tool_calls":false}""");
        Assert.Equal("c1", (string)Assert.Single(body["output"]!.AsArray())!["call_id"]!);
    }

    [Fact]
    public async Task OneAfterAnother_IsNotParallel()
    {
        var agent = Answering(
            new AgentToolCall("c1", "f", "{}"), new AgentToolResult("c1", "1"), new AgentToolCall("c2", "f", "{}"), new AgentToolResult("c2", "2"), new AgentReply("done"));
        await using var door = await DoorUnderTest.StartAsync(agents: agent);
        var body = await door.AskAsync("""{"model":"scripted","input":"x","parallel_tool_calls":false}""");
        Assert.Equal(5, body["output"]!.AsArray().Count);
    }

    [Fact]
    public async Task ACallThatWasCutOff_IsIncomplete_AndTheLast()
    {
        var agent = Answering(new AgentToolCall("c1", "f", "{}"), new AgentToolCall("c2", "f", "{\"a") { IsCutOff = true }, new AgentFinish(FinishReason.Length));
        await using var door = await DoorUnderTest.StartAsync(agents: agent);
        using var response = await door.PostAsync("responses", """{"model":"scripted","input":"x","stream":true}""");
        var final = StreamChecker.Check(DoorUnderTest.Parse(await response.Content.ReadAsStringAsync())).Final!;
        Assert.Equal("incomplete", (string)final["status"]!);
        Assert.Equal(["completed", "incomplete"], final["output"]!.AsArray().Select(item => (string)item!["status"]!));
        Assert.Equal("{\"a", (string)final["output"]![1]!["arguments"]!);
    }

    private static ScriptedAgent Answering(params AgentEvent[] events)
    {
        var agent = new ScriptedAgent { Repeats = true };
        agent.Say(events);
        agent.End();
        return agent;
    }
}
