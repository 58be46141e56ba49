using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Tests.Unit.A2A;
using Microsoft.AspNetCore.Http;

namespace ChannelBridge.Tests.MultiClaws.Sessions;

/// <summary>Agents of other houses: nodes of the published plugin, and those that tell nonsense.</summary>
public sealed class StrangePeerTests
{
    [Theory]
    [InlineData("done", "completed", null)]
    [InlineData("Error: the gateway is away", "failed", "Error: the gateway is away")]
    public async Task A_node_of_the_published_plugin_answers_with_messages(string answer, string status, string? error)
    {
        var asked = new List<JsonNode>();
        await using var node = await PublishedNodeAsync(answer, asked);
        await using var lab = await SessionLab.StartAsync();
        lab.Agents.Add(node.Url, "node");
        var id = await lab.BeginAsync(node.Url.AbsoluteUri, "hello");
        var session = await lab.UntilAsync(id, status);
        Assert.Equal(answer, SessionLab.Last(session));
        Assert.Equal(error, (string?)session["error"]);
        var sent = Assert.Single(asked);
        Assert.Equal(("message/send", "message", "user", "hello"), ((string?)sent["method"], (string?)sent["params"]!["message"]!["kind"],
            (string?)sent["params"]!["message"]!["role"], (string?)sent["params"]!["message"]!["parts"]![0]!["text"]));
        Assert.Equal((string?)session["contextId"], (string?)sent["params"]!["message"]!["contextId"]);
    }

    [Fact]
    public async Task A_node_that_is_away_for_a_moment_gets_the_same_message_again()
    {
        var asked = new List<JsonNode>();
        var broken = 0;
        await using var node = await PublishedNodeAsync("done", asked, context =>
        {
            if (broken++ > 0) return false;
            context.Abort();
            return true;
        });
        await using var lab = await SessionLab.StartAsync();
        lab.Agents.Add(node.Url);
        await lab.UntilAsync(await lab.BeginAsync(node.Url.AbsoluteUri, "hello"), "completed");
        Assert.Equal(2, asked.Count);
        Assert.Single(asked.Select(static request => (string)request["params"]!["message"]!["messageId"]!).Distinct());
        Assert.Single(lab.Notifier.Told);
    }

    [Theory]
    [InlineData("""{"id":"other","contextId":"c","status":{"state":"TASK_STATE_WORKING"}}""", "the agent has answered with another task")]
    [InlineData("""{"id":"t","contextId":"c","status":{"state":"TASK_STATE_REJECTED"}}""", "the agent has rejected the request")]
    public async Task A_reply_that_is_answered_with_another_task_fails(string second, string reason)
    {
        var turn = 0;
        await using var peer = await PeerServer.WithCardAsync(context => PeerServer.EventAsync(context, turn++ == 0
            ? """{"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_INPUT_REQUIRED","message":{"messageId":"q","role":"ROLE_AGENT","parts":[{"text":"how many?"}]}}}}"""
            : $$"""{"task":{{second}}}"""));
        await using var lab = await SessionLab.StartAsync();
        lab.Agents.Add(peer.Url);
        var id = await lab.BeginAsync(peer.Url.AbsoluteUri, "book");
        Assert.Equal("how many?", SessionLab.Last(await lab.UntilAsync(id, "input-required")));
        await lab.CallAsync("session.reply", new JsonObject { ["sessionId"] = id, ["message"] = "two" });
        Assert.StartsWith(reason, (string?)(await lab.UntilAsync(id, "failed"))["error"], StringComparison.Ordinal);
        Assert.Equal(2, lab.Notifier.Told.Count);
    }

    [Fact]
    public async Task What_is_streamed_grows_in_the_last_message()
    {
        var more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var peer = await PeerServer.WithCardAsync(async context =>
        {
            await PeerServer.EventAsync(context, $$"""{"task":{{PeerServer.TaskText("WORKING")}}}""");
            await PeerServer.EventAsync(context, Piece("Hello ", append: false));
            await more.Task;
            await PeerServer.EventAsync(context, Piece("world", append: true));
            // Ends twice, and goes on after its end.
            await PeerServer.EventAsync(context, PeerServer.Status("COMPLETED"));
            await PeerServer.EventAsync(context, PeerServer.Status("WORKING"));
            await PeerServer.EventAsync(context, PeerServer.Status("FAILED"));
        });
        await using var lab = await SessionLab.StartAsync();
        lab.Agents.Add(peer.Url);
        var id = await lab.BeginAsync(peer.Url.AbsoluteUri, "greet");
        await Wait.UntilAsync(async () => SessionLab.Last(await lab.StatusAsync(id)) == "Hello ");
        Assert.Equal("active", (string?)(await lab.StatusAsync(id))["status"]);
        more.SetResult();
        Assert.Equal("Hello world", SessionLab.Last(await lab.UntilAsync(id, "completed")));
        Assert.Single(lab.Notifier.Told);
    }

