using System.Text.Json.Nodes;
using ChannelBridge.Tests.Integration;
using ChannelBridge.Tests.Interop.Lab;
using ChannelBridge.Tests.Platform;

namespace ChannelBridge.Tests.Interop;

/// <summary>From the InstaClaw platform through the host to the real gateway's agent and back, with the tools that the plugin offers it.</summary>
[Collection(InteropCollection.Name)]
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
        var state = Scratch.NewFolder("cbinstaclaw");
        await using var gateway = GatewayProcess.Configure(
            state, model.Port, InteropLab.CopyPlugin(state), new JsonObject { ["endpoint"] = $"unix:{host.Socket}" }, new JsonObject { ["enabled"] = true });
        var file = Path.Combine(state, "openclaw", "openclaw.json");
        var config = JsonNode.Parse(await File.ReadAllTextAsync(file))!;
        config["tools"]!["alsoAllow"] = new JsonArray("channelbridge");
        await File.WriteAllTextAsync(file, config.ToJsonString());
        await gateway.StartAsync();
        var side = await platform.NextConnectionAsync();

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
}
