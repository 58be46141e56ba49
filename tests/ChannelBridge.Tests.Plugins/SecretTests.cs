using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Plugins.Hosting;
using ChannelBridge.Plugins.Manifest;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Tests.Plugins;

/// <summary>Secrets of a plugin's settings, which it tells wherever it can.</summary>
public sealed class SecretTests
{
    private const string Password = "hunter2-\"hunter2\"";
    private const int Pin = 48151623;

    private const string Teller = """
        import sys, threading
        from channelbridge import HostError, Plugin
        plugin = Plugin("teller", "1.0.0", channels=["teller"])
        known = {}

        @plugin.on("start")
        def start(start, **more):
            known.update(start["settings"])
            print("it is", known["password"], file=sys.stderr, flush=True)
            threading.Thread(target=tell, daemon=True).start()
            return {"accounts": {"teller": [{"accountId": "Main", "connected": True, "activeConnections": 1}]}}

        def tell():
            plugin.call("log", level="error", text=f"it is {known['password']}")
            plugin.call("diagnostics", section={"told": True, "list": [known["pin"], known["password"]], known["password"]: {"a": f"x{known['password']}x"}})
            plugin.call("attach", channel="teller", accountId="Main")

        @plugin.on("push")
        def push(id, message, **more):
            if message["text"] == "raise":
                raise HostError("FORBIDDEN", f"{known['password']} is refused")
            return {"outcome": "flushed", "ack": {**plugin.ack_of(id, message), "ok": False, "fatal": True, "error": f"{known['password']} is refused"}}

        plugin.run()
        """;

    /// <summary>Guards that they stand in no diagnostics, logs, histories, arguments and environments, and not with its neighbour.</summary>
    [Fact]
    public async Task SecretsThatAPluginTells_AreShownNowhere()
    {
        await using var host = await HostedPlugins.StartAsync(settings: manifest => new PluginSettings
        {
            Settings = manifest.Id == "teller" ? JsonSerializer.SerializeToElement(new { password = Password, pin = Pin }) : null,
        });
        var neighbour = HostedPluginTests.Write("busy", HostedPluginTests.Busy.Replace("COUNT", "1", StringComparison.Ordinal));
        await host.CallAsync("plugins.install", new JsonObject { ["source"] = neighbour });
        await host.CallAsync("plugins.install", new JsonObject { ["source"] = WriteTeller() });
        var processes = new[] { await host.RunsAsync("busy"), await host.RunsAsync("teller") };
        var outbox = host.Services.GetRequiredService<IOutbox>();
        foreach (var text in (string[])["raise", "refuse"])
        {
            await outbox.SendAsync(
                new OutboundMessage { Channel = "teller", AccountId = "Main", SessionKey = "teller:ann", Route = "ann", Text = text }, text);
        }

        await Wait.UntilAsync(() => outbox.GetBacklog("teller", "Main").DeadLetter == 2, "both refusals");
        var shown = new StringBuilder(host.Errors);
        foreach (var source in host.Services.GetRequiredService<IRegistry>().Current.Of<IDiagnosticsSource>())
            shown.Append((await source.CollectAsync(default)).ToJsonString());
        foreach (var method in (string[])["plugins.list", "plugins.show", "plugins.logs"])
            shown.Append(await host.CallAsync(method, method == "plugins.list" ? [] : new JsonObject { ["id"] = "teller" }));
        foreach (var process in processes)
            shown.Append(await File.ReadAllTextAsync($"/proc/{process}/cmdline")).Append(await File.ReadAllTextAsync($"/proc/{process}/environ"));
        foreach (var file in Directory.GetFiles(host.Folder, "messages.db*").Where(file => !file.EndsWith(".lock", StringComparison.Ordinal)))
        {
            // The store is open.
            await using var open = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var reader = new StreamReader(open, Encoding.Latin1);
            shown.Append(await reader.ReadToEndAsync());
        }

        var all = shown.ToString();
        foreach (var told in (string[])["it is ***", "\"told\":true", "x***x", "*** is refused"]) Assert.Contains(told, all, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", all, StringComparison.Ordinal);
        Assert.DoesNotContain($"{Pin}", all, StringComparison.Ordinal);
    }

    private static string WriteTeller()
    {
        var source = HostedPluginTests.Write("teller", Teller);
        var file = Path.Combine(source, PluginManifest.FileName);
        var manifest = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        manifest["settings"] = JsonNode.Parse(
            """{"type":"object","properties":{"password":{"type":"string","secret":true},"pin":{"type":"integer","secret":true}}}""");
        File.WriteAllText(file, manifest.ToJsonString());
        return source;
    }
}
