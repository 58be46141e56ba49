using System.Net;
using System.Text.Json.Nodes;
using static ChannelBridge.Tests.Integration.A2A.PeerClient;

namespace ChannelBridge.Tests.Integration.A2A;

/// <summary>The A2A server of a real host: every method, both versions, both transports.</summary>
public sealed class A2AServerTests : IAsyncLifetime
{
    private A2ALab _lab = null!;

    public async Task InitializeAsync() => _lab = await A2ALab.StartAsync();

    public async Task DisposeAsync() => await _lab.DisposeAsync();

    [Fact]
    public async Task A_send_that_waits_is_answered_with_the_ended_task_and_its_result()
    {
        using var peer = _lab.Peer();
        var task = (await peer.CallAsync("SendMessage", Send("m-1", "hello")))["task"]!;
        Assert.Equal("COMPLETED", State(task));
        Assert.Equal("echo: hello", (string?)task["artifacts"]![0]!["parts"]![0]!["text"]);
        Assert.Equal("m-1", (string?)task["history"]![0]!["messageId"]);

        // The same message is the same task, and nothing is done twice.
        var again = (await peer.CallAsync("SendMessage", Send("m-1", "hello")))["task"]!;
        Assert.Equal((string?)task["id"], (string?)again["id"]);
        Assert.Equal(1, (int)(await peer.CallAsync("ListTasks", []))["totalSize"]!);
    }

    [Fact]
    public async Task One_address_speaks_0_3_and_1_0_over_both_transports()
    {
        using var old = _lab.Peer(version: null);
        var (status, body) = await old.PostAsync(
            """{"jsonrpc":"2.0","id":"a","method":"message/send","params":{"message":{"kind":"message","messageId":"v1","role":"user","parts":[{"kind":"text","text":"old"}]}}}""");
        Assert.Equal(200, status);
        Assert.Equal("completed", (string?)JsonNode.Parse(body)!["result"]!["status"]!["state"]);
        (status, body) = await old.PostAsync("""{"message":{"messageId":"v2","role":"ROLE_USER","content":[{"text":"old rest"}]}}""", "/a2a/v1/message:send");
        Assert.Equal(201, status);
        Assert.Equal("TASK_STATE_COMPLETED", (string?)JsonNode.Parse(body)!["task"]!["status"]!["state"]);
        using var peer = _lab.Peer();
        (status, body) = await peer.PostAsync(new JsonObject { ["message"] = Message("v3", "new rest") }.ToJsonString(), "/a2a/message:send");
        Assert.Equal(200, status);
        var id = (string)JsonNode.Parse(body)!["task"]!["id"]!;
        (status, body) = await peer.SendAsync(HttpMethod.Get, $"/a2a/tasks/{id}");
        Assert.Equal((200, id), (status, (string?)JsonNode.Parse(body)!["id"]));
        (status, body) = await peer.SendAsync(HttpMethod.Get, "/a2a/tasks?pageSize=2");
        Assert.Equal((200, 3), (status, (int)JsonNode.Parse(body)!["totalSize"]!));
        (status, body) = await peer.PostAsync(new JsonObject { ["message"] = Message("tck-reject-task-1", "no") }.ToJsonString(), "/a2a/conformance/message:send");
        Assert.Equal((200, "REJECTED"), (status, State(JsonNode.Parse(body)!["task"]!)));
    }

