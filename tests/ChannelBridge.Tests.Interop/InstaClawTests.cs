using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.Tests.Integration;
using ChannelBridge.Tests.Interop.Lab;
using ChannelBridge.Tests.Platform;

namespace ChannelBridge.Tests.Interop;

/// <summary>From the InstaClaw platform through the host to the real gateway's agent and back, with the tools that the plugin offers it.</summary>
[Collection(GatewaysCollection.Name)]
public sealed class InstaClawTests
{
    [OpenClawFact]
    public async Task Agent_AnswersAUser_UsesATool_AndRemembersTheSession()
    {
        if (OpenClawInstallation.Missing is { } reason) Assert.Fail(reason);
        await using var platform = await InstaClawPlatform.StartAsync();
        await using var model = await FakeModel.StartAsync();
        var data = HostProcess.NewDataFolder();
        Directory.CreateDirectory(Path.Combine(data, ".insta", "config"));
        await File.WriteAllTextAsync(
            Path.Combine(data, ".insta", "config", "profile.json"), """{"app_key":"key-0","app_secret":"secret-0","name":"Tester","claw_id":"claw-0"}""");
        await using var host = await HostProcess.StartAsync(
            data, ["--agent", "openclaw"], environment: new Dictionary<string, string> { ["INSTACLAW_WS_URL"] = platform.WsUrl.ToString() });
        await using var gateway = await GatewayAsync(model, host, new JsonObject { ["enabled"] = true });
        await gateway.StartAsync();
        var side = await platform.NextConnectionAsync();

        // The gateway's own policy decides, by default pairing: the answer tells the code, and nobody has run it. While the gateway is away nothing is accepted.
        var code = "";
        for (var attempt = 1; code.Length == 0; attempt++)
        {
            Assert.True(attempt < 200, "no pairing code came");
            await side.SendTextAsync($"m0-{attempt}", "s1", "ask:too-early");
            var refused = (await side.EventsAsync($"m0-{attempt}"))[^1];
            Assert.Equal("response.failed", (string)refused["type"]!);
            code = System.Text.RegularExpressions.Regex.Match((string?)refused["response"]?["error"]?["message"] ?? "", "pairing approve instaclaw (\\S+)").Groups[1].Value;
            if (code.Length == 0) await Task.Delay(300);
        }

        Assert.Equal(0, model.CountOf("too-early"));
        var (approved, said) = await gateway.CommandAsync("pairing", "approve", "instaclaw", code);
        Assert.True(approved == 0, said);

        await side.SendTextAsync("m1", "s1", "remember marzipan ask:first-word");
        var events = await side.EventsAsync("m1");
        Assert.Equal("response.completed", (string)events[^1]["type"]!);
        Assert.Equal("answer to first-word", string.Concat(events.Select(one => (string?)one["delta"])));

        await side.SendTextAsync("m2", "s1", "and now ask:named-list-tasks");
        events = await side.EventsAsync("m2");
        Assert.Equal("response.completed", (string)events[^1]["type"]!);
        Assert.Contains("marzipan", model.PromptOf("named-list-tasks"), StringComparison.Ordinal);
        Assert.True(platform.Calls.Count == 1, string.Join(", ", model.ToolsOf("named-list-tasks")) + gateway.Log);
        var call = Assert.Single(platform.Calls);
        Assert.Equal(("GET", "/tasks", "secret-0"), (call.Method, call.Path, call.Headers["x-app-secret"]));
        Assert.Contains("Translate a page", model.PromptOf("named-list-tasks"), StringComparison.Ordinal);

        await side.SendTextAsync("m3", "another", "ask:other-session");
        await side.EventsAsync("m3");
        Assert.DoesNotContain("marzipan", model.PromptOf("other-session"), StringComparison.Ordinal);
    }

