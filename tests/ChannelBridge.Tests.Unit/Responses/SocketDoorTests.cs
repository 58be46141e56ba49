using System.Net.WebSockets;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Protocol.OpenResponses;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Responses;

public sealed class SocketDoorTests
{
    [Fact]
    public async Task Requests_RunOneAfterAnother_WithoutDone()
    {
        await using var door = await DoorUnderTest.StartAsync();
        using var socket = await door.OpenAsync();
        // Both at once: the second waits for the first.
        await DoorUnderTest.SendAsync(socket, """{"type":"response.create","input":"first"}""");
        var second = """{"type":"response.create","input":"second","store":false}""";
        await DoorUnderTest.SendAsync(socket, second);
        foreach (var text in new[] { "echo: first", "echo: second" })
        {
            var events = new List<JsonNode>();
            while (await DoorUnderTest.ReceiveAsync(socket) is { } one)
            {
                events.Add(one);
                if ((string)one["type"]! == "response.completed") break;
            }

            Assert.Equal([text], StreamChecker.Check(events).Messages);
        }

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
    }

    [Fact]
    public async Task NotStored_IsContinuedHereOnly_AndAFailedContinuationForgets()
    {
        var agent = new ScriptedAgent();
        agent.Say(new AgentReply("ok"));
        agent.End();
        await using var door = await DoorUnderTest.StartAsync(agents: agent);
        using var socket = await door.OpenAsync();
        var first = Id(await DoorUnderTest.TurnAsync(socket, """{"type":"response.create","store":false,"input":"the word is cobalt"}"""));
        var second = await DoorUnderTest.TurnAsync(
            socket, $$"""{"type":"response.create","model":"scripted","store":false,"previous_response_id":"{{first}}","input":"which word?"}""");
        Assert.Equal("response.completed", (string)second[^1]["type"]!);
        Assert.Equal(3, Assert.Single(agent.Turns).Request!.Input.Count);

        using var other = await door.OpenAsync();
        var missed = Assert.Single(await DoorUnderTest.TurnAsync(other, $$"""{"type":"response.create","store":false,"previous_response_id":"{{Id(second)}}","input":"x"}"""));
        Assert.Empty(ContractSchema.Check("WebSocketErrorEvent", missed));
        Assert.Equal((400, "previous_response_not_found"), ((int)missed["status"]!, (string)missed["error"]!["code"]!));
        // The socket goes on.
        Assert.Equal("response.completed", (string)(await DoorUnderTest.TurnAsync(other, """{"type":"response.create","input":"y"}"""))[^1]["type"]!);

        var failed = await DoorUnderTest.TurnAsync(
            socket, $$"""{"type":"response.create","store":false,"previous_response_id":"{{Id(second)}}","input":[{"type":"function_call_output","call_id":"call_missing","output":"x"}]}""");
        Assert.Equal("error", (string)Assert.Single(failed)["type"]!);
        var evicted = await DoorUnderTest.TurnAsync(socket, $$"""{"type":"response.create","store":false,"previous_response_id":"{{Id(second)}}","input":"x"}""");
        Assert.Equal("previous_response_not_found", (string)Assert.Single(evicted)["error"]!["code"]!);
    }

    [Fact]
    public async Task Stored_IsContinuedAnywhere_AlsoWithoutBeingStored()
    {
        await using var door = await DoorUnderTest.StartAsync();
        var stored = (string)(await door.AskAsync("""{"input":"one"}"""))["id"]!;
        using var socket = await door.OpenAsync();
        var loose = Id(await DoorUnderTest.TurnAsync(socket, $$"""{"type":"response.create","store":false,"previous_response_id":"{{stored}}","input":"two"}"""));
        var kept = Id(await DoorUnderTest.TurnAsync(socket, $$"""{"type":"response.create","previous_response_id":"{{loose}}","input":"three"}"""));
        var items = await door.GetAsync($"responses/{kept}/input_items?order=asc&limit=100");
        Assert.Equal(5, items["data"]!.AsArray().Count);
    }