    [Fact]
    public async Task A_task_that_its_agent_has_forgotten_fails_and_an_agent_that_comes_back_is_asked_again()
    {
        var state = "WORKING";
        var away = false;
        var seen = new SemaphoreSlim(0);
        await using var peer = await PeerServer.WithCardAsync(async context =>
        {
            var method = (string)(await JsonNode.ParseAsync(context.Request.Body))!["method"]!;
            if (away)
            {
                context.Response.StatusCode = 503;
                return;
            }

            if (method is "SendStreamingMessage" or "SubscribeToTask")
            {
                await PeerServer.EventAsync(context, $$"""{"task":{{PeerServer.TaskText("WORKING")}}}""");
                // The stream breaks once the task is known: the agent restarts.
                await seen.WaitAsync();
                away = true;
                context.Abort();
                return;
            }

            await context.Response.WriteAsync(state == "GONE"
                ? """{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"no such task"}}"""
                : $$"""{"jsonrpc":"2.0","id":1,"result":{{PeerServer.TaskText(state)}}}""");
        });
        await using var lab = await SessionLab.StartAsync();
        lab.Agents.Add(peer.Url);
        var id = await lab.BeginAsync(peer.Url.AbsoluteUri, "work");
        await Wait.UntilAsync(async () => (string?)(await lab.StatusAsync(id))["currentTaskId"] == "t");
        seen.Release();
        await Wait.UntilAsync(() => away);
        state = "COMPLETED";
        away = false;
        await lab.UntilAsync(id, "completed");
        state = "GONE";
        var second = await lab.BeginAsync(peer.Url.AbsoluteUri, "work");
        await Wait.UntilAsync(async () => (string?)(await lab.StatusAsync(second))["currentTaskId"] == "t");
        seen.Release();
        await Wait.UntilAsync(() => away);
        away = false;
        Assert.Equal("the agent no longer knows the task", (string?)(await lab.UntilAsync(second, "failed"))["error"]);
    }

    [Fact]
    public async Task An_end_while_the_task_is_told_but_not_written_cancels_it()
    {
        var cancelled = new TaskCompletionSource<string?>();
        var told = false;
        SessionLab? lab = null;
        await using var peer = await PeerServer.WithCardAsync(async context =>
        {
            var request = (await JsonNode.ParseAsync(context.Request.Body))!;
            if ((string?)request["method"] == "CancelTask")
            {
                cancelled.TrySetResult((string?)request["params"]!["id"]);
                await context.Response.WriteAsync($$"""{"jsonrpc":"2.0","id":1,"result":{{PeerServer.TaskText("CANCELED")}}}""");
                return;
            }

            // The store takes nothing in the moment in which the task becomes known.
            lab!.Records.Failing = 1;
            Volatile.Write(ref told, true);
            await PeerServer.EventAsync(context, $$"""{"task":{{PeerServer.TaskText("WORKING")}}}""");
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        await using var started = lab = await SessionLab.StartAsync();
        lab.Agents.Add(peer.Url);
        var id = await lab.BeginAsync(peer.Url.AbsoluteUri, "work");
        await Wait.UntilAsync(() => Volatile.Read(ref told) && lab.Records.Failing == 0, "the write of the task has failed once");
        Assert.True((bool)(await lab.CallAsync("session.end", new JsonObject { ["sessionId"] = id }))["ended"]!);
        Assert.Equal("t", await cancelled.Task.WaitAsync(TimeSpan.FromSeconds(20)));
    }

    [Fact]
    public async Task Too_many_messages_and_too_long_ones_make_room_and_say_so()
    {
        var text = new string('é', 200_000);
        await using var peer = await PeerServer.WithCardAsync(context => PeerServer.EventAsync(
            context, $$$$$$"""{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"{{{{{{text}}}}}}"}]}}"""));
        await using var lab = await SessionLab.StartAsync();
        lab.Agents.Add(peer.Url);
        var session = await lab.UntilAsync(await lab.BeginAsync(peer.Url.AbsoluteUri, "long"), "completed");
        Assert.True((bool)session["truncated"]!);
        Assert.InRange(Encoding.UTF8.GetByteCount(SessionLab.Last(session)), 256 * 1024 - 8, 256 * 1024);
        Assert.InRange(Assert.Single(lab.Notifier.Told).Text.Length, 8_000, 9_000);
    }

    private static string Piece(string text, bool append) =>
        $$$$$$"""{"artifactUpdate":{"taskId":"t","contextId":"c","append":{{{{{{(append ? "true" : "false")}}}}}},"artifact":{"artifactId":"a","parts":[{"text":"{{{{{{text}}}}}}"}]}}}""";

    /// <summary>A node as the plugin 0.4.9 is one: a card of its shape, no key, an answer that is a message.</summary>
    private static Task<PeerServer> PublishedNodeAsync(
        string answer, List<JsonNode> asked, Func<HttpContext, bool>? fails = null) => PeerServer.StartAsync(async (server, context) =>
    {
        if (context.Request.Path == "/.well-known/agent-card.json")
        {
            await context.Response.WriteAsync(
                $$"""{"name":"node","description":"d","url":"{{server.Url.AbsoluteUri.TrimEnd('/')}}","version":"0.3.0","protocolVersion":"0.2.2","capabilities":{"streaming":false,"pushNotifications":false},"defaultInputModes":["text/plain"],"defaultOutputModes":["text/plain"],"skills":[{"id":"general","name":"General Task","description":"x","tags":["general"]}]}""");
            return;
        }

        if (context.Request.Method != "POST")
        {
            await PeerServer.NotFound(context);
            return;
        }

        asked.Add((await JsonNode.ParseAsync(context.Request.Body))!);
        if (fails?.Invoke(context) == true) return;
        await context.Response.WriteAsync(
            $$$$$$"""{"jsonrpc":"2.0","id":1,"result":{"kind":"message","role":"agent","messageId":"m","parts":[{"kind":"text","text":"{{{{{{answer}}}}}}"}]}}""");
    });
}
