using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Messaging;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Tests.Plugins;

/// <summary>Plugins that misbehave as real processes, beside one that doesn't: it goes on as if nothing had been.</summary>
public sealed class BadPluginTests
{
    private const long MostMemory = 128L << 20;

    // What it does wrong, it does when the host's test says so.
    private const string Frame = """
        import json, os, threading, time
        from channelbridge import HostError, Plugin
        plugin = Plugin("bad", "1.0.0", channels=["bad"])

        def said(text):
            with open(os.path.join(plugin.data_folder, "said.part"), "w") as file:
                file.write(text)
            os.replace(file.name, os.path.join(plugin.data_folder, "said"))

        def raw(message):
            body = json.dumps(message).encode()
            return b"Content-Length: %d\r\n\r\n" % len(body) + body

        def work():
            while not os.path.exists(os.path.join(plugin.data_folder, "go")):
                time.sleep(0.02)
            try:
                wrong()
            except (BrokenPipeError, HostError) as error:
                pass

        @plugin.on("start")
        def start(start, **more):
            threading.Thread(target=work, daemon=True).start()
            return {"accounts": {"bad": [{"accountId": "Main", "connected": True, "activeConnections": 1}]}}

        WRONG

        plugin.run()
        """;

    [Theory]
    [InlineData("""
        def wrong():
            os.write(1, b"hello, this is what somebody prints\n\n")
        """, "header")]
    [InlineData("""
        def wrong():
            for block in range(16384):
                os.write(1, b"x" * 65536)
        """, "a message header is larger")]
    [InlineData("""
        def wrong():
            # It reads no more, and asks and asks.
            plugin._read = lambda: threading.Event().wait()
            for number in range(100000):
                plugin._out.write(raw({"jsonrpc": "2.0", "id": number + 1000, "method": "records.get", "params": {"ns": "bad", "key": "x" * 50}}))
            plugin._out.flush()
        """, "the other end doesn't read")]
    public async Task PluginThatBreaksTheProtocol_IsEnded_AndItsNeighbourGoesOn(string wrong, string reason)
    {
        await using var host = await HostedPlugins.StartAsync();
        var before = Environment.WorkingSet;
        await InstallAsync(host, wrong);
        await GoAsync(host);
        await Wait.UntilAsync(async () => (await DescribeAsync(host, "bad"))["lastEnd"] is not null, "the bad one's end");
        Assert.Contains(reason, (await DescribeAsync(host, "bad"))["lastEnd"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.True(Environment.WorkingSet - before < MostMemory, $"the host has taken {(Environment.WorkingSet - before) >> 20} MiB");
        await NeighbourAnswersAsync(host);
    }

    [Fact]
    public async Task PluginThatAnswersTwice_IsCounted_AndRunsOn()
    {
        await using var host = await HostedPlugins.StartAsync();
        await InstallAsync(host, """
            @plugin.on("formatTarget")
            def format(channel, sessionKey, route):
                return route

            def wrong():
                for number in range(3):
                    os.write(1, raw({"jsonrpc": "2.0", "id": 1, "result": {"ok": True}}))
                said(json.dumps(plugin.call("records.get", ns="bad", key="none")))
            """);
        await GoAsync(host);
        await SaidAsync(host);
        var bad = await DescribeAsync(host, "bad");
        Assert.Equal(("running", 3L), (bad["state"]!.GetValue<string>(), bad["dropped"]!.GetValue<long>()));
        await NeighbourAnswersAsync(host);
    }

    [Fact]
    public async Task MessageOfAPluginThatNeverAcks_Waits_AndNobodyElseCanAckIt()
    {
        await using var host = await HostedPlugins.StartAsync();
        await InstallAsync(host, """
            def wrong():
                neighbour = open(os.path.join(plugin.data_folder, "go")).read()
                results = []
                for channel in ("bad", "pyfolder"):
                    try:
                        results.append(plugin.call("ack", ack={"id": neighbour, "channel": channel, "accountId": "Main", "ok": True}))
                    except HostError as error:
                        results.append(error.code)
                plugin.call("attach", channel="bad", accountId="Main")
                said(json.dumps(results))

            pushes = []
            @plugin.on("push")
            def push(id, **more):
                pushes.append(id)
                said(str(len(pushes)))
                return {"outcome": "flushed"}
            """);
        var outbox = host.Services.GetRequiredService<IOutbox>();
        // The neighbour's message, which waits because the neighbour is gone.
        await host.CallAsync("plugins.disable", new JsonObject { ["id"] = "folder-python" });
        var waiting = await outbox.SendAsync(Message("pyfolder", "ann"), "k1");
        await GoAsync(host, waiting.Id.ToString());
        Assert.Equal("""["known", "FORBIDDEN"]""", await SaidAsync(host));
        Assert.Equal(1, outbox.GetBacklog("pyfolder", "Main").Pending);
        await host.CallAsync("plugins.enable", new JsonObject { ["id"] = "folder-python" });
        await Wait.UntilAsync(() => outbox.GetBacklog("pyfolder", "Main").Pending == 0, "the neighbour's message");

        // What is never acked waits, and only its own conversation with it.
        File.Delete(Path.Combine(Data(host), "said"));
        await outbox.SendAsync(Message("bad", "ann"), "k2");
        Assert.Equal("1", await SaidAsync(host));
        Assert.Equal(1, outbox.GetBacklog("bad", "Main").Pending);
        await NeighbourAnswersAsync(host);
    }

    private static OutboundMessage Message(string channel, string who) =>
        new() { Channel = channel, AccountId = "Main", SessionKey = $"{channel}:{who}", Route = who, Text = "hello" };

    private static async Task InstallAsync(HostedPlugins host, string wrong)
    {
        await host.CallAsync("plugins.install", new JsonObject { ["source"] = Path.Combine(PythonPlugin.Samples(), "plugin-python") });
        await host.RunsAsync("folder-python");
        await host.CallAsync("plugins.install", new JsonObject { ["source"] = HostedPluginTests.Write("bad", Frame.Replace("WRONG", wrong, StringComparison.Ordinal)) });
        await host.RunsAsync("bad");
    }

    private static string Data(HostedPlugins host) => Path.Combine(host.Folder, "plugin-data", "bad");

    private static async Task GoAsync(HostedPlugins host, string with = "")
    {
        var part = Path.Combine(Data(host), "go.part");
        await File.WriteAllTextAsync(part, with);
        File.Move(part, Path.Combine(Data(host), "go"));
    }

    private static async Task<string> SaidAsync(HostedPlugins host)
    {
        var file = Path.Combine(Data(host), "said");
        await Wait.UntilAsync(() => File.Exists(file), "what the plugin says");
        return await File.ReadAllTextAsync(file);
    }

    private static async Task<JsonNode> DescribeAsync(HostedPlugins host, string id) =>
        (await host.CallAsync("plugins.list", []))["plugins"]!.AsArray().Single(plugin => plugin!["id"]!.GetValue<string>() == id)!;

    private static async Task NeighbourAnswersAsync(HostedPlugins host)
    {
        var neighbour = await DescribeAsync(host, "folder-python");
        Assert.Equal("running", neighbour["state"]!.GetValue<string>());
        Assert.Null(neighbour["lastEnd"]);
        var data = Path.Combine(host.Folder, "plugin-data", "folder-python");
        var before = Directory.GetFiles(Path.Combine(data, "out"), "*.txt").Length;
        await File.WriteAllTextAsync(Path.Combine(data, "bob.part"), "still there?");
        File.Move(Path.Combine(data, "bob.part"), Path.Combine(data, "in", "bob.txt"));
        await Wait.UntilAsync(() => Directory.GetFiles(Path.Combine(data, "out"), "*.txt").Length == before + 1, "the neighbour's answer");
    }
}
