using System.Text.Json.Nodes;
using ChannelBridge.Tests.Integration.A2A;

namespace ChannelBridge.Tests.Integration.MultiClaws;

/// <summary>Hosts whose agents ask each other, as processes: a chain comes back to whoever began it, and a loop is refused where it would close.</summary>
public sealed class ChainTests
{
    [Fact]
    public async Task Chain_of_three_hosts_brings_the_answer_back_and_a_loop_is_refused()
    {
        await using var a = await StartAsync("a");
        await using var b = await StartAsync("b");
        await using var c = await StartAsync("c");
        var made = await a.CallAsync("teams.create", new JsonObject { ["name"] = "us" });
        foreach (var host in new[] { b, c }) await host.CallAsync("teams.join", new JsonObject { ["inviteCode"] = (string)made["inviteCode"]! });
        foreach (var host in new[] { a, b, c }) await Wait.UntilAsync(async () => (await host.CallAsync("agents.list"))["agents"]!.AsArray().Count == 2);
        // B's agent asks C's. C's tries to go back to who began, and to B, which waits for it; then it answers itself.
        var refused = new List<string>();
        await using var first = await ScriptedGateway.ConnectAsync(a.Process, (text, _) => Task.FromResult($"a was asked: {text}"));
        await using var middle = await ScriptedGateway.ConnectAsync(b.Process, async (text, tool) =>
            "b heard: " + (string)(await tool("multiclaws_delegate", new JsonObject { ["agentUrl"] = c.Url, ["task"] = text }))["output"]!);
        await using var last = await ScriptedGateway.ConnectAsync(c.Process, async (text, tool) =>
        {
            foreach (var back in new[] { a.Url, b.Url })
            {
                var started = await tool("multiclaws_session_start", new JsonObject { ["agentUrl"] = back, ["message"] = text });
                refused.Add($"{started["status"]}: {started["error"]}");
            }

            return "it is " + text;
        });

        var done = await a.CallAsync("task.delegate", new JsonObject { ["agentUrl"] = b.Url, ["task"] = "noon" });
        Assert.Equal(("completed", "b heard: it is noon"), ((string?)done["status"], (string?)done["output"]));
        Assert.Equal(2, refused.Count);
        Assert.All(refused, static one => Assert.Equal("failed: that agent waits for the answer to this very request: asking it would go round in a circle", one));
        Assert.Single((await c.CallAsync("a2a.tasks.list"))["tasks"]!.AsArray());
        Assert.Empty((await c.CallAsync("session.status"))["sessions"]!.AsArray());

        // One that has come far already goes no further: what C says of its own start is all there is.
        refused.Clear();
        using var peer = new PeerClient(c.Process.Url, (string)(await c.CallAsync("a2a.peers.add", new JsonObject { ["name"] = "far" }))["secret"]!);
        var sent = PeerClient.Send("far-1", "midnight");
        sent["message"]!["metadata"] = new JsonObject { ["multiclaws"] = new JsonObject { ["hops"] = 8, ["path"] = new JsonArray("http://somewhere.example") } };
        await peer.CallAsync("SendMessage", sent);
        Assert.All(refused, static one => Assert.Contains("longer than 8", one, StringComparison.Ordinal));
        Assert.Equal(2, refused.Count);
    }

    private static async Task<SessionHost> StartAsync(string name)
    {
        var host = await SessionHost.StartAsync(null, "--agent", "openclaw");
        await host.CallAsync("profile.set", new JsonObject { ["ownerName"] = name, ["bio"] = $"knows {name}" });
        return host;
    }
}