    [Fact]
    public async Task WarmUp_AsksNobody_AndIsContinued()
    {
        await using var door = await DoorUnderTest.StartAsync();
        using var socket = await door.OpenAsync();
        var warm = await DoorUnderTest.TurnAsync(socket, """{"type":"response.create","store":false,"generate":false,"input":"be ready"}""");
        Assert.Empty(StreamChecker.Check(warm).Final!["output"]!.AsArray());
        var next = await DoorUnderTest.TurnAsync(socket, $$"""{"type":"response.create","store":false,"previous_response_id":"{{Id(warm)}}","input":"now"}""");
        Assert.Equal("echo: now", Assert.Single(StreamChecker.Check(next).Messages));
        // Only what every request of the connection shares.
        var bare = await DoorUnderTest.TurnAsync(socket, """{"type":"response.create","store":false,"generate":false,"instructions":"be brief"}""");
        Assert.Equal("completed", (string)StreamChecker.Check(bare).Final!["status"]!);
    }

    /// <summary>Guards against a bound that holds only as far as buffers are rounded up.</summary>
    [Fact]
    public async Task LargeMessage_IsRefused_AndTheSocketGoesOn()
    {
        await using var door = await DoorUnderTest.StartAsync(options => options.MaxBodyBytes = 2000);
        using var socket = await door.OpenAsync();
        var error = Assert.Single(await DoorUnderTest.TurnAsync(socket, $$"""{"type":"response.create","input":"{{new string('x', 2000)}}"}"""));
        Assert.Equal((413, "payload_too_large"), ((int)error["status"]!, (string)error["error"]!["code"]!));
        var next = await DoorUnderTest.TurnAsync(socket, $$"""{"type":"response.create","input":"{{new string('y', 1900)}}"}""");
        Assert.Equal("completed", (string)StreamChecker.Check(next).Final!["status"]!);
    }

    [Theory]
    [InlineData("""{"type":"response.cancel"}""", "type")]
    [InlineData("""{"input":"x"}""", "type")]
    [InlineData("""{"type":"response.create","input":"x","conversation":"conv_1"}""", "conversation")]
    [InlineData("""{"type":"response.create"}""", "input")]
    [InlineData("nonsense", null)]
    public async Task WrongMessage_IsToldWhere_AndTheSocketGoesOn(string message, string? param)
    {
        await using var door = await DoorUnderTest.StartAsync();
        using var socket = await door.OpenAsync();
        var error = Assert.Single(await DoorUnderTest.TurnAsync(socket, message));
        Assert.Empty(ContractSchema.Check("WebSocketErrorEvent", error));
        Assert.Equal(param, (string?)error["error"]!["param"]);
        Assert.Equal("response.completed", (string)(await DoorUnderTest.TurnAsync(socket, """{"type":"response.create","input":"y"}"""))[^1]["type"]!);
    }

    /// <summary>Codex and @openai/agents send it; neither falls back to HTTP.</summary>
    [Theory]
    [InlineData("""{"type":"response.create","input":"x","stream":true,"background":false,"stream_options":{"include_obfuscation":false}}""", null)]
    [InlineData("""{"type":"response.create","input":"x","stream":false,"background":true}""", "stream, background")]
    [InlineData("""{"type":"response.create","input":"x","tools":[{"type":"local_shell"}],"thread_id":"t"}""", "thread_id, tools[0] (local_shell)")]
    public async Task WhatHasNoMeaningHere_IsTaken_AndTold(string message, string? note)
    {
        await using var door = await DoorUnderTest.StartAsync();
        using var socket = await door.OpenAsync();
        var final = StreamChecker.Check(await DoorUnderTest.TurnAsync(socket, message)).Final!;
        Assert.Equal("completed", (string)final["status"]!);
        Assert.Equal(note, (string?)final["metadata"]!["channelbridge_ignored"]);
        Assert.False((bool)final["background"]!);
    }