    /// <summary>Guards against a registration that the real agent can't propose, and an answer of it that is lost with its host.</summary>
    [OpenClawFact]
    public async Task Agent_ProposesTheIdentity_AndAnswersWhatAKillOfTheHostHasCut()
    {
        if (OpenClawInstallation.Missing is { } reason) Assert.Fail(reason);
        await using var platform = await InstaClawPlatform.StartAsync();
        await using var model = await FakeModel.StartAsync();
        model.UnaskedCall = ("insta_propose_registration", """{"name":"Marzipan maker","description":"Knows sweets."}""");
        var data = HostProcess.NewDataFolder();
        var environment = new Dictionary<string, string>
        {
            ["INSTACLAW_WS_URL"] = platform.WsUrl.ToString(),
            ["CHANNELBRIDGE__CHANNELS__INSTACLAW__PROFILEPOLLINTERVAL"] = "200ms",
            ["CHANNELBRIDGE__CHANNELS__INSTACLAW__RECONNECTBASEDELAY"] = "50ms",
        };
        var host = await HostProcess.StartAsync(data, ["--agent", "openclaw"], environment: environment);
        try
        {
            await using var gateway = await GatewayAsync(model, host);
            await gateway.StartAsync();
            await using (var client = new ChannelBridgeClient(new ChannelBridgeClientOptions { Endpoint = $"unix:{host.Socket}" }))
            {
                await client.ConnectAsync();
                using var patience = new CancellationTokenSource(HostProcess.Timeout);
                JsonNode registration;
                while (true)
                {
                    registration = JsonNode.Parse((await client.CallAsync("instaclaw.registration.get", cancellationToken: patience.Token)).Span)!;
                    if ((string)registration["status"]! == "pending") break;
                    await Task.Delay(200, patience.Token);
                }

                Assert.Equal("Marzipan maker", (string?)registration["proposal"]!["name"]);
                await client.CallAsync("instaclaw.registration.submit", cancellationToken: patience.Token);
            }

            var side = await platform.NextConnectionAsync();
            // The gateway's turn ends while the host is away, or runs still when it is back.
            foreach (var word in new[] { "ends-meanwhile", "goes-on" })
            {
                var hold = model.Hold(word);
                await side.SendTextAsync(word, "s1", $"ask:{word}");
                await model.AskedAsync(word);
                await host.KillAsync();
                await host.DisposeAsync();
                if (word == "ends-meanwhile") hold.SetResult();
                host = await HostProcess.StartAsync(data, ["--agent", "openclaw"], environment: environment);
                side = await platform.NextConnectionAsync();
                hold.TrySetResult();
                await side.EventsAsync(word);
                var events = platform.EventsOf(word).DistinctBy(one => (int)one["sequence_number"]!).OrderBy(one => (int)one["sequence_number"]!).ToList();
                Assert.Equal(Enumerable.Range(0, events.Count), events.Select(one => (int)one["sequence_number"]!));
                Assert.True((string)events[^1]["type"]! == "response.completed", events[^1].ToJsonString() + host.Errors + gateway.Log);
                var final = events[^1]["response"]!["output"]!.AsArray().Last(item => (string)item!["type"]! == "message")!;
                Assert.Equal($"answer to {word}", (string)final["content"]![0]!["text"]!);
            }
        }
        finally
        {
            await host.DisposeAsync();
        }
    }

    private static async Task<GatewayProcess> GatewayAsync(FakeModel model, HostProcess host, JsonObject? policy = null)
    {
        var state = Scratch.NewFolder("cbinstaclaw");
        var gateway = GatewayProcess.Configure(
            state, model.Port, InteropLab.CopyPlugin(state), new JsonObject { ["endpoint"] = $"unix:{host.Socket}" }, new JsonObject { ["enabled"] = true });
        var file = Path.Combine(state, "openclaw", "openclaw.json");
        var config = JsonNode.Parse(await File.ReadAllTextAsync(file))!;
        config["tools"]!["alsoAllow"] = new JsonArray("channelbridge");
        config["channels"]!["instaclaw"] = policy ?? new JsonObject { ["enabled"] = true, ["dmPolicy"] = "open", ["allowFrom"] = new JsonArray("*") };
        await File.WriteAllTextAsync(file, config.ToJsonString());
        return gateway;
    }
}
