using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using static ChannelBridge.Tests.Integration.A2A.PeerClient;

namespace ChannelBridge.Tests.Integration.A2A;

/// <summary>What strangers and clumsy peers send: each is answered as the protocol says, nothing is told that isn't theirs, and the host goes on.</summary>
public sealed class A2ABadInputTests : IAsyncLifetime
{
    private A2ALab _lab = null!;

    public async Task InitializeAsync() => _lab = await A2ALab.StartAsync(new Dictionary<string, string>
    {
        ["CHANNELBRIDGE__LIMITS__SLOWCONSUMERTIMEOUT"] = "2s",
        ["CHANNELBRIDGE__LIMITS__MESSAGETIMEOUT"] = "2s",
    });

    public async Task DisposeAsync() => await _lab.DisposeAsync();

    [Fact]
    public async Task Without_a_peers_token_nobody_is_let_in()
    {
        using var http = new HttpClient { BaseAddress = _lab.Host.Url };
        var words = new HashSet<string>();
        foreach (var token in new[] { null, "a-token-that-nobody-has", A2ALab.Alice + "x", "" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/a2a") { Content = new StringContent("{}") };
            if (token is not null) request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + token);
            using var response = await http.SendAsync(request);
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
            if (token is { Length: > 0 }) words.Add(await response.Content.ReadAsStringAsync());
        }

        Assert.Single(words);
        // An operator's token isn't a peer's.
        using var first = _lab.Peer(_lab.Host.Token);
        Assert.Contains((await first.PostAsync("{}")).Status, new[] { 401, 403 });
        // And a peer's opens nothing else.
        using var peer = _lab.Peer();
        Assert.Contains((await peer.PostAsync("""{"model":"echo","input":"hi"}""", "/v1/responses")).Status, new[] { 401, 403 });
        await using var client = new WireClient();
        await Assert.ThrowsAnyAsync<Exception>(() => client.ConnectAsync(_lab.Host.WebSocketUrl, A2ALab.Alice));
    }

    [Fact]
    public async Task Another_peers_things_are_as_unknown_as_what_never_was()
    {
        using var alice = _lab.Peer();
        using var bob = _lab.Peer(A2ALab.Bob);
        var task = (await alice.CallAsync("SendMessage", Send("mine", "hello")))["task"]!;
        await alice.CallAsync("SendMessage", Send("mine-2", "hello"));
        var (id, context) = ((string)task["id"]!, (string)task["contextId"]!);
        await alice.CallAsync("CreateTaskPushNotificationConfig", new JsonObject { ["taskId"] = id, ["id"] = "p", ["url"] = "https://example.com/push" });
        var page = (string)(await alice.CallAsync("ListTasks", new JsonObject { ["pageSize"] = 1 }))["nextPageToken"]!;
        foreach (var named in new[] { id, Guid.NewGuid().ToString() })
        {
            foreach (var (method, parameters) in new (string, JsonObject)[]
            {
                ("GetTask", new JsonObject { ["id"] = named }),
                ("CancelTask", new JsonObject { ["id"] = named }),
                ("SubscribeToTask", new JsonObject { ["id"] = named }),
                ("SendMessage", Send("b-1", "hello", task: named)),
                ("GetTaskPushNotificationConfig", new JsonObject { ["taskId"] = named, ["id"] = "p" }),
                ("ListTaskPushNotificationConfigs", new JsonObject { ["taskId"] = named }),
                ("DeleteTaskPushNotificationConfig", new JsonObject { ["taskId"] = named, ["id"] = "p" }),
                ("CreateTaskPushNotificationConfig", new JsonObject { ["taskId"] = named, ["id"] = "q", ["url"] = "https://example.com/push" }),
            })
            {
                var error = await bob.FailAsync(method, parameters);
                Assert.Equal((-32001, "There is no such task."), ((int)error["code"]!, (string?)error["message"]));
                Assert.Equal("TASK_NOT_FOUND", (string?)error["data"]![0]!["reason"]);
            }
        }

        Assert.Equal(-32001, (int)(await bob.FailAsync("SendMessage", Send("b-2", "hello", context: context)))["code"]!);
        Assert.Equal(-32001, (int)(await bob.FailAsync("ListTasks", new JsonObject { ["contextId"] = context }))["code"]!);
        Assert.Equal(-32001, (int)(await bob.FailAsync("ListTasks", new JsonObject { ["pageSize"] = 1, ["pageToken"] = page }))["code"]!);
        Assert.Equal(0, (int)(await bob.CallAsync("ListTasks", []))["totalSize"]!);
        // A name that a peer has chosen itself is its own, whoever else has chosen it, too; and so is a message's id.
        var his = (await bob.CallAsync("SendMessage", Send("mine", "hello", context: "shared")))["task"]!;
        var hers = (await alice.CallAsync("SendMessage", Send("other", "hello", context: "shared")))["task"]!;
        Assert.NotEqual((string)his["id"]!, id);
        Assert.Equal(1, (int)(await bob.CallAsync("ListTasks", new JsonObject { ["contextId"] = "shared" }))["totalSize"]!);
        Assert.Equal("shared", (string?)hers["contextId"]);
    }