    [Fact]
    public async Task TooOld_IsToldSo_AndClosed()
    {
        var time = new ManualTime();
        await using var door = await DoorUnderTest.StartAsync(time: time);
        using var socket = await door.OpenAsync();
        await DoorUnderTest.TurnAsync(socket, """{"type":"response.create","input":"y"}""");
        time.Advance(TimeSpan.FromMinutes(61));
        Assert.Equal("websocket_connection_limit_reached", (string)(await DoorUnderTest.ReceiveAsync(socket))!["error"]!["code"]!);
        Assert.Null(await DoorUnderTest.ReceiveAsync(socket));
    }

    [Fact]
    public async Task WithoutToken_IsRefused()
    {
        await using var door = await DoorUnderTest.StartAsync();
        var fault = await Assert.ThrowsAsync<WebSocketException>(async () => await door.Host.OpenAsync("/v1/responses"));
        Assert.Contains("401", fault.Message, StringComparison.Ordinal);
        await door.GetAsync("responses", 405);
    }

    [Fact]
    public async Task Methods_StreamTheSameEvents_InFrames()
    {
        await using var door = await DoorUnderTest.StartAsync();
        await using var client = await door.Host.ConnectAsync();
        var answer = await client.CallAsync("1", "responses.create", """{"input":"hi"}""");
        var id = (string)answer["payload"]!["responseId"]!;
        var events = await FollowAsync(client, id, frame => (string?)frame["event"] == "responses.event" ? frame["payload"] : null);
        Assert.Equal(["echo: hi"], StreamChecker.Check(events).Messages);
        await client.CallAsync("2", "responses.resume", $$"""{"responseId":"{{id}}","after":3}""");
        var rest = await FollowAsync(client, id, frame => (string?)frame["event"] == "responses.event" ? frame["payload"] : null);
        Assert.Equal(events.Skip(4).Select(one => one.ToJsonString()), rest.Select(one => one.ToJsonString()));
        var unknown = await client.CallAsync("3", "responses.resume", """{"responseId":"resp_unknown"}""");
        Assert.Equal("NOT_FOUND", (string)unknown["error"]!["code"]!);
    }

    [Fact]
    public async Task Methods_StreamTheSameEvents_AsNotifications_AndCancel()
    {
        var agent = new ScriptedAgent();
        await using var door = await DoorUnderTest.StartAsync(agents: agent);
        await using var client = await door.Host.RpcAsync();
        var wrong = await client.RpcAsync(1, "responses.create", """{"input":"hi","temperature":9}""");
        Assert.Equal("temperature", (string)wrong["error"]!["data"]!["details"]!["param"]!);
        var answer = await client.RpcAsync(2, "responses.create", """{"input":"hi","model":"scripted"}""");
        var id = (string)answer["result"]!["responseId"]!;
        await agent.Started.Task.WaitAsync(DoorUnderTest.Patience);
        await client.SendAsync($$$"""{"jsonrpc":"2.0","id":3,"method":"responses.cancel","params":{"responseId":"{{{id}}}"}}""");
        var events = await FollowAsync(client, id, message => (string?)message["method"] == "responses.event" ? message["params"] : null);
        Assert.Equal("cancelled", (string)StreamChecker.Check(events).Final!["error"]!["code"]!);
    }

    private static async Task<List<JsonNode>> FollowAsync(Wire.WireClient client, string id, Func<JsonObject, JsonNode?> select)
    {
        var events = new List<JsonNode>();
        while (true)
        {
            if (select(await client.ReceiveAsync()) is not JsonObject one) continue;
            Assert.Equal(id, (string)one["response_id"]!);
            one.Remove("response_id");
            events.Add(one.DeepClone());
            if (ResponseEventTypes.IsTerminal((string)one["type"]!)) return events;
        }
    }

    private static string Id(List<JsonNode> events) => (string)events[^1]["response"]!["id"]!;
}
