using System.Diagnostics;
using System.Text.Json.Nodes;
using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>The plugin's package as OpenClaw's own tools see it. Needs no running gateway.</summary>
public sealed class PackageTests
{
    [OpenClawFact]
    public async Task Package_InstalledFromNpmPack_PassesInspectDoctorAuditAndRefusesUnknownSettings()
    {
        if (OpenClawInstallation.Missing is { } reason) Assert.Fail(reason);
        var state = Scratch.NewFolder("cbpackage");
        var gateway = GatewayProcess.Configure(state, model: 1, plugin: null, [], []);
        var archive = await PackAsync(state);
        var (installed, log) = await gateway.CommandAsync("plugins", "install", $"npm-pack:{archive}", "--force", "--accept-capabilities");
        Assert.True(installed == 0, log);
        Assert.DoesNotContain("differs", log, StringComparison.Ordinal);
        ConfigureChannel(state);

        var (_, inspected) = await gateway.CommandAsync("plugins", "inspect", "channelbridge", "--runtime", "--json");
        var inspection = JsonNode.Parse(inspected[inspected.IndexOf('{')..(inspected.LastIndexOf('}') + 1)])!;
        Assert.Equal("loaded", (string?)inspection["plugin"]!["status"]);
        Assert.Equal(["bncr", "instaclaw", "juji", "multiclaws"], inspection["plugin"]!["channelIds"]!.AsArray().Select(id => (string?)id).Order());
        Assert.Empty(inspection["diagnostics"]!.AsArray());
        Assert.Empty(inspection["compatibility"]!.AsArray());

        var (doctorExit, doctor) = await gateway.CommandAsync("plugins", "doctor");
        Assert.True(doctorExit == 0, doctor);
        Assert.Contains("checks passed", doctor, StringComparison.Ordinal);

        var (_, audited) = await gateway.CommandAsync("security", "audit", "--deep");
        Assert.Contains("0 critical", audited, StringComparison.Ordinal);
        Assert.DoesNotContain("code_safety", audited, StringComparison.Ordinal);
        Assert.DoesNotContain("bncr.dm.open", audited, StringComparison.Ordinal);

        foreach (var (path, value) in new[]
        {
            ("channels.bncr.nonsense", "true"),
            ("channels.bncr.dmPolicy", "anyone"),
            ("channels.bncr.accounts.shop.nonsense", "true"),
            ("channels.instaclaw.nonsense", "true"),
            ("channels.instaclaw.dmPolicy", "anyone"),
            ("plugins.entries.channelbridge.config.nonsense", "1"),
        })
        {
            var (exit, refusal) = await gateway.CommandAsync("config", "set", path, value);
            Assert.True(exit != 0, $"{path} was taken: {refusal}");
            Assert.Contains("channelbridge", refusal, StringComparison.Ordinal);
        }
    }

    [OpenClawFact]
    public async Task Package_Installed_IsSetUpByTheCommandLine()
    {
        if (OpenClawInstallation.Missing is { } reason) Assert.Fail(reason);
        var state = Scratch.NewFolder("cbsetup");
        var gateway = GatewayProcess.Configure(state, model: 1, plugin: null, [], []);
        var (installed, log) = await gateway.CommandAsync("plugins", "install", $"npm-pack:{await PackAsync(state)}", "--force", "--accept-capabilities");
        Assert.True(installed == 0, log);

        var (added, said) = await gateway.CommandAsync(
            "channels", "add", "--channel", "bncr", "--account", "shop", "--name", "The shop", "--dm-policy", "open", "--endpoint",
            "ws://127.0.0.1:7788/rpc", "--host-token-file", "/etc/token");
        Assert.True(added == 0, said);
        var config = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(state, "openclaw", "openclaw.json")))!;
        var account = config["channels"]!["bncr"]!["accounts"]!["shop"]!;
        Assert.Equal("The shop", (string?)account["name"]);
        Assert.Equal("*", (string?)account["allowFrom"]![0]);
        Assert.Equal("ws://127.0.0.1:7788/rpc", (string?)config["plugins"]!["entries"]!["channelbridge"]!["config"]!["endpoint"]);

        // A channel that isn't the package's first is not known to that command, and is set up by one of its own.
        var (other, unknown) = await gateway.CommandAsync("channels", "add", "--channel", "instaclaw", "--name", "Ours");
        Assert.True(other != 0, "the gateway's command line knows every channel of a package now: docs/link.md can say so");
        Assert.Contains("Unknown channel", unknown, StringComparison.Ordinal);
        var (set, answer) = await gateway.CommandAsync("config", "set", "channels.instaclaw.enabled", "true");
        Assert.True(set == 0, answer);
        config = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(state, "openclaw", "openclaw.json")))!;
        Assert.True((bool)config["channels"]!["instaclaw"]!["enabled"]!);

        var (plain, refused) = await gateway.CommandAsync("channels", "add", "--channel", "bncr", "--endpoint", "ws://host.example/rpc");
        Assert.True(plain != 0, refused);
        Assert.Contains("expected wss://", refused, StringComparison.Ordinal);

        // The host that the gateway starts takes the place of the one that it connects to.
        var (managed, words) = await gateway.CommandAsync("channels", "add", "--channel", "bncr", "--host-command", "/opt/channelbridge/channelbridge");
        Assert.True(managed == 0, words);
        config = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(state, "openclaw", "openclaw.json")))!["plugins"]!["entries"]!["channelbridge"]!["config"]!;
        Assert.Equal("managed", (string?)config["mode"]);
        Assert.Null(config["endpoint"]);
        Assert.Null(config["tokenFile"]);
    }

    private static async Task<string> PackAsync(string state)
    {
        var start = new ProcessStartInfo("npm", ["pack", "--silent", "--pack-destination", state, OpenClawInstallation.Repository])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = state,
        };
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        var errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, errors);
        return Path.Combine(state, output.Trim().Split('\n')[^1]);
    }

    /// <summary>Configures the channel with its defaults beside what the installation wrote.</summary>
    private static void ConfigureChannel(string state)
    {
        var file = Path.Combine(state, "openclaw", "openclaw.json");
        var config = JsonNode.Parse(File.ReadAllText(file))!;
        config["channels"] = new JsonObject { ["bncr"] = new JsonObject { ["enabled"] = true } };
        File.WriteAllText(file, config.ToJsonString());
    }
}
