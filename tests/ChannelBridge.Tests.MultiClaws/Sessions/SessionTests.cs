using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Channels.MultiClaws.Sessions;
using ChannelBridge.Tests.Shared.A2A;
using ChannelBridge.Tests.Unit.A2A;

namespace ChannelBridge.Tests.MultiClaws.Sessions;

/// <summary>Sessions with an agent behind the doors of A2A, as a client sees them.</summary>
public sealed class SessionTests
{
    [Fact]
    public async Task A_session_completes_and_its_conversation_is_told_once()
    {
        await using var remote = await DoorServer.StartAsync();
        await using var lab = await SessionLab.StartAsync();
        lab.Agents.Add(remote.Url, "B");
        var id = await lab.BeginAsync(remote.Url.AbsoluteUri, "hello");
        var session = await lab.UntilAsync(id, "completed");
        Assert.Equal("hello", SessionLab.Last(session));
        Assert.Equal(("user", "agent"), ((string?)session["messages"]![0]!["role"], (string?)session["messages"]![1]!["role"]));
        Assert.Equal("task-1", (string?)session["currentTaskId"]);
        var told = Assert.Single(lab.Notifier.Told);
        Assert.Equal(new GatewaySessionOrigin("agent:main:main"), told.Origin);
        Assert.Contains(id, told.Text, StringComparison.Ordinal);
        Assert.Contains("> hello", told.Text, StringComparison.Ordinal);
        await lab.RestartAsync();
        Assert.Equal("completed", (string?)(await lab.StatusAsync(id))["status"]);
        Assert.Single(lab.Notifier.Told);
    }

    [Fact]
    public async Task A_question_waits_for_its_reply_and_the_task_goes_on()
    {
        await using var remote = await DoorServer.StartAsync();
        await using var lab = await SessionLab.StartAsync();
        lab.Agents.Add(remote.Url);
        var id = await lab.BeginAsync(remote.Url.AbsoluteUri, "ask me");
        var asked = await lab.UntilAsync(id, "input-required");
        await lab.RestartAsync();
        Assert.Equal("ok", (string?)(await lab.CallAsync("session.reply", new JsonObject { ["sessionId"] = id, ["message"] = "for two" }))["status"]);
        var done = await lab.UntilAsync(id, "completed");
        Assert.Equal("for two", SessionLab.Last(done));
        Assert.Equal((string?)asked["currentTaskId"], (string?)done["currentTaskId"]);
        Assert.Equal(2, lab.Notifier.Told.Count);
        Assert.Contains("multiclaws_session_reply", lab.Notifier.Told[0].Text, StringComparison.Ordinal);
        var late = await lab.CallAsync("session.reply", new JsonObject { ["sessionId"] = id, ["message"] = "more" });
        Assert.Equal(("failed", "session is completed, cannot send message"), ((string?)late["status"], (string?)late["error"]));
    }

