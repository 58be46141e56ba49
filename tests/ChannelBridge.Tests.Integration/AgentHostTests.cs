using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using ChannelBridge.Tests.Unit.Agents;

namespace ChannelBridge.Tests.Integration;

/// <summary>The host with an agent behind a URL, as a user starts it.</summary>
public sealed class AgentHostTests
{
    private const string Key = "sk-a-very-secret-key";

    [Theory]
    [InlineData("chat-completions")]
    [InlineData("responses")]
    public async Task Serve_AgentByOption_AnswersWithKeyAndModelAndLeaksNeither(string kind)
    {
        await using var provider = await FakeProvider.StartAsync(request => kind == "responses" ? request.ResponseAsync("Hi ", "there") : request.ChatAsync("Hi ", "there"));
        var keyFile = Path.Combine(HostProcess.NewDataFolder(), "key");
        await File.WriteAllTextAsync(keyFile, Key + "\n");
        await using var host = await HostProcess.StartAsync(
            arguments: ["--agent", $"{kind}={provider.Address}/v1", "--agent-model", "m1", "--agent-key-file", keyFile, "--log-level", "Trace"]);
        await using var bridge = await Bridge.ConnectAsync(host);
        Assert.Equal("Hi there", (string?)(await bridge.AskAsync("hello", "1"))["message"]!["msg"]);
        var asked = Assert.Single(provider.Requests);
        Assert.Equal("Bearer " + Key, asked.Authorization);
        Assert.Equal("m1", asked.Json.GetProperty("model").GetString());
        var agent = (await bridge.Client.CallAsync("diagnostics", []))["agents"]![kind]!;
        Assert.Equal((kind, "closed", 1L, 1L), ((string?)agent["kind"], (string?)agent["breaker"], (long?)agent["completed"], (long?)agent["requests"]));
        Assert.DoesNotContain(Key, agent.ToJsonString() + host.Output + host.Errors, StringComparison.Ordinal);
        Assert.Contains($"answered by the agent '{kind}' at {provider.Address}/v1, model m1", host.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Inbound_Stream_ShowsTheAnswerWhileItGrowsAndThenUnderTheSameId()
    {
        var go = new SemaphoreSlim(0);
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            await request.ChunkAsync(new { content = "one 😀" });
            await go.WaitAsync();
            await request.ChunkAsync(new { content = " two" });
            await request.ChatAsync();
        });
        await using var host = await HostProcess.StartAsync(arguments: ["--agent", $"chat-completions={provider.Address}"]);
        await using var bridge = await Bridge.ConnectAsync(host);
        await bridge.SayAsync("hello", "1", stream: true);
        var (name, first) = await bridge.NextAsync();
        // The first words are here while the model still speaks.
        Assert.Equal(("bncr.partial", "one 😀", 0, "1"), (name, (string?)first["delta"], (int?)first["offset"], (string?)first["replyToId"]));
        go.Release();
        var (_, second) = await bridge.NextAsync();
        Assert.Equal((" two", "one 😀".Length), ((string?)second["delta"], (int?)second["offset"]));
        var (last, final) = await bridge.NextAsync();
        Assert.Equal(("bncr.push", "one 😀 two"), (last, (string?)final["message"]!["msg"]));
        Assert.Single(new[] { (string?)first["streamId"], (string?)second["streamId"], (string?)final["streamId"], (string?)final["messageId"] }.Distinct());
        Assert.Equal((string?)first["sessionKey"], (string?)final["sessionKey"]);

        // Who doesn't ask isn't shown anything, and the flag is the message's own.
        go.Release();
        await bridge.SayAsync("again", "2");
        var (plain, answer) = await bridge.NextAsync();
        Assert.Equal("bncr.push", plain);
        Assert.Null(answer["streamId"]);
    }

    [Fact]
    public async Task Inbound_StreamOfAnAgentThatDoesNotStream_IsShownOnce()
    {
        await using var host = await HostProcess.StartAsync();
        await using var bridge = await Bridge.ConnectAsync(host);
        await bridge.SayAsync("hello", "1", stream: true);
        var (name, partial) = await bridge.NextAsync();
        var (_, final) = await bridge.NextAsync();
        Assert.Equal(("bncr.partial", "echo: hello", (string?)final["messageId"]), (name, (string?)partial["delta"], (string?)partial["streamId"]));
    }