    [Fact]
    public async Task What_is_no_request_is_told_so_and_the_connection_goes_on()
    {
        using var peer = _lab.Peer();
        async Task<JsonNode> ErrorAsync(string body) => JsonNode.Parse((await peer.PostAsync(body)).Body)!["error"]!;
        Assert.Equal(413, (await peer.PostAsync(new string('x', (1024 * 1024) + 1))).Status);
        Assert.Equal(-32700, (int)(await ErrorAsync("{"))["code"]!);
        Assert.Equal(-32700, (int)(await ErrorAsync(""))["code"]!);
        Assert.Equal(-32700, (int)(await ErrorAsync(string.Concat(Enumerable.Repeat("[", 100)) + string.Concat(Enumerable.Repeat("]", 100))))["code"]!);
        Assert.Equal(-32700, (int)JsonNode.Parse((await peer.PostAsync([0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D])).Body)!["error"]!["code"]!);
        Assert.Equal(-32600, (int)(await ErrorAsync("{" + string.Join(',', Enumerable.Range(0, 100_000).Select(i => $"\"{i}\":1")) + "}"))["code"]!);
        foreach (var body in new[] { "1", "\"x\"", "null", "true", "{}", "[]", """{"jsonrpc":"1.0","id":1,"method":"GetTask"}""",
            """{"jsonrpc":"2.0","id":{},"method":"GetTask"}""", """{"jsonrpc":"2.0","id":1,"method":"GetTask","params":[1]}""" })
            Assert.Equal(-32600, (int)(await ErrorAsync(body))["code"]!);
        // The answer has the id as it was written, of whatever legal type.
        foreach (var id in new[] { "1", "-7.5", "\"a\"", "null", "12345678901234567890", "\"\\u00e4\"" })
            Assert.Equal(JsonNode.Parse(id)?.ToJsonString(),
                JsonNode.Parse((await peer.PostAsync($$"""{"jsonrpc":"2.0","id":{{id}},"method":"Nothing"}""")).Body)!["id"]?.ToJsonString());
        foreach (var (parameters, member) in new[]
        {
            ("""{"message":{"messageId":1,"role":"ROLE_USER","parts":[{"text":"x"}]}}""", "message.messageId"),
            ("""{"message":{"role":"ROLE_USER","parts":[{"text":"x"}]}}""", "message.messageId"),
            ("""{"message":{"messageId":"x","role":"ROLE_USER","parts":[]}}""", "message.parts"),
            ("""{"message":{"messageId":"x","role":"ROLE_USER","parts":[{"text":"x","data":1}]}}""", "message.parts[0]"),
            ("""{"message":{"messageId":"x","role":"ROLE_USER","parts":[{"raw":"%%%"}]}}""", "message.parts[0].raw"),
            ("""{"message":{"messageId":"x","role":"nobody","parts":[{"text":"x"}]}}""", "message.role"),
            ("""{"message":{"messageId":"x","role":"ROLE_AGENT","parts":[{"text":"x"}]}}""", "message.role"),
            ("""{"message":{"messageId":"x","role":"ROLE_USER","parts":[{"text":"x"}]},"configuration":{"historyLength":-1}}""", "configuration.historyLength"),
            ("""{"tenant":"nobody","message":{"messageId":"x","role":"ROLE_USER","parts":[{"text":"x"}]}}""", "tenant"),
        })
        {
            var error = await ErrorAsync($$"""{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{{parameters}}}""");
            Assert.Equal(-32602, (int)error["code"]!);
            Assert.Contains(member, (string?)error["message"], StringComparison.Ordinal);
        }

        Assert.Equal(0, (int)(await peer.CallAsync("ListTasks", []))["totalSize"]!);
        var batch = "[" + string.Join(',', Enumerable.Range(0, 31).Select(i => $$"""{"jsonrpc":"2.0","id":{{i}},"method":"ListTasks"}""")) + "]";
        Assert.Equal(-32600, (int)(await ErrorAsync(batch))["code"]!);
        var answers = JsonNode.Parse(
            (await peer.PostAsync("""[{"jsonrpc":"2.0","id":1,"method":"ListTasks"},5,{"jsonrpc":"2.0","id":2,"method":"GetTask","params":{"id":"x"}}]"""))
            .Body)!.AsArray();
        Assert.Equal([null, -32600, -32001], answers.Select(answer => (int?)answer!["error"]?["code"]));
    }

