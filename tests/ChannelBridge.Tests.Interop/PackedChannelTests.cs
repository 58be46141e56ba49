using System.Formats.Tar;
using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using ChannelBridge.Tests.Integration;
using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>A plugin's channel in the real gateway: <c>channelbridge openclaw pack</c> makes the package, and the gateway's agent answers.</summary>
[Collection(PackagesCollection.Name)]
public sealed class PackedChannelTests
{
    [OpenClawFact]
    public async Task ChannelOfAPlugin_IsTheGatewaysOwn_AndItsAgentAnswers()
    {
        if (OpenClawInstallation.Missing is { } reason) Assert.Fail(reason);
        var state = Scratch.NewFolder("cbpacked");
        var data = Path.Combine(state, "data");
        await RunAsync("plugins", "install", Path.Combine(Samples(), "plugin-python"), "--data", data);
        var archive = Path.Combine(state, "package.tgz");
        var said = await RunAsync("openclaw", "pack", "--out", archive, "--data", data);
        Assert.Contains("openclaw config set channels.pyfolder.enabled true", said, StringComparison.Ordinal);
        await using (var packed = File.OpenRead(archive))
        await using (var plain = new GZipStream(packed, CompressionMode.Decompress))
            await TarFile.ExtractToDirectoryAsync(plain, state, overwriteFiles: false);

        await using var model = await FakeModel.StartAsync();
        await using var host = await HostProcess.StartAsync(data, ["--agent", "openclaw"]);
        var gateway = GatewayProcess.Configure(
            state, model.Port, Path.Combine(state, "package"), new JsonObject { ["endpoint"] = $"unix:{host.Socket}" },
            new JsonObject { ["enabled"] = true, ["dmPolicy"] = "open", ["allowFrom"] = new JsonArray("*") });
        var file = Path.Combine(state, "openclaw", "openclaw.json");
        var config = JsonNode.Parse(await File.ReadAllTextAsync(file))!;
        config["channels"]!["pyfolder"] = new JsonObject { ["enabled"] = true, ["dmPolicy"] = "open", ["allowFrom"] = new JsonArray("*") };
        await File.WriteAllTextAsync(file, config.ToJsonString());
        await using (gateway)
        {
            await gateway.StartAsync();
            var folders = Path.Combine(data, "plugin-data", "folder-python");
            await InteropLab.UntilAsync(() => Directory.Exists(Path.Combine(folders, "in")), "the plugin doesn't run");
            var part = Path.Combine(folders, "ann.part");
            await File.WriteAllTextAsync(part, "ask:tea");
            File.Move(part, Path.Combine(folders, "in", "ann.txt"));
            await InteropLab.UntilAsync(() => Directory.Exists(Path.Combine(folders, "out")) && Directory.GetFiles(Path.Combine(folders, "out"), "*.txt").Length > 0,
                $"no answer; the gateway says:\n{gateway.Log}");
            Assert.Equal("answer to tea", (await File.ReadAllTextAsync(Directory.GetFiles(Path.Combine(folders, "out"), "*.txt")[0])).Trim());
            // Its package is the one that this host was told of, and not an old one.
            var diagnostics = await HostProcess.RunAsync(["diagnostics", "--json", "--data", data]);
            Assert.DoesNotContain("\"package\":\"other\"", diagnostics.Output.Replace(" ", "", StringComparison.Ordinal), StringComparison.Ordinal);
        }
    }

    private static async Task<string> RunAsync(params string[] arguments)
    {
        var result = await HostProcess.RunAsync(arguments);
        Assert.True(result.ExitCode == 0, result.Output + result.Errors);
        return result.Output;
    }

    private static string Samples([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "samples"));
}