    [Fact]
    public async Task Inbound_StreamThatBreaksOff_IsTakenBackAndShownAnew()
    {
        var seen = new SemaphoreSlim(0);
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            if (request.Number > 1)
            {
                await request.ChatAsync("whole");
                return;
            }

            await request.ChunkAsync(new { content = "hal" });
            await seen.WaitAsync();
            request.Abort();
        });
        await using var host = await HostProcess.StartAsync(
            arguments: ["--agent", $"chat-completions={provider.Address}"], environment: new Dictionary<string, string> { ["CHANNELBRIDGE__LIMITS__TURNRETRYDELAY"] = "100ms" });
        await using var bridge = await Bridge.ConnectAsync(host);
        await bridge.SayAsync("hello", "1", stream: true);
        Assert.Equal(("hal", 1), (await bridge.NextAsync()).Payload is var half ? ((string?)half["delta"], (int?)half["attempt"]) : default);
        seen.Release();
        Assert.True((bool?)(await bridge.NextAsync()).Payload["aborted"]);
        var (_, again) = await bridge.NextAsync();
        Assert.Equal(("whole", 0, 2), ((string?)again["delta"], (int?)again["offset"], (int?)again["attempt"]));
        Assert.Equal("whole", (string?)(await bridge.NextAsync()).Payload["message"]!["msg"]);
    }

    [Fact]
    public async Task Conversation_SurvivesAKillOfTheHost()
    {
        await using var provider = await FakeProvider.StartAsync(request => request.ChatAsync($"answer {request.Number}"));
        string[] arguments = ["--agent", $"chat-completions={provider.Address}"];
        var host = await HostProcess.StartAsync(arguments: arguments);
        await using (var bridge = await Bridge.ConnectAsync(host)) await bridge.AskAsync("one", "1");
        await host.KillAsync();
        await using var next = await HostProcess.StartAsync(host.Data, arguments);
        await using (var bridge = await Bridge.ConnectAsync(next)) await bridge.AskAsync("two", "2");
        Assert.Equal(
            """[{"role":"user","content":"one"},{"role":"assistant","content":"answer 1"},{"role":"user","content":"two"}]""",
            provider.Requests.Last().Json.GetProperty("messages").GetRawText());
        await host.DisposeAsync();
    }

    [Fact]
    public async Task Account_WithAnAgentOfItsOwn_IsAnsweredByIt()
    {
        await using var provider = await FakeProvider.StartAsync(request => request.ChatAsync("from the model"));
        await using var host = await HostProcess.StartAsync(environment: new Dictionary<string, string>
        {
            ["CHANNELBRIDGE__AGENTS__LOCAL__KIND"] = "chat-completions",
            ["CHANNELBRIDGE__AGENTS__LOCAL__URL"] = provider.Address,
            ["CHANNELBRIDGE__CHANNELS__BNCR__ACCOUNTS__VIP__AGENT"] = "local",
        });
        await using (var bridge = await Bridge.ConnectAsync(host)) Assert.Equal("echo: hello", (string?)(await bridge.AskAsync("hello", "1"))["message"]!["msg"]);
        await using var vip = await Bridge.ConnectAsync(host, "vip");
        Assert.Equal("from the model", (string?)(await vip.AskAsync("hello", "2"))["message"]!["msg"]);
    }

    [Fact]
    public async Task OpenResponses_NamesAgentAndModel_StreamsAndCancelReachesTheProvider()
    {
        var hold = false;
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            if (!hold)
            {
                await request.ChatAsync("Hi ", "there");
                return;
            }

            await request.ChunkAsync(new { content = "begun" });
            await request.SilenceAsync();
        });
        await using var host = await HostProcess.StartAsync(environment: new Dictionary<string, string>
        {
            ["CHANNELBRIDGE__AGENTS__LOCAL__KIND"] = "chat-completions",
            ["CHANNELBRIDGE__AGENTS__LOCAL__URL"] = provider.Address,
        });
        using var http = new HttpClient { BaseAddress = host.Url, Timeout = HostProcess.Timeout };
        http.DefaultRequestHeaders.Authorization = new System.Net.Http.Headers.AuthenticationHeaderValue("Bearer", host.Token);
        using var answer = await http.PostAsync(new Uri("/v1/responses", UriKind.Relative), Json("""{"model":"local/tiny","input":"hello"}"""));
        var response = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        Assert.Equal("Hi there", (string?)response["output"]![0]!["content"]![0]!["text"]);
        Assert.Equal("tiny", provider.Requests.Single().Json.GetProperty("model").GetString());

        hold = true;
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses") { Content = Json("""{"model":"local","input":"hello","stream":true}""") };
        using var streaming = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var lines = new StreamReader(await streaming.Content.ReadAsStreamAsync());
        string? id = null;
        while (await lines.ReadLineAsync().WaitAsync(HostProcess.Timeout) is { } line)
        {
            if (line.StartsWith("data: {", StringComparison.Ordinal)) id ??= (string?)JsonNode.Parse(line["data: ".Length..])!["response"]?["id"];
            if (line.Contains("begun", StringComparison.Ordinal)) break;
        }

        using var cancelled = await http.PostAsync(new Uri($"/v1/responses/{id}/cancel", UriKind.Relative), Json("{}"));
        Assert.True(cancelled.IsSuccessStatusCode, await cancelled.Content.ReadAsStringAsync());
        await provider.Aborted.Task.WaitAsync(HostProcess.Timeout);

        static StringContent Json(string json) => new(json, System.Text.Encoding.UTF8, "application/json");
    }

    /// <summary>An upload reaches an agent behind /v1/responses as the part that the specification has for it, whole and with its type and name.</summary>
    [Theory]
    [InlineData("cat.png", "image/png", "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")]
    [InlineData("notes.pdf", "application/pdf", "JVBERi0xLjQKJcOkw7zDtsOfCg==")]
    public async Task Upload_ToAResponsesAgent_IsAnInputPart(string name, string mimeType, string base64)
    {
        await using var provider = await FakeProvider.StartAsync(request => request.ResponseAsync("seen"));
        await using var host = await HostProcess.StartAsync(arguments: ["--agent", $"responses={provider.Address}/v1", "--agent-model", "m1"]);
        await using var bridge = await Bridge.ConnectAsync(host);
        var bytes = Convert.FromBase64String(base64);
        var session = "agent:main:bncr:direct:" + Convert.ToHexStringLower("lab:0:u1"u8);
        await bridge.Client.CallAsync("bncr.file.init", new JsonObject
        {
            ["clientId"] = "bridge-1",
            ["transferId"] = "t",
            ["sessionKey"] = session,
            ["fileName"] = name,
            ["mimeType"] = mimeType,
            ["fileSize"] = bytes.Length,
            ["totalChunks"] = 1,
        });
        await bridge.Client.CallAsync("bncr.file.chunk", new JsonObject { ["clientId"] = "bridge-1", ["transferId"] = "t", ["chunkIndex"] = 0, ["base64"] = base64 });
        var file = await bridge.Client.CallAsync("bncr.file.complete", new JsonObject { ["clientId"] = "bridge-1", ["transferId"] = "t" });
        var said = await bridge.Client.CallAsync("bncr.inbound", new JsonObject
        {
            ["clientId"] = "bridge-1",
            ["platform"] = "lab",
            ["userId"] = "u1",
            ["type"] = mimeType.StartsWith("image/", StringComparison.Ordinal) ? "image" : "file",
            ["msg"] = "look at this",
            ["msgId"] = "1",
            ["path"] = (string)file["path"]!,
        });
        Assert.True((bool?)said["accepted"], said.ToJsonString());
        Assert.Equal("seen", (string?)(await bridge.NextAsync()).Payload["message"]!["msg"]);

        var asked = Assert.Single(provider.Requests);
        Assert.Equal("/v1/responses", asked.Path);
        var content = JsonNode.Parse(asked.Json.GetRawText())!["input"]!.AsArray().Last()!["content"]!.AsArray();
        Assert.Equal(("input_text", "look at this"), ((string?)content[0]!["type"], (string?)content[0]!["text"]));
        var part = content[1]!;
        var url = $"data:{mimeType};base64,{base64}";
        if (mimeType.StartsWith("image/", StringComparison.Ordinal)) Assert.Equal(("input_image", url), ((string?)part["type"], (string?)part["image_url"]));
        else Assert.Equal(("input_file", name, url), ((string?)part["type"], (string?)part["filename"], (string?)part["file_data"]));
    }

    /// <summary>A bridge that acks and keeps what it gets in order.</summary>
    private sealed class Bridge(WireClient client, string account) : IAsyncDisposable
    {
        private readonly ConcurrentQueue<(string Name, JsonObject Payload)> _events = new();
        private readonly SemaphoreSlim _arrived = new(0);

        public WireClient Client => client;

        public static async Task<Bridge> ConnectAsync(HostProcess host, string account = "Primary")
        {
            var client = new WireClient();
            var bridge = new Bridge(client, account);
            client.OnEvent = bridge.On;
            await client.ConnectAsync(host.WebSocketUrl, host.Token);
            await client.CallAsync("bncr.connect", new JsonObject { ["accountId"] = account, ["clientId"] = "bridge-1", ["ack"] = true });
            return bridge;
        }

        public async Task SayAsync(string text, string id, bool stream = false)
        {
            var parameters = new JsonObject { ["accountId"] = account, ["clientId"] = "bridge-1", ["platform"] = "lab", ["userId"] = "u1", ["msg"] = text, ["msgId"] = id };
            if (stream) parameters["stream"] = true;
            Assert.True((bool?)(await client.CallAsync("bncr.inbound", parameters))["accepted"]);
        }

        public async Task<JsonObject> AskAsync(string text, string id)
        {
            await SayAsync(text, id);
            while (true)
            {
                var (name, payload) = await NextAsync();
                if (name == "bncr.push" && (string?)payload["replyToId"] == id) return payload;
            }
        }

        public async Task<(string Name, JsonObject Payload)> NextAsync()
        {
            Assert.True(await _arrived.WaitAsync(HostProcess.Timeout), "no event came");
            Assert.True(_events.TryDequeue(out var next));
            return next;
        }

        public ValueTask DisposeAsync() => client.DisposeAsync();

        private void On(string name, JsonObject payload)
        {
            if (!name.StartsWith("bncr.", StringComparison.Ordinal)) return;
            _events.Enqueue((name, payload));
            _arrived.Release();
            if (name == "bncr.push")
                _ = client.RequestAsync("bncr.ack", new JsonObject { ["accountId"] = account, ["clientId"] = "bridge-1", ["messageId"] = (string?)payload["messageId"] });
        }
    }
}