    [Fact]
    public async Task Unknown_versions_methods_and_types_are_named()
    {
        using var peer = _lab.Peer(version: "2.7");
        Assert.Equal(-32009, (int)(await peer.FailAsync("ListTasks", []))["code"]!);
        Assert.Contains("1.0", (string?)(await peer.FailAsync("ListTasks", []))["message"], StringComparison.Ordinal);
        using var known = _lab.Peer();
        Assert.Equal(-32601, (int)(await known.FailAsync("DoWhatever", []))["code"]!);
        Assert.Equal(-32005, (int)JsonNode.Parse((await known.PostAsync("{}", type: "text/xml")).Body)!["error"]!["code"]!);
        var (status, body) = await known.PostAsync("{}", "/a2a/tasks/x:cancel", "text/xml");
        Assert.Equal((400, "CONTENT_TYPE_NOT_SUPPORTED"), (status, (string?)JsonNode.Parse(body)!["error"]!["details"]![0]!["reason"]));
        (status, body) = await known.SendAsync(HttpMethod.Get, "/a2a/tasks/nobody");
        Assert.Equal((404, "NOT_FOUND"), (status, (string?)JsonNode.Parse(body)!["error"]!["status"]));
        Assert.Equal(404, (await known.SendAsync(HttpMethod.Get, "/a2a/whatever/else/is/there")).Status);
        Assert.Equal(405, (await known.SendAsync(HttpMethod.Get, "/a2a")).Status);
    }

    [Fact]
    public async Task Too_many_sends_are_told_to_wait_and_reads_have_a_measure_of_their_own()
    {
        await using var lab = await A2ALab.StartAsync(new Dictionary<string, string> { ["CHANNELBRIDGE__CHANNELS__A2A__SENDSPERMINUTE"] = "3" });
        using var peer = lab.Peer();
        for (var i = 0; i < 3; i++) await peer.CallAsync("SendMessage", Send($"r-{i}", "hello"));
        var (status, body) = await peer.PostAsync(new JsonObject { ["jsonrpc"] = "2.0", ["id"] = 1, ["method"] = "SendMessage", ["params"] = Send("r-3", "hello") }.ToJsonString());
        var error = JsonNode.Parse(body)!["error"]!;
        Assert.Equal((429, "RATE_LIMITED", true), (status, (string?)error["data"]!["code"], (bool)error["data"]!["retryable"]!));
        Assert.InRange((int)error["data"]!["retryAfterMs"]!, 1, 60_000);
        Assert.Equal(3, (int)(await peer.CallAsync("ListTasks", []))["totalSize"]!);
        using var bob = lab.Peer(A2ALab.Bob);
        await bob.CallAsync("SendMessage", Send("r-4", "hello"));
    }

