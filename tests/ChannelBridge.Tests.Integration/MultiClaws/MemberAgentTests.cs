using System.Text.Json.Nodes;
using ChannelBridge.Tests.Integration.A2A;

namespace ChannelBridge.Tests.Integration.MultiClaws;

/// <summary>Who answers members of a team: the agent of <c>Channels:MultiClaws:Agent</c>, and nobody else's peers.</summary>
public sealed class MemberAgentTests
{
    [Fact]
    public async Task Member_is_answered_by_the_agent_for_members_and_other_peers_by_that_of_A2A()
    {
        await using var model = await SlowModel.StartAsync();
        model.Go.SetResult();
        await using var asked = await SessionHost.StartAsync(new()
        {
            ["CHANNELBRIDGE__AGENTS__SLOW__KIND"] = "chat-completions",
            ["CHANNELBRIDGE__AGENTS__SLOW__URL"] = model.Url + "/v1",
            ["CHANNELBRIDGE__CHANNELS__MULTICLAWS__AGENT"] = "slow",
        });
        await using var asks = await SessionHost.StartAsync();
        foreach (var host in new[] { asked, asks }) await host.CallAsync("profile.set", new JsonObject { ["ownerName"] = "x", ["bio"] = "knows" });
        var made = await asked.CallAsync("teams.create", new JsonObject { ["name"] = "us" });
        await asks.CallAsync("teams.join", new JsonObject { ["inviteCode"] = (string)made["inviteCode"]! });

        var done = await asks.CallAsync("task.delegate", new JsonObject { ["agentUrl"] = asked.Url, ["task"] = "think" });
        Assert.Equal(("completed", SlowModel.First + SlowModel.Second), ((string?)done["status"], (string?)done["output"]));
        using var peer = new PeerClient(asked.Process.Url, (string)(await asked.CallAsync("a2a.peers.add", new JsonObject { ["name"] = "friend" }))["secret"]!);
        Assert.Equal("echo: hello", (string?)(await peer.CallAsync("SendMessage", PeerClient.Send("p-1", "hello")))["task"]!["artifacts"]![0]!["parts"]![0]!["text"]);
        // It isn't exposed to others by that, and an agent that there isn't stops the start.
        Assert.Contains("tenant names no agent", (await peer.FailAsync("SendMessage", PeerClient.Send("p-2", "hello", tenant: "slow"))).ToJsonString(), StringComparison.Ordinal);
        var wrong = await HostProcess.RunAsync(["serve", "--urls", "off", "--data", HostProcess.NewDataFolder()],
            environment: new Dictionary<string, string> { ["CHANNELBRIDGE__CHANNELS__MULTICLAWS__AGENT"] = "nobody" });
        Assert.NotEqual(0, wrong.ExitCode);
        Assert.Contains("Channels:MultiClaws:Agent", wrong.Errors, StringComparison.Ordinal);
    }
}
