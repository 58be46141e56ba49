using System.Text.Json.Nodes;
using ChannelBridge.Tests.Platform;

namespace ChannelBridge.Tests.Integration;

/// <summary>The InstaClaw channel in the real host, killed and restarted, before the simulated platform and a model that is as slow as the test wants.</summary>
public sealed class InstaClawTests
{
    [Fact]
    public async Task Host_FromNoProfileToAnAnswer()
    {
        await using var platform = await InstaClawPlatform.StartAsync();
        await using var host = await StartAsync(platform, model: null, registered: false);
        await using var client = new WireClient();
        await client.ConnectAsync(host.WebSocketUrl, host.Token);
        var before = await client.CallAsync("instaclaw.registration.get", []);
        Assert.Contains((string)before["status"]!, new[] { "unregistered", "proposing" });
        Assert.Equal("waiting", (string)before["connection"]!);

        var done = await client.CallAsync("instaclaw.registration.submit", new JsonObject { ["name"] = "Scribe", ["tags"] = new JsonArray("letters") });
        Assert.Equal("registered", (string)done["status"]!);
        var side = await platform.NextConnectionAsync();
        Assert.Equal("secret-of-the-platform-1", side.Headers["x-app-secret"]);
        await side.SendTextAsync("m1", "s1", "hello");
        var events = await side.EventsAsync("m1");
        Assert.Equal("response.created", (string)events[0]["type"]!);
        Assert.Equal("response.completed", (string)events[^1]["type"]!);
        Assert.Equal(32, events[^1]["response"]!.AsObject().Count);

        var profile = Path.Combine(host.Data, ".insta", "config", "profile.json");
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(profile));
        var diagnostics = (await client.CallAsync("diagnostics", new JsonObject { ["section"] = "instaclaw" })).ToJsonString();
        Assert.Contains("\"state\":\"connected\"", diagnostics, StringComparison.Ordinal);
        Assert.Equal(0, await host.StopAsync());
        foreach (var said in new[] { diagnostics, host.Output, host.Errors, done.ToJsonString() }) Assert.DoesNotContain("secret-of-the-platform", said, StringComparison.Ordinal);
        Assert.True(side.SawClose);
    }

    /// <summary>Guards against an accepted message whose answer is lost with the host.</summary>
    [Fact]
    public async Task Host_KilledInTheMiddleOfAnAnswer_GivesTheWholeAnswerAfterTheRestart()
    {
        await using var platform = await InstaClawPlatform.StartAsync();
        await using var model = await SlowModel.StartAsync();
        var host = await StartAsync(platform, model);
        var data = host.Data;
        var side = await platform.NextConnectionAsync();
        await side.SendTextAsync("m1", "s1", "one");
        await side.SendTextAsync("m2", "s1", "two");
        await model.AskedAsync();
        while (!platform.EventsOf("m1").Any(one => (string)one["type"]! == "response.output_text.delta")) await side.NextAsync();
        await host.KillAsync();
        await host.DisposeAsync();

        await using var next = await StartAsync(platform, model, data);
        side = await platform.NextConnectionAsync();
        // The platform delivers again what it has no end of.
        await side.SendTextAsync("m1", "s1", "one");
        await side.SendTextAsync("m2", "s1", "two");
        model.Go.SetResult();
        await side.EventsAsync("m1");
        var all = platform.EventsOf("m1").DistinctBy(one => (int)one["sequence_number"]!).OrderBy(one => (int)one["sequence_number"]!).ToList();
        Assert.Equal(Enumerable.Range(0, all.Count), all.Select(one => (int)one["sequence_number"]!));
        Assert.Equal("response.completed", (string)all[^1]["type"]!);
        Assert.Single(all, one => one["response"]?["status"] is { } status && (string)status! is "failed" or "completed" or "incomplete");
        Assert.Single(all.Select(one => (string?)one["response"]?["id"]).OfType<string>().Distinct());
        // The model says the same again, so its text goes on where it was.
        Assert.Equal(SlowModel.First + SlowModel.Second, string.Concat(all.Select(one => (string?)one["delta"])));

        // The session goes on, and remembers the answer.
        await side.EventsAsync("m2");
        Assert.Equal("response.completed", (string)platform.EventsOf("m2")[^1]["type"]!);
        Assert.Equal(3, model.Requests.Count);
        Assert.Equal(SlowModel.First + SlowModel.Second, (string)model.Requests[2]["messages"]!.AsArray()[^2]!["content"]!);
    }

    /// <summary>Guards against a planned restart that ends accepted messages as failed.</summary>
    [Fact]
    public async Task Host_StoppedInTheMiddleOfAnAnswer_GivesTheWholeAnswerAfterTheRestart()
    {
        await using var platform = await InstaClawPlatform.StartAsync();
        await using var model = await SlowModel.StartAsync();
        var host = await StartAsync(platform, model, null, true, "CHANNELBRIDGE__LIMITS__STOPGRACE=100ms");
        var data = host.Data;
        var side = await platform.NextConnectionAsync();
        await side.SendTextAsync("m1", "s1", "one");
        await model.AskedAsync();
        while (!platform.EventsOf("m1").Any(one => (string)one["type"]! == "response.output_text.delta")) await side.NextAsync();
        Assert.Equal(0, await host.StopAsync());
        await host.DisposeAsync();
        Assert.DoesNotContain(platform.EventsOf("m1"), one => (string)one["type"]! == "response.failed");

        model.Go.SetResult();
        await using var next = await StartAsync(platform, model, data);
        side = await platform.NextConnectionAsync();
        await side.EventsAsync("m1");
        var all = platform.EventsOf("m1").DistinctBy(one => (int)one["sequence_number"]!).OrderBy(one => (int)one["sequence_number"]!).ToList();
        Assert.Equal("response.completed", (string)all[^1]["type"]!);
        Assert.Equal(SlowModel.First + SlowModel.Second, string.Concat(all.Select(one => (string?)one["delta"])));
    }

    [Fact]
    public async Task Broker_LostInTheMiddleOfAnAnswer_TheAnswerGoesOn_AndTheSessionRemembers()
    {
        await using var platform = await InstaClawPlatform.StartAsync();
        await using var model = await SlowModel.StartAsync();
        await using var host = await StartAsync(platform, model);
        var side = await platform.NextConnectionAsync();
        side.DropAfter = 5;
        await side.SendTextAsync("m1", "s1", "one");
        await side.Ended.WaitAsync(HostProcess.Timeout);
        model.Go.SetResult();
        side = await platform.NextConnectionAsync();
        await side.EventsAsync("m1");
        var all = platform.EventsOf("m1").DistinctBy(one => (int)one["sequence_number"]!).OrderBy(one => (int)one["sequence_number"]!).ToList();
        Assert.Equal(Enumerable.Range(0, all.Count), all.Select(one => (int)one["sequence_number"]!));
        Assert.Equal(SlowModel.First + SlowModel.Second, string.Concat(all.Select(one => (string?)one["delta"])));
        Assert.Single(model.Requests);

        await side.SendTextAsync("m2", "s1", "two");
        await side.EventsAsync("m2");
        Assert.Equal(
            ["one", SlowModel.First + SlowModel.Second, "two"],
            model.Requests[1]["messages"]!.AsArray().Where(message => (string)message!["role"]! != "system").Select(message => (string)message!["content"]!));
    }

    [Fact]
    public async Task TwelveAtOnce_TwoAreQueued_ThenOverflow_CancelAndTimeout()
    {
        await using var platform = await InstaClawPlatform.StartAsync();
        await using var model = await SlowModel.StartAsync();
        await using var host = await StartAsync(platform, model, null, true, "MaxQueuedRequests=2", "SDK_REQUEST_TIMEOUT=15000",
            "MAX_CONCURRENT_REQUESTS=10", "INSTACLAW_HEARTBEAT_INTERVAL=1000");
        var side = await platform.NextConnectionAsync();
        for (var i = 0; i < 12; i++) await side.SendTextAsync($"m{i}", $"s{i}", $"text {i}");
        for (var i = 0; i < 10; i++) await model.AskedAsync();
        while (platform.Frames.Count(frame => ((string)frame["data"]!).Contains("\"response.queued\"", StringComparison.Ordinal)) < 2) await side.NextAsync();
        Assert.Equal(10, model.Requests.Count);

        await side.SendTextAsync("m12", "s12", "one too many");
        Assert.Equal("too_many_requests", (string)(await side.EventsAsync("m12"))[^1]["error"]!["code"]!);

        await side.SendControlAsync("c1", new JsonObject { ["action"] = "cancel", ["messageId"] = "m0" });
        Assert.Equal("cancelled", (string)(await side.EventsAsync("m0"))[^1]["error"]!["code"]!);

        // The rest takes too long: each ends with its own time-out, and the model's connections are given up.
        while (Ends(platform) < 13) await side.NextAsync();
        for (var i = 1; i < 12; i++)
        {
            var end = Assert.Single(platform.EventsOf($"m{i}"), one => one["response"]?["status"] is { } status && (string)status! is "failed" or "completed" or "incomplete");
            Assert.Equal("timeout", (string)end["error"]!["code"]!);
        }
    }

    private static int Ends(InstaClawPlatform platform) =>
        platform.Frames.Count(frame => ((string)frame["data"]!).StartsWith("{\"type\":\"response.failed\"", StringComparison.Ordinal));

    private static async Task<HostProcess> StartAsync(
        InstaClawPlatform platform, SlowModel? model, string? data = null, bool registered = true, params string[] settings)
    {
        data ??= HostProcess.NewDataFolder();
        var profile = Path.Combine(data, ".insta", "config", "profile.json");
        if (registered && !File.Exists(profile))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(profile)!);
            await File.WriteAllTextAsync(profile, """{"app_key":"key-0","app_secret":"secret-0","name":"Tester","claw_id":"claw-0"}""");
        }

        var environment = new Dictionary<string, string>
        {
            // The address by the name that the platform's own plugin has for it.
            ["INSTACLAW_WS_URL"] = platform.WsUrl.ToString(),
            ["CHANNELBRIDGE__CHANNELS__INSTACLAW__PROFILEPOLLINTERVAL"] = "100ms",
            ["CHANNELBRIDGE__CHANNELS__INSTACLAW__RECONNECTBASEDELAY"] = "50ms",
        };
        foreach (var setting in settings)
        {
            var (name, value) = (setting.Split('=')[0], setting.Split('=')[1]);
            // Our own names, or those of the platform's plugin as they are.
            environment[name.Contains('_', StringComparison.Ordinal) ? name : "CHANNELBRIDGE__CHANNELS__INSTACLAW__" + name.ToUpperInvariant()] = value;
        }

        string[] arguments = model is null ? [] : ["--agent", $"chat-completions={model.Url}", "--agent-model", "slow"];
        return await HostProcess.StartAsync(data, arguments, environment: environment);
    }
}