    [Fact]
    public async Task Failures_are_told_with_their_reason()
    {
        await using var remote = await DoorServer.StartAsync();
        await using var lab = await SessionLab.StartAsync();
        lab.Agents.Add(remote.Url);
        var id = await lab.BeginAsync(remote.Url.AbsoluteUri, "fail");
        Assert.Equal("remote task failed", (string?)(await lab.UntilAsync(id, "failed"))["error"]);
        Assert.Contains("remote task failed", Assert.Single(lab.Notifier.Told).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_time_out_fails_the_session_and_cancels_the_task_there()
    {
        await using var remote = await DoorServer.StartAsync();
        await using var lab = await SessionLab.StartAsync();
        lab.Agents.Add(remote.Url);
        var id = await lab.BeginAsync(remote.Url.AbsoluteUri, "wait", timeoutMs: 300);
        Assert.Equal("session timeout", (string?)(await lab.UntilAsync(id, "failed"))["error"]);
        await Wait.UntilAsync(async () => await StateAsync(remote, "task-1") is ChannelBridge.A2A.TaskState.Canceled);
        Assert.Single(lab.Notifier.Told);
    }

    [Fact]
    public async Task An_end_cancels_the_task_there_and_an_ended_session_stays_as_it_ended()
    {
        await using var remote = await DoorServer.StartAsync();
        await using var lab = await SessionLab.StartAsync();
        lab.Agents.Add(remote.Url);
        var id = await lab.BeginAsync(remote.Url.AbsoluteUri, "wait");
        await Wait.UntilAsync(async () => (string?)(await lab.StatusAsync(id))["currentTaskId"] is not null);
        Assert.True((bool)(await lab.CallAsync("session.end", new JsonObject { ["sessionId"] = id }))["ended"]!);
        await Wait.UntilAsync(async () => await StateAsync(remote, "task-1") is ChannelBridge.A2A.TaskState.Canceled);
        Assert.Equal("canceled", (string?)(await lab.StatusAsync(id))["status"]);
        Assert.False((bool)(await lab.CallAsync("session.end", new JsonObject { ["sessionId"] = id }))["ended"]!);
        var done = await lab.BeginAsync(remote.Url.AbsoluteUri, "hello");
        await lab.UntilAsync(done, "completed");
        Assert.False((bool)(await lab.CallAsync("session.end", new JsonObject { ["sessionId"] = done }))["ended"]!);
        Assert.Equal("completed", (string?)(await lab.StatusAsync(done))["status"]);
    }

    [Fact]
    public async Task A_restart_in_the_middle_finds_the_task_again()
    {
        await using var remote = await DoorServer.StartAsync();
        await using var lab = await SessionLab.StartAsync();
        lab.Agents.Add(remote.Url);
        var id = await lab.BeginAsync(remote.Url.AbsoluteUri, "wait");
        await Wait.UntilAsync(async () => (string?)(await lab.StatusAsync(id))["currentTaskId"] is not null);
        await lab.RestartAsync();
        Assert.Equal("active", (string?)(await lab.StatusAsync(id))["status"]);
        await remote.Agent.CancelAsync("somebody", new ChannelBridge.A2A.CancelTaskRequest { Id = "task-1" }, CancellationToken.None);
        await lab.UntilAsync(id, "canceled");
        var tasks = await remote.Agent.ListAsync("somebody", new ChannelBridge.A2A.ListTasksRequest(), CancellationToken.None);
        Assert.Equal(1, tasks.TotalSize);
    }

    [Fact]
    public async Task Who_waits_for_several_is_told_when_all_have_ended_one_asks_or_the_time_is_up()
    {
        await using var remote = await DoorServer.StartAsync();
        await using var lab = await SessionLab.StartAsync();
        lab.Agents.Add(remote.Url);
        var (one, two) = (await lab.BeginAsync(remote.Url.AbsoluteUri, "one"), await lab.BeginAsync(remote.Url.AbsoluteUri, "two"));
        var both = await lab.CallAsync("session.wait_all", new JsonObject { ["sessionIds"] = new JsonArray(one, two, "nobody's") });
        Assert.False((bool)both["timedOut"]!);
        Assert.Equal(["completed", "completed", "not_found"], both["results"]!.AsArray().Select(static result => (string)result!["status"]!));
        Assert.Equal(["one", "two", null], both["results"]!.AsArray().Select(static result => (string?)result!["lastMessage"]));
        Assert.Equal("unknown", (string?)both["results"]![2]!["agentName"]);
        var (waits, asks) = (await lab.BeginAsync(remote.Url.AbsoluteUri, "wait"), await lab.BeginAsync(remote.Url.AbsoluteUri, "ask"));
        var asked = await lab.CallAsync("session.wait_all", new JsonObject { ["sessionIds"] = new JsonArray(waits, asks) });
        Assert.Equal(["active", "input-required"], asked["results"]!.AsArray().Select(static result => (string)result!["status"]!));
        Assert.False((bool)asked["timedOut"]!);
        var late = await lab.CallAsync("session.wait_all", new JsonObject { ["sessionIds"] = new JsonArray(waits), ["timeoutMs"] = 20 });
        Assert.True((bool)late["timedOut"]!);
    }

    [Fact]
    public async Task A_reply_while_the_agent_is_at_it_waits_behind_it()
    {
        await using var remote = await DoorServer.StartAsync();
        await using var lab = await SessionLab.StartAsync(static options => options.MaxConcurrentSessions = 1);
        lab.Agents.Add(remote.Url);
        var holds = await lab.BeginAsync(remote.Url.AbsoluteUri, "wait");
        await Wait.UntilAsync(async () => (string?)(await lab.StatusAsync(holds))["currentTaskId"] is not null);
        var id = await lab.BeginAsync(remote.Url.AbsoluteUri, "first");
        await lab.CallAsync("session.reply", new JsonObject { ["sessionId"] = id, ["message"] = "second" });
        await lab.CallAsync("session.end", new JsonObject { ["sessionId"] = holds });
        var session = await lab.UntilAsync(id, "completed");
        Assert.Equal(["first", "second", "first", "second"], session["messages"]!.AsArray().Select(static message => (string)message!["content"]!));
        Assert.Single(lab.Notifier.Told);
    }

    [Fact]
    public async Task The_errors_are_those_that_clients_of_the_plugin_know()
    {
        await using var remote = await DoorServer.StartAsync();
        await using var lab = await SessionLab.StartAsync();
        var unknown = await lab.CallAsync("multiclaws.session.start", new JsonObject { ["agentUrl"] = "http://nobody", ["message"] = "x" });
        Assert.Equal("""{"sessionId":"","status":"failed","error":"unknown agent: http://nobody"}""", unknown.ToJsonString());
        Assert.Equal("session_start_failed", await lab.CodeAsync("multiclaws.session.start", new JsonObject { ["agentUrl"] = " ", ["message"] = "x" }));
        Assert.Equal("session_start_failed", await lab.CodeAsync("multiclaws.session.start", new JsonObject { ["agentUrl"] = 5, ["message"] = "x" }));
        Assert.Equal("session_reply_failed", await lab.CodeAsync("multiclaws.session.reply", new JsonObject { ["sessionId"] = "x" }));
        Assert.Equal("session_wait_all_failed", await lab.CodeAsync("multiclaws.session.wait_all", new JsonObject { ["sessionIds"] = new JsonArray() }));
        Assert.Equal("session_end_failed", await lab.CodeAsync("multiclaws.session.end", []));
        Assert.Equal("not_found", await lab.CodeAsync("multiclaws.session.status", new JsonObject { ["sessionId"] = "x" }));
        Assert.Equal("not_found", await lab.CodeAsync("multiclaws.task.status", new JsonObject { ["taskId"] = "x" }));
        Assert.Equal("task_delegate_failed", await lab.CodeAsync("multiclaws.task.delegate", new JsonObject { ["agentUrl"] = "http://x" }));
        Assert.Equal(ErrorCodes.InvalidRequest, await lab.CodeAsync("session.start", []));
        Assert.Equal(ErrorCodes.NotFound, await lab.CodeAsync("session.status", new JsonObject { ["sessionId"] = "x" }));
        var nobody = await lab.CallAsync("multiclaws.session.reply", new JsonObject { ["sessionId"] = "x", ["message"] = "y" });
        Assert.Equal("""{"sessionId":"x","status":"failed","error":"session not found"}""", nobody.ToJsonString());
        Assert.False((bool)(await lab.CallAsync("multiclaws.session.end", new JsonObject { ["sessionId"] = "x" }))["ended"]!);
        lab.Agents.Add(remote.Url);
        Assert.Equal(ErrorCodes.PayloadTooLarge, await lab.CodeAsync(
            "multiclaws.session.start", new JsonObject { ["agentUrl"] = remote.Url.AbsoluteUri, ["message"] = new string('x', 1 << 20) }));
        var id = await lab.BeginAsync(remote.Url.AbsoluteUri, "ask");
        await lab.UntilAsync(id, "input-required");
        var large = new JsonObject { ["sessionId"] = id, ["message"] = new string('x', 1 << 20) };
        Assert.Equal(ErrorCodes.PayloadTooLarge, await lab.CodeAsync("multiclaws.session.reply", large));
        Assert.Equal("input-required", (string?)(await lab.StatusAsync(id))["status"]);
        lab.Agents.Remove(remote.Url);
        var gone = await lab.CallAsync("multiclaws.session.reply", new JsonObject { ["sessionId"] = id, ["message"] = "y" });
        Assert.Equal("agent no longer registered", (string?)gone["error"]);
        Assert.Equal("failed", (string?)(await lab.StatusAsync(id))["status"]);
        // Sessions are the host's: whichever of its operators' clients has begun one.
        var colleague = new Caller("a colleague, through the gateway", Scopes.All, Door.Gateway);
        Assert.Equal("failed", (string?)(await lab.CallAsync("multiclaws.session.status", new JsonObject { ["sessionId"] = id }, colleague))["status"]);
        Assert.Equal("not_found", await lab.CodeAsync("multiclaws.session.status", new JsonObject { ["sessionId"] = Guid.NewGuid().ToString() }, colleague));
        var other = new Caller("limited", Scopes.All, Door.Listener) { Channels = new HashSet<string> { "bncr" } };
        Assert.Equal(ErrorCodes.Forbidden, await lab.CodeAsync("session.status", [], other));
    }

    [Fact]
    public async Task A_task_is_delegated_and_asked_for_by_the_id_of_its_session()
    {
        await using var remote = await DoorServer.StartAsync();
        await using var lab = await SessionLab.StartAsync();
        lab.Agents.Add(remote.Url);
        var done = await lab.CallAsync("multiclaws.task.delegate", new JsonObject { ["agentUrl"] = remote.Url.AbsoluteUri, ["task"] = "sum up" });
        Assert.Equal(("completed", "sum up"), ((string?)done["status"], (string?)done["output"]));
        var task = (await lab.CallAsync("multiclaws.task.status", new JsonObject { ["taskId"] = (string)done["taskId"]! }))["task"]!;
        Assert.Equal(("completed", "sum up", "sum up"), ((string?)task["status"], (string?)task["task"], (string?)task["result"]));
        Assert.Equal("failed", (string?)(await lab.CallAsync("task.delegate", new JsonObject { ["agentUrl"] = "http://nobody", ["task"] = "x" }))["status"]);
        Assert.Empty(lab.Notifier.Told);
    }

    [Fact]
    public async Task A_chain_carries_its_length_and_never_goes_in_a_circle()
    {
        await using var remote = await DoorServer.StartAsync();
        await using var lab = await SessionLab.StartAsync();
        lab.Agents.Add(remote.Url);
        var url = remote.Url.AbsoluteUri;
        var started = await lab.ToolAsync("multiclaws_session_start", Ask(url), "agent:main:a2a:b:1", Inbound(2, "http://elsewhere"));
        await lab.UntilAsync((string)started["sessionId"]!, "completed");
        var task = await remote.Agent.GetAsync("somebody", new ChannelBridge.A2A.GetTaskRequest { Id = "task-1" }, CancellationToken.None);
        var ours = task.History![0].Metadata!.Value.GetProperty("multiclaws");
        Assert.Equal(3, ours.GetProperty("hops").GetInt32());
        Assert.Equal(["http://elsewhere", url.TrimEnd('/')], ours.GetProperty("path").EnumerateArray().Select(static at => at.GetString()!));
        Assert.Equal(new GatewaySessionOrigin("agent:main:a2a:b:1"), Assert.Single(lab.Notifier.Told).Origin);
        var circle = await lab.ToolAsync("multiclaws_session_start", Ask(url), "s", Inbound(2, url));
        Assert.Contains("circle", (string?)circle["error"], StringComparison.Ordinal);
        var far = await lab.ToolAsync("multiclaws_delegate", new JsonObject { ["agentUrl"] = url, ["task"] = "x" }, "s", Inbound(8, "http://elsewhere"));
        Assert.Equal("failed", (string?)far["status"]);
        Assert.Contains("longer than 8", (string?)far["error"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ended_sessions_make_room_and_open_ones_dont()
    {
        await using var remote = await DoorServer.StartAsync();
        await using var lab = await SessionLab.StartAsync(static options => options.MaxSessions = 8);
        lab.Agents.Add(remote.Url);
        var first = await lab.BeginAsync(remote.Url.AbsoluteUri, "one");
        await lab.UntilAsync(first, "completed");
        for (var i = 0; i < 7; i++) await lab.BeginAsync(remote.Url.AbsoluteUri, "wait");
        await lab.BeginAsync(remote.Url.AbsoluteUri, "wait");
        Assert.Equal(ErrorCodes.NotFound, await lab.CodeAsync("session.status", new JsonObject { ["sessionId"] = first }));
        Assert.Equal(ErrorCodes.Busy, await lab.CodeAsync("session.start", new JsonObject { ["agentUrl"] = remote.Url.AbsoluteUri, ["message"] = "x" }));
        Assert.Equal(8, (await lab.CallAsync("session.status", []))["sessions"]!.AsArray().Count);
        Assert.Equal(8, lab.Records.Count("multiclaws.session"));
    }

    [Fact]
    public async Task A_thousand_starts_at_once_are_all_taken_and_few_run_at_one_time()
    {
        var (running, most) = (0, 0);
        var gate = new Lock();
        await using var peer = await PeerServer.WithCardAsync(async context =>
        {
            lock (gate) most = Math.Max(most, ++running);
            await Task.Yield();
            lock (gate) running--;
            await PeerServer.EventAsync(context, $$"""{"task":{{PeerServer.TaskText("COMPLETED")}}}""");
        });
        await using var lab = await SessionLab.StartAsync();
        lab.Agents.Add(peer.Url);
        var ids = await Task.WhenAll(Enumerable.Range(0, 1000).Select(_ => Task.Run(() => lab.BeginAsync(peer.Url.AbsoluteUri, "x"))));
        var waited = await lab.CallAsync("session.wait_all", new JsonObject { ["sessionIds"] = new JsonArray([.. ids.Select(static id => JsonValue.Create(id))]) });
        Assert.All(waited["results"]!.AsArray(), static result => Assert.Equal("completed", (string?)result!["status"]));
        Assert.InRange(most, 1, 32);
        Assert.Equal(1000, lab.Notifier.Told.Count);
    }

    [Fact]
    public async Task A_change_holds_though_its_notice_cant_be_said_yet()
    {
        await using var remote = await DoorServer.StartAsync();
        await using var lab = await SessionLab.StartAsync();
        lab.Agents.Add(remote.Url);
        lab.Notifier.Faults.Enqueue(BridgeException.Busy("full", TimeSpan.FromSeconds(1)));
        var id = await lab.BeginAsync(remote.Url.AbsoluteUri, "hello");
        await lab.UntilAsync(id, "completed");
        Assert.Empty(lab.Notifier.Told);
        await lab.RestartAsync();
        await Wait.UntilAsync(() => lab.Notifier.Told.Count == 1, "the notice is said after the restart");
        lab.Notifier.Faults.Enqueue(new BridgeException(ErrorCodes.NotFound, "no such channel"));
        await lab.UntilAsync(await lab.BeginAsync(remote.Url.AbsoluteUri, "hello"), "completed");
    }

    [Fact]
    public async Task A_store_that_is_full_holds_a_session_up_and_loses_nothing()
    {
        await using var remote = await DoorServer.StartAsync();
        await using var lab = await SessionLab.StartAsync();
        lab.Agents.Add(remote.Url);
        lab.Records.Failing = 1;
        Assert.Equal(ErrorCodes.StoreFull, await lab.CodeAsync("session.start", new JsonObject { ["agentUrl"] = remote.Url.AbsoluteUri, ["message"] = "x" }));
        var id = await lab.BeginAsync(remote.Url.AbsoluteUri, "ask");
        await lab.UntilAsync(id, "input-required");
        var sent = lab.CallAsync("session.reply", new JsonObject { ["sessionId"] = id, ["message"] = "go" });
        await sent;
        lab.Records.Failing = 2;
        await lab.UntilAsync(id, "completed");
        Assert.Equal(2, lab.Notifier.Told.Count);
    }

    private static JsonObject Ask(string url) => new() { ["agentUrl"] = url, ["message"] = "x" };

    private static InboundMessage Inbound(int hops, string url) => new()
    {
        Channel = "a2a",
        AccountId = "b",
        SessionKey = "a2a:b:1",
        Agent = "openclaw",
        Route = "1",
        SenderId = "b",
        Metadata = Chains.ToMetadata(new Chain(hops, [url])),
    };

    private static async Task<ChannelBridge.A2A.TaskState> StateAsync(DoorServer remote, string id) =>
        (await remote.Agent.GetAsync("somebody", new ChannelBridge.A2A.GetTaskRequest { Id = id }, CancellationToken.None)).Status.State;
}
