using System.Diagnostics;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Plugins.Manifest;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Tests.Plugins;

public sealed class HostedPluginTests
{
    private static string Python => Path.Combine(PythonPlugin.Samples(), "plugin-python");

    // Answers by echo, notes what it was pushed, and writes down what the host said to calls that aren't its to make.
    internal const string Busy = """
        import json, os, threading
        from channelbridge import HostError, Plugin
        plugin = Plugin("busy", "1.0.0", channels=["busy"])
        lock = threading.Lock()

        @plugin.on("start")
        def start(start, **more):
            threading.Thread(target=work, daemon=True).start()
            return {"accounts": {"busy": [{"accountId": "Main", "connected": True, "activeConnections": 1}]}}

        def work():
            plugin.call("attach", channel="busy", accountId="Main")
            for number in range(COUNT):
                for who in ("ann", "bob", "cid"):
                    plugin.accept({"channel": "busy", "accountId": "Main", "sessionKey": f"busy:{who}", "route": who, "senderId": who,
                                   "text": f"{number}"}, f"{who}-{number}")
            open(os.path.join(plugin.data_folder, "done"), "w").close()

        @plugin.on("push")
        def push(id, message, **more):
            with lock, open(os.path.join(plugin.data_folder, "pushed"), "a") as log:
                log.write(json.dumps([id, message["route"], message["text"]]) + "\n")
                log.flush()
                os.fsync(log.fileno())
            return {"outcome": "flushed", "ack": plugin.ack_of(id, message)}

        plugin.run()
        """;

    [Fact]
    public async Task PythonSample_IsInstalledIntoARunningHost_Answers_AndGoes()
    {
        await using var host = await HostedPlugins.StartAsync();
        var installed = await host.CallAsync("plugins.install", new JsonObject { ["source"] = Python });
        Assert.Equal("folder-python", installed["plugin"]!["id"]!.GetValue<string>());
        await host.RunsAsync("folder-python");
        var data = Path.Combine(host.Folder, "plugin-data", "folder-python");
        await File.WriteAllTextAsync(Path.Combine(data, "in", "ann.part"), "hello from Ann");
        File.Move(Path.Combine(data, "in", "ann.part"), Path.Combine(data, "in", "ann.txt"));
        await Wait.UntilAsync(() => Directory.GetFiles(Path.Combine(data, "out"), "*.txt").Length == 1, "the answer");
        Assert.Contains(
            "hello from Ann", await File.ReadAllTextAsync(Directory.GetFiles(Path.Combine(data, "out"), "*.txt")[0]),
            StringComparison.Ordinal);
        Assert.Equal(0, (await host.CallAsync("pyfolder.waiting", []))["waiting"]!.GetValue<int>());

        var channel = host.Services.GetRequiredService<IRegistry>().Current.Of<IChannel>().Single(one => one.Id == "pyfolder");
        Assert.Equal("pyfolder:bob", (await channel.ResolveTargetAsync("main", "bob", default)).SessionKey);
        Assert.Equal(ErrorCodes.NotFound, (await Assert.ThrowsAsync<BridgeException>(
            async () => await channel.ResolveTargetAsync("main", "b.b", default))).Code);
        Assert.True(channel.GetAccounts()[0].Connected);

        var listed = (await host.CallAsync("plugins.list", []))["plugins"]!.AsArray();
        Assert.Equal("running", listed.Single()!["state"]!.GetValue<string>());
        await host.CallAsync("plugins.disable", new JsonObject { ["id"] = "folder-python" });
        Assert.Equal("disabled", (await host.CallAsync("plugins.list", []))["plugins"]![0]!["state"]!.GetValue<string>());
        Assert.Empty(host.Services.GetRequiredService<IRegistry>().Current.Of<IChannel>());
        await host.CallAsync("plugins.enable", new JsonObject { ["id"] = "folder-python" });
        await host.RunsAsync("folder-python");
        await host.CallAsync("plugins.remove", new JsonObject { ["id"] = "folder-python" });
        Assert.Empty((await host.CallAsync("plugins.list", []))["plugins"]!.AsArray());
        Assert.True(Directory.Exists(data));
    }

