using System.Diagnostics;
using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using ChannelBridge.Tests.Integration;
using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>The other two ways to a host, through a gateway of their own: the one that the gateway starts, and one behind a WebSocket.</summary>
[Collection(GatewaysCollection.Name)]
[UnsupportedOSPlatform("windows")]
public sealed class EndpointTests
{
    private static JsonObject OpenChannel => new()
    {
        ["enabled"] = true,
        ["dmPolicy"] = "open",
        ["allowFrom"] = new JsonArray("*"),
        ["accounts"] = new JsonObject { ["shop"] = new JsonObject(), ["bar"] = new JsonObject() },
    };

    [OpenClawFact]
    public async Task Managed_OneHostForAllAccounts_LivesAndDiesWithTheGateway()
    {
        if (OpenClawInstallation.Missing is { } reason) Assert.Fail(reason);
        var state = Scratch.NewFolder("cbmanaged");
        var data = Path.Combine(state, "host-data");
        await using var model = await FakeModel.StartAsync();
        await using var gateway = GatewayProcess.Configure(
            state,
            model.Port,
            InteropLab.CopyPlugin(state),
            new JsonObject { ["mode"] = "managed", ["command"] = HostCopy.In(state), ["dataDirectory"] = data },
            OpenChannel);
        await gateway.StartAsync();
        await LinkedAsync(gateway, times: 1);
        var first = HostId(data);
        await SpeaksAsync(gateway, "first");
        Assert.Equal([first], HostsOn(data));

        using (var host = Process.GetProcessById(first)) host.Kill();
        await LinkedAsync(gateway, times: 2);
        await SpeaksAsync(gateway, "restarted");
        var second = HostId(data);
        Assert.NotEqual(first, second);
        Assert.Equal([second], HostsOn(data));

        // kill −9 to the gateway alone: the host sees the end of its input.
        await gateway.KillAsync(withChildren: false);
        await InteropLab.UntilAsync(() => HostsOn(data).Length == 0, "the host outlived a gateway that was killed");

        await gateway.StartAsync();
        await LinkedAsync(gateway, times: 3);
        await SpeaksAsync(gateway, "again", "bar");
        var third = HostId(data);

        // Settings of an account change; the host stays. (Not before the kill: GatewayProcess.KillAsync says why.)
        var (exit, output) = await gateway.CommandAsync("config", "set", "channels.bncr.accounts.shop.name", "The shop");
        Assert.True(exit == 0, output);
        await SpeaksAsync(gateway, "reloaded", "shop");
        Assert.Equal([third], HostsOn(data));

        await gateway.StopAsync();
        await InteropLab.UntilAsync(() => HostsOn(data).Length == 0, "the host outlived a gateway that was stopped");
        Assert.False(File.Exists(Path.Combine(data, "host.json")), "it was stopped in order");
        Assert.DoesNotContain((await File.ReadAllTextAsync(Path.Combine(data, "token"))).Trim(), gateway.Log, StringComparison.Ordinal);
    }

    [OpenClawFact]
    public async Task WebSocketEndpoint_HostKilledAndBack_WorksAsTheSocketDoes()
    {
        if (OpenClawInstallation.Missing is { } reason) Assert.Fail(reason);
        var state = Scratch.NewFolder("cbws");
        await using var model = await FakeModel.StartAsync();
        var host = await HostProcess.StartAsync(arguments: ["--agent", "openclaw", "--socket", "off"]);
        try
        {
            var url = $"http://127.0.0.1:{host.Url.Port}";
            await using var gateway = GatewayProcess.Configure(
                state,
                model.Port,
                InteropLab.CopyPlugin(state),
                new JsonObject { ["endpoint"] = $"ws://127.0.0.1:{host.Url.Port}/rpc", ["tokenFile"] = Path.Combine(host.Data, "token") },
                OpenChannel);
            await gateway.StartAsync();
            await LinkedAsync(gateway, times: 1);
            await SpeaksAsync(gateway, "over-a-websocket");

            await host.KillAsync();
            host = await HostProcess.StartAsync(host.Data, ["--agent", "openclaw", "--socket", "off"], url);
            await LinkedAsync(gateway, times: 2);
            await SpeaksAsync(gateway, "over-the-next-one");
        }
        finally
        {
            await host.DisposeAsync();
        }
    }

    private static async Task SpeaksAsync(GatewayProcess gateway, string word, string account = "Primary")
    {
        await using var bridge = await BncrClient.ConnectAsync(gateway.Url, GatewayProcess.Token, account);
        // A user for each word: an ack that died with its connection makes the message come again.
        await bridge.AcceptedAsync(word, $"ask:{word}", word);
        Assert.Equal($"answer to {word}", (string?)(await bridge.PushAsync(word))["message"]!["msg"]);
    }

    private static Task LinkedAsync(GatewayProcess gateway, int times) => InteropLab.UntilAsync(
        () => gateway.Log.Split("connected to the ChannelBridge host").Length > times, "the plugin isn't linked; the gateway said\n" + gateway.Log);

    private static int HostId(string data) => (int)JsonNode.Parse(File.ReadAllText(Path.Combine(data, "host.json")))!["pid"]!;

    /// <summary>The host processes on a data folder, by their command lines.</summary>
    private static int[] HostsOn(string data)
    {
        var found = new List<int>();
        foreach (var folder in Directory.GetDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), out var id)) continue;
            try
            {
                if (File.ReadAllText(Path.Combine(folder, "cmdline")).Split('\0') is [_, "serve", .. var rest] && rest.Contains(data)) found.Add(id);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                // It has ended meanwhile, or is none of ours.
            }
        }

        return [.. found];
    }
}
