using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Testing;
using FolderSample;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Tests.Plugins;

/// <summary>The compliance suite over the samples, inside a host and as processes, and over channels that lie.</summary>
public sealed class ComplianceTests
{
    private const PlatformTraits Everything = PlatformTraits.Repeats | PlatformTraits.Refuses | PlatformTraits.Blocks;

    public static TheoryData<string> Checks => [.. ChannelCompliance.Checks];

    // A host's own channel has no manifest that says what it takes.
    public static TheoryData<string> InsideAHost => [.. ChannelCompliance.Checks.Except(["settings"])];

    // Those that a folder can do.
    public static TheoryData<string> OfFolders => [.. ChannelCompliance.Checks.Except(["refuse", "retry", "backPressure", "settings"])];

    [Theory]
    [MemberData(nameof(InsideAHost))]
    public async Task ChannelInsideTheHost_Passes(string check)
    {
        var platform = new LoopPlatform();
        await using var host = ChannelHost.Around(Scratch.NewFolder("comply"), (bridge, _) => AddLoop(bridge, platform));
        Assert.True(await new ChannelCompliance(host, platform).RunAsync(check));
    }

    [Theory]
    [MemberData(nameof(OfFolders))]
    public async Task CSharpSampleInsideTheHost_Passes(string check)
    {
        await using var host = ChannelHost.Around(Scratch.NewFolder("comply"), (bridge, folder) =>
        {
            bridge.Services.AddSingleton(Options.Create(new FolderOptions { Path = folder }));
            bridge.AddChannel<FolderChannel>();
        });
        Assert.True(await new ChannelCompliance(host, new FolderPlatform("folder", "main", '.', PlatformTraits.Repeats)).RunAsync(check));
    }

    [Theory]
    [InlineData("accept")]
    [InlineData("duplicate")]
    [InlineData("restart")]
    [InlineData("hostile")]
    [InlineData("stopWhileBusy")]
    public async Task CSharpSampleAsAProcess_Passes(string check)
    {
        var sample = Path.Combine(PythonPlugin.Samples(), "plugin-csharp", "bin", HostedPluginTests.Configuration, "net10.0");
        await using var host = ChannelHost.AroundPlugin(Scratch.NewFolder("comply"), sample);
        Assert.True(await new ChannelCompliance(host, new FolderPlatform("folder", "main", '.', PlatformTraits.Repeats)).RunAsync(check));
    }

    /// <summary>The sample in Python, with a platform behind it that refuses and blocks when it is told to.</summary>
    [Theory]
    [MemberData(nameof(Checks))]
    public async Task PythonPlugin_Passes(string check)
    {
        await using var host = ChannelHost.AroundPlugin(Scratch.NewFolder("comply"), WriteMoody());
        Assert.True(await new ChannelCompliance(host, new FolderPlatform("pyfolder", "Main", '-', Everything)).RunAsync(check));
    }

    /// <summary>Guards the suite itself: a channel that lies doesn't pass.</summary>
    [Theory]
    [InlineData(LoopPlatform.Lie.AcksWhatIsLost, "accept")]
    [InlineData(LoopPlatform.Lie.ForgetsKeys, "duplicate")]
    [InlineData(LoopPlatform.Lie.NeverAcks, "ack")]
    [InlineData(LoopPlatform.Lie.AnswersTooEarly, "order")]
    public async Task ChannelThatLies_IsFoundOut(object lie, string check)
    {
        var platform = new LoopPlatform((LoopPlatform.Lie)lie);
        await using var host = ChannelHost.Around(Scratch.NewFolder("comply"), (bridge, _) => AddLoop(bridge, platform));
        var suite = new ChannelCompliance(host, platform) { Patience = TimeSpan.FromSeconds(3) };
        await Assert.ThrowsAsync<ComplianceException>(() => suite.RunAsync(check));
    }

    [Fact]
    public async Task PlatformThatCannot_IsNotAsked()
    {
        await using var host = ChannelHost.Around(Scratch.NewFolder("comply"), (_, _) => { });
        var suite = new ChannelCompliance(host, new FolderPlatform("folder", "main", '.', PlatformTraits.None));
        foreach (var check in (string[])["duplicate", "refuse", "retry", "backPressure", "settings"]) Assert.False(await suite.RunAsync(check));
    }

    private static void AddLoop(IChannelBridgeBuilder bridge, LoopPlatform platform)
    {
        bridge.Services.AddSingleton(platform);
        bridge.AddChannel<LoopChannel>();
    }

    private static string WriteMoody()
    {
        var sample = Path.Combine(PythonPlugin.Samples(), "plugin-python");
        var folder = Scratch.NewFolder("source");
        foreach (var name in (string[])["channelbridge.py", PluginManifest.FileName]) File.Copy(Path.Combine(sample, name), Path.Combine(folder, name));
        const string Push = "def push(id, message, **more):\n";
        var script = File.ReadAllText(Path.Combine(sample, "main.py"));
        Assert.Contains(Push, script, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(folder, "main.py"), script.Replace(
            Push,
            Push + """
                if os.path.exists(os.path.join(plugin.data_folder, "block")):
                    return {"outcome": "full"}
                mood = os.path.join(plugin.data_folder, "refuse")
                if os.path.exists(mood):
                    with open(mood, encoding="utf-8") as file:
                        fatal = file.read() == "fatal"
                    os.remove(mood)
                    return {"outcome": "flushed", "ack": plugin.ack_of(id, message, ok=False, fatal=fatal, error="not now", retryAfterMs=50)}

            """,
            StringComparison.Ordinal));
        return folder;
    }
}