    [Fact]
    public async Task The_card_names_the_address_that_was_called_whatever_the_client_says_and_is_known_by_its_tag()
    {
        using var http = new HttpClient { BaseAddress = _lab.Host.Url };
        foreach (var path in new[] { "/.well-known/agent-card.json", "/.well-known/agent.json" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.Host = "localhost";
            using var response = await http.SendAsync(request);
            var card = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
            Assert.Equal(new Uri(_lab.Host.Url, "/a2a").AbsoluteUri, (string?)card["url"]);
            Assert.Contains(card["supportedInterfaces"]!.AsArray(), one => (string?)one!["protocolVersion"] == "1.0" && (string?)one["tenant"] == "slow");
            Assert.Equal(["echo", "slow", "conformance"], card["skills"]!.AsArray().Select(skill => (string?)skill!["id"]));
            Assert.Contains("A2A-Version", response.Headers.Vary);
            using var second = new HttpRequestMessage(HttpMethod.Get, path);
            second.Headers.TryAddWithoutValidation("If-None-Match", response.Headers.ETag!.ToString());
            using var known = await http.SendAsync(second);
            Assert.Equal(HttpStatusCode.NotModified, known.StatusCode);
        }

        using var peer = _lab.Peer();
        var extended = await peer.CallAsync("GetExtendedAgentCard", []);
        Assert.Contains("alice", (string?)extended["description"], StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task All_streams_of_a_task_tell_the_same_in_the_same_order_and_end_with_it()
    {
        using var peer = _lab.Peer();
        var first = ReadAsync(peer.StreamAsync("SendStreamingMessage", Send("s-1", "take your time", tenant: "slow")));
        await _lab.Model.AskedAsync();
        var id = (string)(await peer.CallAsync("ListTasks", []))["tasks"]![0]!["id"]!;
        await EndedAsync(peer, id, "WORKING");
        // Who comes later gets the task as it is, with what was said so far, then what follows.
        var seen = new TaskCompletionSource();
        var second = ReadAsync(peer.StreamAsync("SubscribeToTask", new JsonObject { ["id"] = id }), seen);
        await seen.Task.WaitAsync(HostProcess.Timeout);
        _lab.Model.Go.SetResult();
        var (all, rest) = (await first.WaitAsync(HostProcess.Timeout), await second.WaitAsync(HostProcess.Timeout));
        Assert.NotNull(all[0]["task"]);
        Assert.NotNull(rest[0]["task"]);
        Assert.Equal("WORKING", State(rest[0]["task"]!));
        Assert.Equal("COMPLETED", State(all[^1]["statusUpdate"]!));
        Assert.Equal(all.TakeLast(rest.Count - 1).Select(one => one.ToJsonString()), rest.Skip(1).Select(one => one.ToJsonString()));
        Assert.Equal(SlowModel.First + SlowModel.Second, Said(all));
        var task = await peer.CallAsync("GetTask", new JsonObject { ["id"] = id });
        Assert.Equal(SlowModel.First + SlowModel.Second, (string?)task["artifacts"]![0]!["parts"]![0]!["text"]);
    }

    [Fact]
    public async Task A_running_task_is_cancelled_and_its_agent_hears_of_it()
    {
        using var peer = _lab.Peer();
        var task = await _lab.WorkingAsync(peer, "c-1");
        var id = (string)task["id"]!;
        Assert.Equal("WORKING", State(await peer.CallAsync("GetTask", new JsonObject { ["id"] = id })));
        var events = await BegunAsync(peer, id);
        Assert.Equal("CANCELED", State(await peer.CallAsync("CancelTask", new JsonObject { ["id"] = id })));
        Assert.Equal("CANCELED", Last(await events.WaitAsync(HostProcess.Timeout)));
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        while (_lab.Model.Gone == 0) await Task.Delay(20, timeout.Token);
        Assert.Equal(-32002, (int)(await peer.FailAsync("CancelTask", new JsonObject { ["id"] = id }))["code"]!);
        Assert.Equal("CANCELED", State(await peer.CallAsync("GetTask", new JsonObject { ["id"] = id })));
    }

    [Fact]
    public async Task A_task_that_waits_in_its_conversation_is_cancelled_without_a_turn()
    {
        using var peer = _lab.Peer();
        var first = await _lab.WorkingAsync(peer, "w-1");
        var second = (await peer.CallAsync("SendMessage", Send("w-2", "later", wait: false, context: (string)first["contextId"]!, tenant: "slow")))["task"]!;
        Assert.Equal("SUBMITTED", State(await peer.CallAsync("GetTask", new JsonObject { ["id"] = (string)second["id"]! })));
        Assert.Equal("CANCELED", State(await peer.CallAsync("CancelTask", new JsonObject { ["id"] = (string)second["id"]! })));
        _lab.Model.Go.SetResult();
        await EndedAsync(peer, (string)first["id"]!, "COMPLETED");
        Assert.Single(_lab.Model.Requests);
    }

    [Fact]
    public async Task A_task_that_asks_goes_on_under_its_id()
    {
        using var peer = _lab.Peer();
        var asked = (await peer.CallAsync("SendMessage", Send("tck-input-required-1", "book a table", tenant: "conformance")))["task"]!;
        Assert.Equal("INPUT_REQUIRED", State(asked));
        Assert.Equal("What else?", (string?)asked["status"]!["message"]!["parts"]![0]!["text"]);
        var id = (string)asked["id"]!;
        var done = (await peer.CallAsync("SendMessage", Send("for-two", "for two", task: id)))["task"]!;
        Assert.Equal((id, "COMPLETED"), ((string)done["id"]!, State(done)));
        Assert.Equal(["tck-input-required-1", "for-two"], done["history"]!.AsArray().Where(one => (string?)one!["role"] == "ROLE_USER").Select(one => (string?)one!["messageId"]));
        // Sent again, it is the same message, though the task has ended meanwhile.
        Assert.Equal(id, (string?)(await peer.CallAsync("SendMessage", Send("for-two", "for two", task: id)))["task"]!["id"]);
        Assert.Equal(-32004, (int)(await peer.FailAsync("SendMessage", Send("more", "more", task: id)))["code"]!);
        using var old = _lab.Peer(version: null);
        var (_, body) = await old.PostAsync(
            $$$$$"""{"jsonrpc":"2.0","id":1,"method":"message/send","params":{"message":{"kind":"message","messageId":"x","taskId":"{{{{{id}}}}}","role":"user","parts":[{"kind":"text","text":"more"}]}}}""");
        Assert.Equal(-32600, (int)JsonNode.Parse(body)!["error"]!["code"]!);
        Assert.Equal(-32004, (int)JsonNode.Parse((await peer.PostAsync(
            $$$$$"""{"jsonrpc":"2.0","id":1,"method":"SubscribeToTask","params":{"id":"{{{{{id}}}}}"}}""")).Body)!["error"]!["code"]!);
    }

    [Fact]
    public async Task A_task_that_waits_for_its_peer_is_cancelled()
    {
        using var peer = _lab.Peer();
        var asked = (await peer.CallAsync("SendMessage", Send("tck-input-required-2", "book a table", tenant: "conformance")))["task"]!;
        var id = (string)asked["id"]!;
        Assert.Equal("CANCELED", State(await peer.CallAsync("CancelTask", new JsonObject { ["id"] = id })));
        Assert.Equal(-32004, (int)(await peer.FailAsync("SendMessage", Send("late", "late", task: id)))["code"]!);
    }

    [Fact]
    public async Task A_list_is_paged_filtered_and_has_the_newest_change_first()
    {
        using var peer = _lab.Peer();
        for (var i = 0; i < 5; i++) await peer.CallAsync("SendMessage", Send($"l-{i}", $"text {i}", context: i < 3 ? "one" : "two"));
        await peer.CallAsync("SendMessage", Send("tck-reject-task-2", "no", context: "two", tenant: "conformance"));
        var ids = new List<string?>();
        string? token = null;
        do
        {
            var parameters = new JsonObject { ["pageSize"] = 4 };
            if (token is not null) parameters["pageToken"] = token;
            var page = await peer.CallAsync("ListTasks", parameters);
            Assert.Equal((6, 4), ((int)page["totalSize"]!, (int)page["pageSize"]!));
            Assert.All(page["tasks"]!.AsArray(), task => Assert.Null(task!["artifacts"]));
            ids.AddRange(page["tasks"]!.AsArray().Select(task => (string?)task!["history"]![0]!["messageId"]));
            token = (string?)page["nextPageToken"];
        }
        while (!string.IsNullOrEmpty(token));

        Assert.Equal(["tck-reject-task-2", "l-4", "l-3", "l-2", "l-1", "l-0"], ids);
        var filtered = await peer.CallAsync(
            "ListTasks",
            new JsonObject { ["contextId"] = "two", ["status"] = "TASK_STATE_COMPLETED", ["includeArtifacts"] = true, ["historyLength"] = 0 });
        Assert.Equal(2, (int)filtered["totalSize"]!);
        Assert.Equal("echo: text 4", (string?)filtered["tasks"]![0]!["artifacts"]![0]!["parts"]![0]!["text"]);
        Assert.Null(filtered["tasks"]![0]!["history"]);
        var since = (string)(await peer.CallAsync("ListTasks", []))["tasks"]![1]!["status"]!["timestamp"]!;
        Assert.Equal(2, (int)(await peer.CallAsync("ListTasks", new JsonObject { ["statusTimestampAfter"] = since }))["totalSize"]!);
        Assert.Equal(-32602, (int)(await peer.FailAsync("ListTasks", new JsonObject { ["pageSize"] = 101 }))["code"]!);
    }

    /// <summary>A slash text of a peer is a text.</summary>
    [Fact]
    public async Task A_slash_text_is_never_a_command()
    {
        using var peer = _lab.Peer();
        var task = (await peer.CallAsync("SendMessage", Send("slash", "/status now")))["task"]!;
        Assert.Equal("echo: /status now", (string?)task["artifacts"]![0]!["parts"]![0]!["text"]);
    }

    /// <summary>Two agents that answer each other for ever are held; what is held says so, and can be cancelled.</summary>
    [Fact]
    public async Task A_peer_that_sends_for_ever_is_held()
    {
        await using var lab = await A2ALab.StartAsync(new Dictionary<string, string> { ["CHANNELBRIDGE__LIMITS__AGENTTURNSPERMINUTE"] = "2" });
        using var peer = lab.Peer();
        using var other = lab.Peer(A2ALab.Bob);
        for (var i = 0; i < 2; i++) await peer.CallAsync("SendMessage", Send($"loop-{i}", "you said hello"));
        var held = (string)(await peer.CallAsync("SendMessage", Send("loop-2", "you said hello", wait: false)))["task"]!["id"]!;
        var task = await EndedAsync(peer, held, "WORKING");
        Assert.Contains("Held", task["status"]!.ToJsonString(), StringComparison.Ordinal);
        Assert.Equal("COMPLETED", State((await other.CallAsync("SendMessage", Send("mine", "hello")))["task"]!));
        var events = await BegunAsync(peer, held);
        Assert.Equal("CANCELED", State(await peer.CallAsync("CancelTask", new JsonObject { ["id"] = held })));
        Assert.Equal("CANCELED", Last(await events.WaitAsync(HostProcess.Timeout)));
    }

    [Fact]
    public async Task Peers_and_tasks_are_the_operators_to_see_and_to_end()
    {
        string[] Here(params string[] arguments) => [.. arguments, "--data", _lab.Host.Data];
        var added = await HostProcess.RunAsync(Here("peers", "add", "carol", "--url", "https://carol.example.com"));
        Assert.Equal(0, added.ExitCode);
        var token = added.Output.Trim();
        using (var carol = _lab.Peer(token))
        {
            Assert.Equal("COMPLETED", State((await carol.CallAsync("SendMessage", Send("p-1", "hi")))["task"]!));
            Assert.Contains("carol", (await HostProcess.RunAsync(Here("peers", "list"))).Output, StringComparison.Ordinal);
            var rotated = await HostProcess.RunAsync(Here("peers", "rotate", "carol", "--grace", "0s"));
            await carol.UntilRefusedAsync();
            using var again = _lab.Peer(rotated.Output.Trim());
            Assert.Equal(1, (int)(await again.CallAsync("ListTasks", []))["totalSize"]!);
            var work = await _lab.WorkingAsync(again, "p-2");
            var list = (await HostProcess.RunAsync(Here("tasks", "list", "--peer", "carol"))).Output;
            Assert.Contains((string)work["id"]!, list, StringComparison.Ordinal);
            Assert.Equal(0, (await HostProcess.RunAsync(Here("tasks", "cancel", (string)work["id"]!))).ExitCode);
            Assert.Contains("TASK_STATE_CANCELED", (await HostProcess.RunAsync(Here("tasks", "show", (string)work["id"]!))).Output, StringComparison.Ordinal);
            Assert.Equal(0, (await HostProcess.RunAsync(Here("peers", "remove", "carol"))).ExitCode);
            await again.UntilRefusedAsync();
        }

        Assert.Contains("forgotten: 2", (await HostProcess.RunAsync(Here("peers", "forget", "carol"))).Output, StringComparison.Ordinal);
        Assert.DoesNotContain("carol", (await HostProcess.RunAsync(Here("tasks", "list"))).Output, StringComparison.Ordinal);
    }

    internal static async Task<List<JsonNode>> ReadAsync(IAsyncEnumerable<JsonNode> stream, TaskCompletionSource? begun = null)
    {
        var events = new List<JsonNode>();
        await foreach (var one in stream)
        {
            events.Add(one);
            begun?.TrySetResult();
        }

        return events;
    }

    /// <summary>A stream of a task that has begun. The task of it is its events, once it has ended.</summary>
    internal static async Task<Task<List<JsonNode>>> BegunAsync(PeerClient peer, string id)
    {
        var begun = new TaskCompletionSource();
        var events = ReadAsync(peer.StreamAsync("SubscribeToTask", new JsonObject { ["id"] = id }), begun);
        // One that fails is awaited by the test.
        await Task.WhenAny(begun.Task, events).WaitAsync(HostProcess.Timeout);
        return events;
    }

    internal static async Task<JsonNode> EndedAsync(PeerClient peer, string id, string state)
    {
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        while (true)
        {
            var task = await peer.CallAsync("GetTask", new JsonObject { ["id"] = id });
            if (State(task) == state) return task;
            Assert.DoesNotContain(State(task), new[] { "COMPLETED", "FAILED", "CANCELED", "REJECTED" });
            await Task.Delay(20, timeout.Token);
        }
    }

    /// <summary>The state with which a stream ended.</summary>
    internal static string Last(List<JsonNode> events) => State(events[^1]["statusUpdate"] ?? events[^1]["task"]!);

    private static string Said(IEnumerable<JsonNode> events) =>
        string.Concat(events.Select(one => (string?)one["artifactUpdate"]?["artifact"]!["parts"]![0]!["text"]));
}
