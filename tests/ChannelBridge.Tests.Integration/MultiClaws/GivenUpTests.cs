using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using ChannelBridge.Tests.Unit.A2A;
using Microsoft.AspNetCore.Http;

namespace ChannelBridge.Tests.Integration.MultiClaws;

/// <summary>A session that is given up after a kill, before its agent was heard again, cancels the task that it knows, as one does whose host was never away.</summary>
public sealed class GivenUpTests
{
    [Fact]
    public async Task Known_task_is_cancelled_once_however_the_session_ends_before_its_agent_is_heard_again()
    {
        var cancelled = new ConcurrentQueue<string>();
        var killed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var remote = await PeerServer.WithCardAsync(context => AnswerAsync(context, cancelled, killed.Task));
        await using var host = await SessionHost.StartAsync();
        await host.CallAsync("agents.add", new JsonObject { ["url"] = remote.Url.AbsoluteUri });
        var ids = new Dictionary<string, string>();
        foreach (var task in new[] { "refused", "nonsense", "ended", "expired" })
        {
            var request = new JsonObject { ["agentUrl"] = remote.Url.AbsoluteUri, ["message"] = task, ["origin"] = new JsonObject { ["sessionKey"] = $"agent:main:{task}" } };
            if (task == "expired") request["timeoutMs"] = 3000;
            var id = ids[task] = (string)(await host.CallAsync("session.start", request))["sessionId"]!;
            await Wait.UntilAsync(async () => (string?)(await host.StatusAsync(id))["currentTaskId"] == task);
        }

        await host.KillAsync();
        killed.SetResult();
        await host.StartAgainAsync();

        Assert.True((bool)(await host.CallAsync("session.end", new JsonObject { ["sessionId"] = ids["ended"] }))["ended"]!);
        await Wait.UntilAsync(() => ids.Keys.All(cancelled.Contains), "each of the tasks is cancelled");
        Assert.Equal(ids.Keys.Order(), cancelled.Order());
        Assert.Equal("canceled", (string?)(await host.StatusAsync(ids["ended"]))["status"]);
        Assert.Equal("session timeout", (string?)(await host.UntilAsync(ids["expired"], "failed"))["error"]);
        Assert.Contains("not for you", (string?)(await host.UntilAsync(ids["refused"], "failed"))["error"], StringComparison.Ordinal);
        await host.UntilAsync(ids["nonsense"], "failed");
        foreach (var task in ids.Keys) Assert.Equal(task == "ended" ? 0 : 1, await host.NoticesAsync($"agent:main:{task}"));
    }

    [Fact]
    public async Task Ended_while_its_agent_is_away_after_kills_of_both_a_session_cancels_its_task_when_the_agent_is_back()
    {
        await using var model = await SlowModel.StartAsync();
        await using var remote = await SessionHost.StartAsync(new()
        {
            ["CHANNELBRIDGE__AGENTS__SLOW__KIND"] = "chat-completions",
            ["CHANNELBRIDGE__AGENTS__SLOW__URL"] = model.Url + "/v1",
            ["CHANNELBRIDGE__CHANNELS__A2A__AGENT"] = "slow",
        });
        await using var host = await SessionHost.StartAsync();
        var peer = await remote.CallAsync("a2a.peers.add", new JsonObject { ["name"] = "host" });
        await host.CallAsync("agents.add", new JsonObject { ["url"] = remote.Url, ["apiKey"] = (string)peer["secret"]! });
        var id = await host.BeginAsync(remote.Url, "think", "agent:main:asks");
        await Wait.UntilAsync(async () => (string?)(await host.StatusAsync(id))["currentTaskId"] is not null);

        await Task.WhenAll(host.KillAsync(), remote.KillAsync());
        await host.StartAgainAsync();
        Assert.True((bool)(await host.CallAsync("session.end", new JsonObject { ["sessionId"] = id }))["ended"]!);
        await remote.StartAgainAsync();

        await Wait.UntilAsync(async () => await StateAsync() == "canceled", "the task is cancelled");
        Assert.Equal("canceled", (string?)(await host.StatusAsync(id))["status"]);

        async Task<string?> StateAsync() => (string?)Assert.Single((await remote.CallAsync("a2a.tasks.list"))["tasks"]!.AsArray())!["state"];
    }

    /// <summary>Each message is a task of its name, at work until it is cancelled; once the host was killed, it is told nothing of them.</summary>
    private static async Task AnswerAsync(HttpContext context, ConcurrentQueue<string> cancelled, Task killed)
    {
        var request = (await JsonNode.ParseAsync(context.Request.Body))!;
        var (method, parameters) = ((string)request["method"]!, request["params"]!);
        var task = (string?)parameters["id"] ?? (string)parameters["message"]!["parts"]![0]!["text"]!;
        if (method == "CancelTask")
        {
            cancelled.Enqueue(task);
            await context.Response.WriteAsync($$"""{"jsonrpc":"2.0","id":1,"result":{{Text(task, "CANCELED")}}}""");
            return;
        }

        if (killed.IsCompleted && task == "refused")
        {
            await context.Response.WriteAsync("""{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"not for you"}}""");
            return;
        }

        if (killed.IsCompleted && task == "nonsense")
        {
            await context.Response.WriteAsync("""{"jsonrpc":"2.0","id":1,"result":[5]}""");
            return;
        }

        if (!killed.IsCompleted) await PeerServer.EventAsync(context, $$"""{"task":{{Text(task, "WORKING")}}}""");
        await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static string Text(string task, string state) => PeerServer.TaskText(state).Replace("\"id\":\"t\"", $"\"id\":\"{task}\"", StringComparison.Ordinal);
}
