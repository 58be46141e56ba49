using System.Formats.Tar;
using System.IO.Compression;
using System.Text.Json.Nodes;
using ChannelBridge.Tests.Integration;
using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>
/// The plugin of the version before, as an installation has it (<c>VersionBefore/plugin.tar.gz</c>), in the real gateway with this host: who upgrades the
/// host first goes on, and is told that the plugin is old.
/// </summary>
[Collection(PackagesCollection.Name)]
public sealed class PluginBeforeTests
{
    [OpenClawFact]
    public async Task PluginOfTheVersionBefore_ABridgesMessage_IsAnsweredThroughThisHost()
    {
        await using var model = await FakeModel.StartAsync();
        await using var host = await HostProcess.StartAsync(arguments: ["--agent", "openclaw"]);
        var state = Scratch.NewFolder("cbbefore");
        var plugin = Directory.CreateDirectory(Path.Combine(state, "plugin")).FullName;
        var archive = Path.Combine(OpenClawInstallation.Repository, "tests", "ChannelBridge.Tests.Interop", "VersionBefore", "plugin.tar.gz");
        await using (var file = File.OpenRead(archive))
        await using (var content = new GZipStream(file, CompressionMode.Decompress))
        {
            await TarFile.ExtractToDirectoryAsync(content, plugin, overwriteFiles: true);
        }

        await using var gateway = GatewayProcess.Configure(
            state,
            model.Port,
            plugin,
            new JsonObject { ["endpoint"] = $"unix:{host.Socket}" },
            new JsonObject { ["enabled"] = true, ["dmPolicy"] = "open", ["allowFrom"] = new JsonArray("*") });
        await gateway.StartAsync();
        await using var bridge = await BncrClient.ConnectAsync(gateway.Url, GatewayProcess.Token);
        await bridge.AcceptedAsync("anna", "please ask:the-old-plugin now", "before-1");
        Assert.Equal("answer to the-old-plugin", (string?)(await bridge.PushAsync("anna"))["message"]!["msg"]);
    }
}