    [Fact]
    public async Task A_token_that_is_revoked_ends_the_streams_that_it_opened()
    {
        var token = (await HostProcess.RunAsync(["peers", "add", "dora", "--data", _lab.Host.Data])).Output.Trim();
        using var dora = _lab.Peer(token);
        var begun = new TaskCompletionSource();
        var events = new List<JsonNode>();
        async Task ReadAsync()
        {
            await foreach (var one in dora.StreamAsync("SendStreamingMessage", Send("v-1", "take your time", tenant: "slow")))
            {
                events.Add(one);
                begun.TrySetResult();
            }
        }

        var stream = ReadAsync();
        await begun.Task.WaitAsync(HostProcess.Timeout);
        await HostProcess.RunAsync(["peers", "remove", "dora", "--data", _lab.Host.Data]);
        // Whether it breaks off or ends, it tells nothing more.
        await Task.WhenAny(stream).WaitAsync(HostProcess.Timeout);
        Assert.DoesNotContain(events, one => one["statusUpdate"] is { } update && State(update) == "COMPLETED");
        Assert.False(_lab.Model.Go.Task.IsCompleted);
        await dora.UntilRefusedAsync();
    }

    [Fact]
    public async Task A_body_that_drips_is_not_waited_for()
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(_lab.Host.Url.Host, _lab.Host.Url.Port);
        var stream = socket.GetStream();
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes(
            $"POST /a2a HTTP/1.1\r\nHost: {_lab.Host.Url.Authority}\r\nAuthorization: Bearer {A2ALab.Alice}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"));
        using var reader = new StreamReader(stream);
        var answer = reader.ReadToEndAsync();
        var closed = false;
        // At this pace the body would take more than three minutes.
        for (var sent = 0; !closed && sent < 300; sent++)
        {
            try
            {
                await stream.WriteAsync(" "u8.ToArray());
                closed = await Task.WhenAny(answer, Task.Delay(200)) == answer;
            }
            catch (IOException)
            {
                // Closed while it was written to.
                closed = true;
            }
        }

        Assert.True(closed, "the host waits for a body that never ends");
    }

    [Fact]
    public async Task A_thousand_streams_at_once_are_served()
    {
        using var http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 2000 }) { BaseAddress = _lab.Host.Url, Timeout = HostProcess.Timeout };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", A2ALab.Alice);
        http.DefaultRequestHeaders.Add("A2A-Version", "1.0");
        using var peer = _lab.Peer();
        var id = (string)(await _lab.WorkingAsync(peer, "thousand"))["id"]!;
        var request = $$$$$"""{"jsonrpc":"2.0","id":1,"method":"SubscribeToTask","params":{"id":"{{{{{id}}}}}"}}""";
        var begun = 0;
        var streams = Enumerable.Range(0, 1000).Select(async _ =>
        {
            using var message = new HttpRequestMessage(HttpMethod.Post, "/a2a") { Content = new StringContent(request, Encoding.UTF8, "application/json") };
            using var response = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead);
            Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
            Interlocked.Increment(ref begun);
            return await response.Content.ReadAsStringAsync();
        }).ToArray();
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        while (Volatile.Read(ref begun) < 1000 && !streams.Any(stream => stream.IsFaulted)) await Task.Delay(20, timeout.Token);
        _lab.Model.Go.SetResult();
        foreach (var text in await Task.WhenAll(streams).WaitAsync(HostProcess.Timeout))
            Assert.Contains("TASK_STATE_COMPLETED", text, StringComparison.Ordinal);
    }
}
