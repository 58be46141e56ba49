using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Channels.Bncr;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Testing;
using ChannelBridge.Tests.Irc;

namespace ChannelBridge.Tests.Plugins;

/// <summary>The compliance suite over channels with a platform of their own: bncr, the sample in Node, and the sample for IRC with a real server.</summary>
public sealed class ComplianceOfChannelsTests
{
    public static TheoryData<string> OfBncr => [.. ChannelCompliance.Checks.Except(["settings"])];

    [Theory]
    [MemberData(nameof(OfBncr))]
    public async Task BncrInsideTheHost_Passes(string check)
    {
        await using var platform = new BncrPlatform();
        await using var host = ChannelHost.Around(
            Scratch.NewFolder("comply"), (bridge, _) => bridge.AddBncr(bncr => bncr.AllowUnknownTargets = true), doors: true);
        Assert.True(await new ChannelCompliance(host, platform).RunAsync(check));
    }

    [Theory]
    [InlineData("restart")]
    [InlineData("order")]
    [InlineData("hostile")]
    public async Task NodeSample_Passes(string check)
    {
        await using var platform = new NodePlatform();
        await using var host = ChannelHost.AroundPlugin(Scratch.NewFolder("comply"), Path.Combine(PythonPlugin.Samples(), "plugin-node"), doors: true);
        Assert.True(await new ChannelCompliance(host, platform).RunAsync(check));
    }

    [Theory]
    [InlineData("restart")]
    [InlineData("order")]
    [InlineData("hostile")]
    [InlineData("settings")]
    public async Task IrcSample_Passes(string check)
    {
        await using var server = await IrcServer.StartAsync();
        await using var platform = new IrcPlatform(server, "cbot");
        var sample = Path.Combine(PythonPlugin.Samples(), "plugin-csharp-irc", "bin", HostedPluginTests.Configuration, "net10.0");
        await using var host = ChannelHost.AroundPlugin(Scratch.NewFolder("comply"), sample, JsonSerializer.SerializeToElement(
            new { server = "127.0.0.1", port = server.Port, tls = false, nick = "cbot" }));
        Assert.True(await new ChannelCompliance(host, platform).RunAsync(check));
    }

    /// <summary>Guards the check itself: a plugin that runs with settings that it says it can't use, and one whose schema says nothing.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task SettingsThatAreTaken_AreFoundOut(bool hasSchema)
    {
        var source = HostedPluginTests.Write("good", PythonPlugin.Good.Replace("test", "good", StringComparison.Ordinal).Replace("chat", "good", StringComparison.Ordinal));
        if (hasSchema)
        {
            var file = Path.Combine(source, PluginManifest.FileName);
            var manifest = JsonNode.Parse(await File.ReadAllTextAsync(file))!;
            manifest["settings"] = JsonNode.Parse("""{"type":"object","properties":{"server":{"type":"string"}}}""");
            await File.WriteAllTextAsync(file, manifest.ToJsonString());
        }

        await using var host = ChannelHost.AroundPlugin(Scratch.NewFolder("comply"), source);
        var platform = new PickyPlatform(hasSchema ? [JsonSerializer.SerializeToElement(new { server = "nowhere" })] : []);
        var suite = new ChannelCompliance(host, platform);
        if (!hasSchema) Assert.False(await suite.RunAsync("settings"));
        else Assert.Contains("nowhere", (await Assert.ThrowsAsync<ComplianceException>(() => suite.RunAsync("settings"))).Message, StringComparison.Ordinal);
    }

    private sealed class PickyPlatform(IReadOnlyList<JsonElement> bad) : IPlatform
    {
        public string Channel => "good";

        public string Account => "Main";

        public PlatformTraits Traits => PlatformTraits.None;

        public IReadOnlyList<JsonElement> BadSettings => bad;

        public IReadOnlyList<PlatformMessage> Heard => [];

        public Task AttachAsync(ChannelHost host, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task SayAsync(string conversation, string id, string text, CancellationToken cancellationToken) => Task.CompletedTask;

        public void RefuseNext(bool forGood)
        {
        }

        public void Block(bool blocked)
        {
        }
    }
}
