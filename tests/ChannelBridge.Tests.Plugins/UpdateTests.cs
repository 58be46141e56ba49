using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Supervision;

namespace ChannelBridge.Tests.Plugins;

/// <summary>An update whose version is no good: the one before is in use again, and everybody has their answers.</summary>
public sealed class UpdateTests
{
    private const int Count = 40;

    [Theory]
    [InlineData("import sys; sys.exit(3)", "1.1.0", "it ended before it had answered initialize with exit code 3")]
    [InlineData("from channelbridge import Plugin; Plugin('busy', '1.1.0', channels=['other']).run()", "1.1.0", "it offers other besides")]
    [InlineData("import time; time.sleep(1000)", "1.1.0", "it wasn't ready in 4 s")]
    [InlineData("import sys; sys.exit(4)", "1.0.0", "it ended before it had answered initialize with exit code 4")]
    public async Task UpdateThatIsNotReady_GoesBack_AndLosesNothing(string script, string version, string reason)
    {
        // Only where the test waits for its end the time is short: a crowded machine takes longer to start a good one.
        var handshake = reason.Contains("ready", StringComparison.Ordinal) ? TimeSpan.FromSeconds(4) : TimeSpan.FromMinutes(2);
        await using var host = await HostedPlugins.StartAsync(
            times: new SupervisorTimes { Handshake = handshake, Silence = TimeSpan.FromMinutes(2), FirstDelay = TimeSpan.FromMilliseconds(10), QuarantineStarts = 1000 });
        await host.CallAsync("plugins.install", new JsonObject
        {
            ["source"] = HostedPluginTests.Write("busy", HostedPluginTests.Busy.Replace("COUNT", $"{Count}", StringComparison.Ordinal)),
        });
        var before = await host.RunsAsync("busy");
        var data = Path.Combine(host.Folder, "plugin-data", "busy");
        await Wait.UntilAsync(() => PushLog.Read(data).Count > 5, "some pushes");

        var refused = await Assert.ThrowsAsync<BridgeException>(() => host.CallAsync(
            "plugins.update", new JsonObject { ["id"] = "busy", ["source"] = HostedPluginTests.Write("busy", script, version: version) }));
        Assert.Equal(ErrorCodes.Unavailable, refused.Code);
        Assert.StartsWith($"plugin busy {version} wasn't taken, and 1.0.0 is in use again: ", refused.Message, StringComparison.Ordinal);
        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
        Assert.Contains($"Plugin busy {version} wasn't taken: ", host.Errors, StringComparison.Ordinal);
        await host.RunsAsync("busy", not: before);
        var listed = (await host.CallAsync("plugins.list", []))["plugins"]!.AsArray().Single()!;
        Assert.Equal(("1.0.0", "running"), (listed["version"]!.GetValue<string>(), listed["state"]!.GetValue<string>()));
        Assert.Contains(reason, listed["lastUpdate"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Equal(["1.0.0", "state.json"], Directory.GetFileSystemEntries(Path.Combine(host.Folder, "plugins", "busy")).Select(Path.GetFileName).Order());

        List<(string Id, string Route, string Text)> Distinct() => [.. PushLog.Read(data).DistinctBy(push => push.Id)];
        await Wait.UntilAsync(() => Distinct().Count == 3 * Count, "every answer");
        foreach (var route in (string[])["ann", "bob", "cid"])
            Assert.Equal(Enumerable.Range(0, Count), Distinct().Where(push => push.Route == route).Select(push => int.Parse(push.Text.Split(' ')[^1])));

        // The next one that is good is taken.
        await host.CallAsync("plugins.update", new JsonObject
        {
            ["id"] = "busy",
            ["source"] = HostedPluginTests.Write(
                "busy", HostedPluginTests.Busy.Replace("COUNT", "1", StringComparison.Ordinal).Replace("1.0.0", "1.2.0", StringComparison.Ordinal), version: "1.2.0"),
        });
        listed = (await host.CallAsync("plugins.list", []))["plugins"]!.AsArray().Single()!;
        Assert.Equal(("1.2.0", "running"), (listed["version"]!.GetValue<string>(), listed["state"]!.GetValue<string>()));
        Assert.Null(listed["lastUpdate"]);
    }

    [Fact]
    public async Task UpdateThatIsRefused_ChangesNothing()
    {
        await using var host = await HostedPlugins.StartAsync();
        var good = PythonPlugin.Good.Replace("test", "good", StringComparison.Ordinal).Replace("chat", "good", StringComparison.Ordinal);
        await host.CallAsync("plugins.install", new JsonObject { ["source"] = HostedPluginTests.Write("good", good) });
        var process = await host.RunsAsync("good");
        var source = HostedPluginTests.Write("good", PythonPlugin.Good, version: "1.1.0");
        var manifest = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(source, PluginManifest.FileName)))!;
        // A method of the host's own.
        manifest["methods"] = new JsonArray(new JsonObject { ["name"] = "plugins.list", ["scope"] = "operator.read", ["summary"] = "Another list." });
        await File.WriteAllTextAsync(Path.Combine(source, PluginManifest.FileName), manifest.ToJsonString());
        await Assert.ThrowsAsync<ManifestException>(() => host.CallAsync("plugins.install", new JsonObject { ["source"] = source }));
        Assert.Equal(process, await host.RunsAsync("good"));
        Assert.Equal(["1.0.0", "state.json"], Directory.GetFileSystemEntries(Path.Combine(host.Folder, "plugins", "good")).Select(Path.GetFileName).Order());
    }
}
