using System.Text.Json.Nodes;
using ChannelBridge.Tests.Aun.Endpoint;

namespace ChannelBridge.Tests.Integration.Hosts;

/// <summary>Two hosts with one PostgreSQL store and one folder of keys are one AUN gateway.</summary>
public sealed class FleetAunTests
{
    [ServerFact]
    public async Task TwoHosts_NumberWithoutAHole_TellEachOther_AndOneMayBeKilled()
    {
        await using var fleet = await Fleet.StartAsync(2, settings: new Dictionary<string, string>
        {
            ["CHANNELBRIDGE__CHANNELS__AUN__ISSUERS"] = "agentid.pub",
            ["CHANNELBRIDGE__CHANNELS__AUN__CHALLENGEDELAY"] = "0ms",
            ["CHANNELBRIDGE__CHANNELS__AUN__PKIFOLDER"] = Path.Combine(Scratch.NewFolder("aunpki"), "pki"),
        });
        Uri Of(int host) => new UriBuilder(fleet.Host(host).Url) { Scheme = "ws", Path = "/aun" }.Uri;
        var agents = new Dictionary<string, TestAgent>();
        foreach (var name in new[] { "alice", "bobby", "carol" })
        {
            // Registered at one host; each step of the login at another one.
            var agent = agents[name] = new TestAgent(Of(0), $"{name}.agentid.pub");
            await agent.CreateAsync();
            var first = await agent.Login1Async();
            agent.Move(Of(1));
            await agent.ShortAsync("auth.aid_login2", agent.Login2(first));
            await agent.LoginAsync();
        }

        var bobby = agents["bobby"];
        await using var there = await bobby.ConnectAsync("phone");
        agents["alice"].Move(Of(0));
        bobby.Move(Of(0));
        await using var here = await bobby.ConnectAsync("desk");
        var owed = new HashSet<string>(StringComparer.Ordinal);
        await using (var alice = await agents["alice"].ConnectAsync("writes"))
        await using (var carol = await agents["carol"].ConnectAsync("writes"))
        {
            var calls = new List<Task<JsonObject>>();
            for (var i = 0; i < 40; i++)
            {
                foreach (var (name, line) in new[] { ("a", alice), ("c", carol) })
                {
                    owed.Add($"{name}{i}");
                    calls.Add(await line.BeginAsync("message.send", TestAgent.Text(bobby.Aid, "text", $"{name}{i}")));
                }
            }

            Assert.Equal(Enumerable.Range(1, 80), (await Task.WhenAll(calls)).Select(static one => (int)one["seq"]!).Order());
        }

        // Told on both hosts, whichever host has taken them.
        foreach (var line in new[] { here, there })
        {
            var told = new List<int>();
            while (told.Count < 80) told.Add((int)(await line.EventAsync("message.received"))["seq"]!);
            Assert.Equal(Enumerable.Range(1, 80), told.Order());
        }

        // The same slot at the other host: the older connection ends.
        await using (var again = await bobby.ConnectAsync("phone")) Assert.Equal(4009, await there.Closed);

        // One is killed with messages under way; who wrote there writes the same again at the other one.
        var writer = agents["alice"];
        var line2 = await writer.ConnectAsync("writes");
        var ids = Enumerable.Range(0, 20).Select(static i => $"k{i}").ToArray();
        owed.UnionWith(ids);
        foreach (var id in ids) (await line2.BeginAsync("message.send", TestAgent.Text(bobby.Aid, "text", id))).Ignore();
        await fleet.KillAsync(0);
        await line2.DisposeAsync();
        foreach (var agent in agents.Values) agent.Move(Of(1));
        await using (var alice = await writer.ConnectAsync("writes"))
        {
            foreach (var id in ids) await alice.CallAsync("message.send", TestAgent.Text(bobby.Aid, "text", id));
        }

        await using var reader = await bobby.ConnectAsync("reads");
        var got = (await reader.CallAsync("message.pull", new JsonObject { ["limit"] = 200 }))["messages"]!.AsArray();
        Assert.Equal(Enumerable.Range(1, got.Count), got.Select(static one => (int)one!["seq"]!));
        Assert.Equal(owed.Order(StringComparer.Ordinal), got.Select(static one => (string)one!["message_id"]!).Order(StringComparer.Ordinal));

        // What one has told is true at the other: an identity that was revoked there has no connection here.
        await fleet.StartHostAsync(0);
        var revoked = await HostProcess.RunAsync(["aun", "revoke", bobby.Aid, "--data", fleet.Host(0).Data]);
        Assert.True(revoked.ExitCode == 0, revoked.Errors);
        Assert.Equal(4003, await reader.Closed);
    }
}

/// <summary>For answers that never come.</summary>
internal static class Unanswered
{
    /// <summary>What becomes of it is nobody's business.</summary>
    public static void Ignore(this Task task) =>
        task.ContinueWith(static ended => ended.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
}