    [Fact]
    public async Task CSharpSample_IsTheSameChannelAsAProcess_AndSurvivesKills()
    {
        var sample = Path.Combine(PythonPlugin.Samples(), "plugin-csharp", "bin", Configuration, "net10.0");
        await using var host = await HostedPlugins.StartAsync();
        await host.CallAsync("plugins.install", new JsonObject { ["source"] = sample });
        var process = await host.RunsAsync("folder-csharp");
        var data = Path.Combine(host.Folder, "plugin-data", "folder-csharp");
        for (var round = 0; round < 3; round++)
        {
            await File.WriteAllTextAsync(Path.Combine(data, $"{round}.part"), $"round {round}");
            File.Move(Path.Combine(data, $"{round}.part"), Path.Combine(data, "in", $"ann{round}.txt"));
            await Wait.UntilAsync(
                () => Directory.GetFiles(Path.Combine(data, "out"), "*.txt").Length == round + 1, $"the answer of round {round}");
            Process.GetProcessById(process).Kill();
            await Wait.UntilAsync(() => !PythonPlugin.IsAlive(process), "the process's end");
            process = await host.RunsAsync("folder-csharp", not: process);
        }

        // It once waited for ever for its own end of the pipe, and each stop took the host's whole patience.
        await host.Room.Units.Single().Supervisor.StopAsync();
        Assert.False(PythonPlugin.IsAlive(process));
        Assert.DoesNotContain("didn't stop when asked", host.Warnings, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PluginKilledUnderLoad_LosesNothing_AndKeepsTheOrder()
    {
        const int Count = 60;
        var source = Write("busy", Busy.Replace("COUNT", $"{Count}", StringComparison.Ordinal));
        await using var host = await HostedPlugins.StartAsync();
        await host.CallAsync("plugins.install", new JsonObject { ["source"] = source });
        var data = Path.Combine(host.Folder, "plugin-data", "busy");
        var random = new Random(14);
        for (var round = 0; round < 5; round++)
        {
            var process = await host.RunsAsync("busy");
            var seen = PushLog.Read(data).Count;
            // A random number of pushes later, wherever it is then.
            var more = random.Next(1, 20);
            await Wait.UntilAsync(() => PushLog.Read(data).Count >= Math.Min(seen + more, 3 * Count), "some pushes");
            Process.GetProcessById(process).Kill();
            await Wait.UntilAsync(() => !PythonPlugin.IsAlive(process), "the process's end");
            // Its end is counted; many in a short time are quarantine, which isn't what is tested here.
            await host.CallAsync("plugins.restart", new JsonObject { ["id"] = "busy" });
        }

        await Wait.UntilAsync(
            () => PushLog.Read(data).Select(push => push.Id).Distinct(StringComparer.Ordinal).Count() == 3 * Count, "every answer");
        foreach (var route in (string[])["ann", "bob", "cid"])
        {
            var first = PushLog.Read(data).Where(push => push.Route == route).DistinctBy(push => push.Id).Select(push => push.Text).ToList();
            Assert.Equal(Enumerable.Range(0, Count), first.Select(text => int.Parse(text.Split(' ')[^1])));
        }
    }

    [Fact]
    public async Task HostThatStartsAgain_StartsItsPlugins_AndWhatWaitedIsPushed()
    {
        var folder = Scratch.NewFolder("host");
        var source = Write("busy", Busy.Replace("COUNT", "5", StringComparison.Ordinal));
        var data = Path.Combine(folder, "plugin-data", "busy");
        await using (var host = await HostedPlugins.StartAsync(folder))
        {
            await host.CallAsync("plugins.install", new JsonObject { ["source"] = source });
            await Wait.UntilAsync(() => PushLog.Read(data).Count > 0, "a push");
        }

        await using (await HostedPlugins.StartAsync(folder))
        {
            await Wait.UntilAsync(
                () => PushLog.Read(data).Select(push => push.Id).Distinct(StringComparer.Ordinal).Count() == 15, "every answer");
        }
    }

    /// <summary>Guards that what was changed on the disk is refused at the start, with its place, and that the others run.</summary>
    [Theory]
    [InlineData("$.colour", "\"id\":\"busy\"", "\"id\":\"busy\",\"colour\":\"red\"")]
    [InlineData("$.channels[0].id", "[{\"id\":\"busy\"}]", "[{\"id\":\"other\"}]")]
    [InlineData("$.protocol", "\"protocol\":1", "\"protocol\":2")]
    [InlineData("$.run.command[0]", "python3", "./isn-t-there")]
    public async Task ManifestChangedOnTheDisk_IsRefusedAtTheStartWithItsPlace_AndTheOthersRun(string place, string before, string after)
    {
        var folder = Scratch.NewFolder("host");
        await using (var host = await HostedPlugins.StartAsync(folder))
        {
            foreach (var id in (string[])["another", "busy"])
            {
                var channel = id == "busy" ? id : "other";
                var script = PythonPlugin.Good.Replace("\"test\"", $"\"{id}\"", StringComparison.Ordinal).Replace("\"chat\"", $"\"{channel}\"", StringComparison.Ordinal);
                await host.CallAsync("plugins.install", new JsonObject { ["source"] = Write(id, script, channel) });
            }
        }

        var manifest = Path.Combine(folder, "plugins", "busy", "1.0.0", PluginManifest.FileName);
        var text = await File.ReadAllTextAsync(manifest);
        Assert.Contains(before, text, StringComparison.Ordinal);
        await File.WriteAllTextAsync(manifest, text.Replace(before, after, StringComparison.Ordinal));
        await using (var host = await HostedPlugins.StartAsync(folder))
        {
            await host.RunsAsync("another");
            Assert.Contains("Plugin busy isn't started: ", host.Errors, StringComparison.Ordinal);
            Assert.Contains(place, host.Errors, StringComparison.Ordinal);
            Assert.Single(host.Room.Units);
        }
    }

    [Fact]
    public async Task CallsForWhatIsNotItsOwn_AreRefusedWithACode()
    {
        var source = Write("nosy", """
            import json, os, threading, time
            from channelbridge import HostError, Plugin
            plugin = Plugin("nosy", "1.0.0", channels=["nosy"])
            message = {"channel": "nosy", "accountId": "Main", "sessionKey": "nosy:a", "route": "a", "senderId": "a", "text": "x"}
            zero = "00000000-0000-0000-0000-000000000001"
            calls = [
                ("accept", dict(message={**message, "channel": "bncr", "sessionKey": "bncr:a"}, key="k", windowMs=1000)),
                ("accept", dict(message={**message, "accountId": "Other"}, key="k", windowMs=1000)),
                ("accept", dict(message={**message, "sessionKey": "bncr:a"}, key="k", windowMs=1000)),
                ("accept", dict(message={**message, "agent": "openclaw"}, key="k", windowMs=1000)),
                ("accept", dict(message=message, key="", windowMs=1000)),
                ("accept", dict(message=message, key="k", windowMs=0)),
                ("accept", dict(message=None, key="k", windowMs=1)),
                ("accept", dict(message=message, key="r", windowMs=1000, records=[{"namespace": "bncr.x", "key": "a", "value": 1}])),
                ("accept", dict(message=message, key="r", windowMs=1000, records=[{"namespace": "nosy.r", "key": "a", "value": 1, "expectedVersion": 0}])),
                ("records.get", dict(ns="nosy.r", key="a")),
                ("accept", dict(message=message, key="r", windowMs=90000, records=[{"namespace": "nosy.r", "key": "a", "value": 7}])),
                ("records.get", dict(ns="nosy.r", key="a")),
                ("accept", dict(message=message, key="r", windowMs=90000, records=[{"namespace": "nosy.r", "key": "a", "value": 8}])),
                ("records.get", dict(ns="nosy.r", key="a")),
                ("ack", dict(ack={"id": zero, "channel": "nosy", "accountId": "Main", "ok": True})),
                ("ack", dict(ack={"id": zero, "channel": "bncr", "accountId": "Main", "ok": True})),
                ("attach", dict(channel="nosy", accountId="Other")),
                ("accounts", dict(channel="bncr", accounts=[])),
                ("records.get", dict(ns="bncr.route", key="a")),
                ("records.write", dict(writes=[{"namespace": "nosyx", "key": "a", "value": 1}])),
                ("records.write", dict(writes=[{"namespace": "nosy.a", "key": "a", "value": {"x": 1}, "expectedVersion": 0}])),
                ("records.write", dict(writes=[{"namespace": "nosy.a", "key": "a", "value": {"x": 2}, "expectedVersion": 0}])),
                ("records.get", dict(ns="nosy.a", key="a")),
                ("logs.append", dict(log="nosy.l", value="one", once="1")),
                ("logs.append", dict(log="nosy.l", value="one", once="1")),
                ("logs.append", dict(log="nosy.l", value={"two": 2})),
                ("logs.read", dict(log="nosy.l", after=1, limit=10)),
                ("logs.append", dict(log="bncr.l", value=1)),
                ("event", dict(name="bncr.joined", payload={})),
                ("diagnostics", dict(section=7)),
            ]
            def work():
                # Before the host has the answer to start, it takes accounts on trust.
                while not os.path.exists(os.path.join(plugin.data_folder, "go")):
                    time.sleep(0.02)
                answers = []
                for name, params in calls:
                    try:
                        answers.append(plugin.call(name, **params))
                    except HostError as error:
                        answers.append(error.code)
                with open(os.path.join(plugin.data_folder, "answers.part"), "w") as file:
                    json.dump(answers, file)
                os.rename(file.name, os.path.join(plugin.data_folder, "answers"))
            @plugin.on("start")
            def start(start, **more):
                plugin.call("accounts", channel="nosy", accounts=[{"accountId": "Main"}])
                threading.Thread(target=work, daemon=True).start()
                return {"accounts": {"nosy": [{"accountId": "Main"}]}}
            plugin.run()
            """);
        await using var host = await HostedPlugins.StartAsync();
        await host.CallAsync("plugins.install", new JsonObject { ["source"] = source });
        await host.RunsAsync("nosy");
        await File.WriteAllTextAsync(Path.Combine(host.Folder, "plugin-data", "nosy", "go"), "");
        var file = Path.Combine(host.Folder, "plugin-data", "nosy", "answers");
        await Wait.UntilAsync(() => File.Exists(file), "the answers");
        var answers = JsonNode.Parse(await File.ReadAllTextAsync(file))!.AsArray().Select(answer => answer?.ToJsonString().Trim('"'))
            .ToList();
        // Records go with an accepted message, and a duplicate writes nothing.
        foreach (var accepted in new[] { 10, 12 })
        {
            Assert.Contains(accepted == 10 ? "\"duplicate\":false" : "\"duplicate\":true", answers[accepted], StringComparison.Ordinal);
            answers[accepted] = "accepted";
        }

        Assert.Equal(
            [
                "FORBIDDEN", "FORBIDDEN", "INVALID_REQUEST", "FORBIDDEN", "INVALID_REQUEST", "INVALID_REQUEST", "INVALID_REQUEST",
                "FORBIDDEN", "INVALID_REQUEST", null, "accepted", Record, "accepted", Record, "known",
                "FORBIDDEN",
                "FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN", """[{"conflict":false,"version":1}]""", """[{"conflict":true,"version":1}]""",
                """{"key":"a","value":{"x":1},"version":1,"expiresAt":0}""", """{"number":1,"duplicate":false}""", """{"number":1,"duplicate":true}""",
                """{"number":2,"duplicate":false}""", """[{"number":2,"value":{"two":2},"expiresAt":0}]""", "FORBIDDEN", "FORBIDDEN", "INVALID_REQUEST",
            ],
            answers);
    }

    [Fact]
    public async Task ChannelOfAnother_IsRefused_AndAnUpdateTakesTheChannelOver()
    {
        await using var host = await HostedPlugins.StartAsync();
        await host.CallAsync(
            "plugins.install", new JsonObject { ["source"] = Write("busy", Busy.Replace("COUNT", "1", StringComparison.Ordinal)) });
        await host.RunsAsync("busy");
        var thief = await Assert.ThrowsAsync<ManifestException>(() => host.CallAsync(
            "plugins.install", new JsonObject { ["source"] = Write("thief", PythonPlugin.Good, channel: "busy") }));
        Assert.Equal("$.channels[0].id", thief.Faults[0].Place);

        var newer = Write(
            "busy", Busy.Replace("COUNT", "2", StringComparison.Ordinal).Replace("1.0.0", "1.1.0", StringComparison.Ordinal),
            version: "1.1.0");
        var updated = await host.CallAsync("plugins.install", new JsonObject { ["source"] = newer });
        Assert.Equal("1.1.0", updated["plugin"]!["version"]!.GetValue<string>());
        await host.RunsAsync("busy");
        var data = Path.Combine(host.Folder, "plugin-data", "busy");
        await Wait.UntilAsync(
            () => PushLog.Read(data).Select(push => push.Id).Distinct(StringComparer.Ordinal).Count() == 6, "the answers of both versions");
        var older = await Assert.ThrowsAsync<BridgeException>(() => host.CallAsync(
            "plugins.install", new JsonObject { ["source"] = Write("busy", PythonPlugin.Good) }));
        Assert.Contains("older than the installed 1.1.0", older.Message, StringComparison.Ordinal);
    }

    private const string Record = """{"key":"a","value":7,"version":1,"expiresAt":0}""";

    internal static string Configuration =>
        AppContext.BaseDirectory.Contains($"{Path.DirectorySeparatorChar}Release{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
            ? "Release" : "Debug";

    internal static string Write(string id, string script, string? channel = null, string version = "1.0.0")
    {
        var folder = Scratch.NewFolder("source");
        File.WriteAllText(Path.Combine(folder, "main.py"), script);
        File.Copy(Path.Combine(Python, "channelbridge.py"), Path.Combine(folder, "channelbridge.py"));
        File.WriteAllText(Path.Combine(folder, PluginManifest.FileName), new JsonObject
        {
            ["id"] = id,
            ["version"] = version,
            ["protocol"] = 1,
            ["channels"] = new JsonArray(new JsonObject { ["id"] = channel ?? id }),
            ["run"] = new JsonObject { ["command"] = new JsonArray("python3", "main.py") },
        }.ToJsonString());
        return folder;
    }
}
