using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using ChannelBridge.A2A;
using ChannelBridge.Client;
using ChannelBridge.Tests.Shared.A2A;

namespace ChannelBridge.Tests.Integration.MultiClaws;

/// <summary>Sessions between hosts as processes: each ends once, with one notice, whichever side is killed in whatever state.</summary>
public sealed class SessionKillTests
{
    private static int Rounds => int.TryParse(Environment.GetEnvironmentVariable("CHANNELBRIDGE_KILL_ROUNDS"), out var rounds) ? rounds : 5;

    [Fact]
    public async Task Killed_at_random_moments_on_either_side_each_session_ends_once_and_is_told_once()
    {
        const int Together = 6;
        var random = new Random(20261130);
        await using var model = await SlowModel.StartAsync();
        model.Go.SetResult();
        await using var remote = await SessionHost.StartAsync(
            new Dictionary<string, string>
            {
                ["CHANNELBRIDGE__AGENTS__SLOW__KIND"] = "chat-completions",
                ["CHANNELBRIDGE__AGENTS__SLOW__URL"] = model.Url + "/v1",
                ["CHANNELBRIDGE__CHANNELS__A2A__AGENT"] = "slow",
                ["CHANNELBRIDGE__CHANNELS__A2A__READSPERMINUTE"] = "60000",
            });
        await using var host = await SessionHost.StartAsync();
        var peer = await remote.CallAsync("a2a.peers.add", new JsonObject { ["name"] = "host" });
        await host.CallAsync("agents.add", new JsonObject { ["url"] = remote.Url, ["apiKey"] = (string)peer["secret"]! });
        var started = new ConcurrentDictionary<string, string>();
        for (var round = 0; round < Rounds; round++)
        {
            var stop = false;
            var starters = Enumerable.Range(0, Together).Select(async starter =>
            {
                for (var i = 0; !Volatile.Read(ref stop) && i < 4; i++)
                {
                    var tell = $"agent:main:r{round}-{starter}-{i}";
                    try
                    {
                        started[tell] = await host.BeginAsync(remote.Url, "think", tell);
                    }
                    catch (ChannelBridgeClientException)
                    {
                        // Killed in it: whether it was started shows afterwards.
                        return;
                    }
                }
            }).ToArray();
            await Task.Delay(random.Next(0, 300));
            var victim = round % 2 == 0 ? host : remote;
            await victim.KillAsync();
            Volatile.Write(ref stop, true);
            await Task.WhenAll(starters).WaitAsync(HostProcess.Timeout);
            await victim.StartAgainAsync();
        }

        var all = (await host.CallAsync("session.status"))["sessions"]!.AsArray();
        Assert.True(started.Values.All(id => all.Any(session => (string?)session!["sessionId"] == id)), "a session that was answered is gone");
        Assert.NotEmpty(all);
        foreach (var id in all.Select(static session => (string)session!["sessionId"]!))
        {
            var session = await host.UntilAsync(id, "completed");
            var messages = session["messages"]!.AsArray();
            Assert.Equal(2, messages.Count);
            Assert.Equal(SlowModel.First + SlowModel.Second, (string?)messages[1]!["content"]);
        }

        foreach (var (tell, _) in started) Assert.Equal(1, await host.NoticesAsync(tell));
        // Each message was one task, however often it was sent.
        var tasks = (await remote.CallAsync("a2a.tasks.list", new JsonObject { ["limit"] = 1000 }))["tasks"]!.AsArray();
        Assert.Equal(all.Count, tasks.Count);
        Assert.All(tasks, static task => Assert.Equal("completed", (string?)task!["state"]));
    }

    [Fact]
    public async Task Killed_in_each_state_a_session_is_what_it_was_and_goes_on()
    {
        await using var remote = await DoorServer.StartAsync();
        await using var host = await SessionHost.StartAsync();
        await host.CallAsync("agents.add", new JsonObject { ["url"] = remote.Url.AbsoluteUri });
        var asks = await host.BeginAsync(remote.Url.AbsoluteUri, "ask", "agent:main:asks");
        var works = await host.BeginAsync(remote.Url.AbsoluteUri, "wait", "agent:main:works");
        var ends = await host.BeginAsync(remote.Url.AbsoluteUri, "wait", "agent:main:ends");
        var done = await host.BeginAsync(remote.Url.AbsoluteUri, "hello", "agent:main:done");
        await host.UntilAsync(asks, "input-required");
        await host.UntilAsync(done, "completed");
        foreach (var id in new[] { works, ends }) await Wait.UntilAsync(async () => (string?)(await host.StatusAsync(id))["currentTaskId"] is not null);
        var leaves = (string)(await host.StatusAsync(ends))["currentTaskId"]!;
        Assert.True((bool)(await host.CallAsync("session.end", new JsonObject { ["sessionId"] = ends }))["ended"]!);

        await host.KillAsync();
        await host.StartAgainAsync();

        Assert.Equal("input-required active canceled completed", $"{await Of(asks)} {await Of(works)} {await Of(ends)} {await Of(done)}");
        // What nobody waits for is cancelled, though the host was killed right after it was told to end it.
        await Wait.UntilAsync(async () => (await TaskAsync(remote, leaves)).Status.State is TaskState.Canceled);
        await host.CallAsync("session.reply", new JsonObject { ["sessionId"] = asks, ["message"] = "for two" });
        Assert.Equal("for two", (string?)(await host.UntilAsync(asks, "completed"))["messages"]!.AsArray()[^1]!["content"]);
        await remote.Agent.CancelAsync("somebody", new CancelTaskRequest { Id = (string)(await host.StatusAsync(works))["currentTaskId"]! }, CancellationToken.None);
        await host.UntilAsync(works, "canceled");
        Assert.Equal(2, await host.NoticesAsync("agent:main:asks"));
        Assert.Equal(1, await host.NoticesAsync("agent:main:works"));
        Assert.Equal(0, await host.NoticesAsync("agent:main:ends"));
        Assert.Equal(1, await host.NoticesAsync("agent:main:done"));

        async Task<string?> Of(string id) => (string?)(await host.StatusAsync(id))["status"];
    }

    private static async Task<A2ATask> TaskAsync(DoorServer remote, string id) => await remote.Agent.GetAsync("somebody", new GetTaskRequest { Id = id }, CancellationToken.None);
}
