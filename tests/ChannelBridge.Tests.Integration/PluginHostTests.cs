using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace ChannelBridge.Tests.Integration;

/// <summary>Plugins in the host as it is shipped: two processes and a pipe, operated by the command line, killed at any moment.</summary>
public sealed class PluginHostTests
{
    // More of them in the long tests.
    private static readonly int s_rounds = int.TryParse(Environment.GetEnvironmentVariable("CHANNELBRIDGE_PLUGIN_ROUNDS"), out var rounds) ? rounds : 4;
    private static readonly int s_count = Math.Max(40, s_rounds * 5);
    private static readonly string[] s_lanes = ["ann", "bob", "cid"];

    // Accepts the same messages under the same keys at each start, and notes each push on disk before it acks.
    private const string Busy = """
        import json, os, threading
        from channelbridge import HostError, Plugin
        plugin = Plugin("busy", "1.0.0", channels=["busy"])
        lock = threading.Lock()

        @plugin.on("start")
        def start(start, **more):
            with open(os.path.join(plugin.data_folder, "pid.part"), "w") as file:
                file.write(str(os.getpid()))
            os.replace(file.name, os.path.join(plugin.data_folder, "pid"))
            for lane in ("ann", "bob", "cid"):
                threading.Thread(target=work, args=(lane,), daemon=True).start()
            return {"accounts": {"busy": [{"accountId": "Main", "connected": True, "activeConnections": 1}]}}

        def work(lane):
            try:
                plugin.call("attach", channel="busy", accountId="Main")
                for number in range(COUNT):
                    plugin.accept({"channel": "busy", "accountId": "Main", "sessionKey": f"busy:{lane}", "route": lane, "senderId": lane,
                                   "text": f"{number}"}, f"{lane}-{number}")
            except HostError:
                pass  # The host is gone, and this process goes with it.

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
    public async Task SamplesOfTwoLanguages_AreInstalledByTheCommandLine_AnswerAndAreRemoved()
    {
        await using var host = await HostProcess.StartAsync();
        foreach (var (id, folder) in new[] { ("folder-python", Path.Combine(Samples(), "plugin-python")), ("folder-csharp", BuiltSample()) })
        {
            var installed = await PluginsAsync(host, "install", folder);
            Assert.Contains($"{id} 1.0.0: ", installed, StringComparison.Ordinal);
            var data = Path.Combine(host.Data, "plugin-data", id);
            await Wait.UntilAsync(() => Directory.Exists(Path.Combine(data, "in")), "its folders");
            await File.WriteAllTextAsync(Path.Combine(data, "ann.part"), $"hello {id}");
            File.Move(Path.Combine(data, "ann.part"), Path.Combine(data, "in", "ann.txt"));
            await Wait.UntilAsync(() => Directory.Exists(Path.Combine(data, "out")) && Directory.GetFiles(Path.Combine(data, "out"), "*.txt").Length == 1, "the answer");
            Assert.Contains($"hello {id}", await File.ReadAllTextAsync(Directory.GetFiles(Path.Combine(data, "out"), "*.txt")[0]), StringComparison.Ordinal);
        }

        var list = await PluginsAsync(host, "list");
        Assert.Contains("folder-python 1.0.0: running, channels pyfolder", list, StringComparison.Ordinal);
        Assert.Contains("folder-csharp 1.0.0: running, channels folder", list, StringComparison.Ordinal);
        await PluginsAsync(host, "remove", "folder-python");
        Assert.DoesNotContain("folder-python", await PluginsAsync(host, "list"), StringComparison.Ordinal);
        Assert.Equal(0, await host.StopAsync());
        // Without a host: what is on disk.
        Assert.Contains("folder-csharp 1.0.0: stopped", await PluginsAsync(host, "list"), StringComparison.Ordinal);
    }

    /// <summary>The promise: nothing accepted is lost, nothing reordered, and twice only under one id, whichever process dies when.</summary>
    [Fact]
    public async Task PluginAndHostKilledAtRandom_LoseNothing_AndKeepTheOrder()
    {
        var source = WriteBusy();
        var host = await HostProcess.StartAsync();
        var folder = host.Data;
        var data = Path.Combine(folder, "plugin-data", "busy");
        var random = new Random(14);
        try
        {
            await PluginsAsync(host, "install", source);
            for (var round = 0; round < s_rounds && Distinct(data).Count < s_lanes.Length * s_count; round++)
            {
                var seen = PushLog.Read(data).Count;
                var more = random.Next(1, 12);
                await Wait.UntilAsync(() => PushLog.Read(data).Count >= seen + more || Distinct(data).Count == s_lanes.Length * s_count, "some pushes");
                var plugin = int.Parse(await File.ReadAllTextAsync(Path.Combine(data, "pid")), System.Globalization.CultureInfo.InvariantCulture);
                if (round % 3 != 1) Kill(plugin);
                if (round % 3 == 0) continue;
                await host.KillAsync();
                await host.DisposeAsync();
                // A plugin dies with its host, or at the latest by the end of its stdin.
                await Wait.UntilAsync(() => !IsAlive(plugin), "the plugin's end");
                host = await HostProcess.StartAsync(folder);
            }

            await Wait.UntilAsync(() => Distinct(data).Count == s_lanes.Length * s_count, "every answer");
            foreach (var lane in s_lanes)
            {
                var first = Distinct(data).Where(push => push.Route == lane).Select(push => int.Parse(push.Text.Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture));
                Assert.Equal(Enumerable.Range(0, s_count), first);
            }
        }
        finally
        {
            await host.DisposeAsync();
        }
    }

    private static async Task<string> PluginsAsync(HostProcess host, params string[] arguments)
    {
        var result = await HostProcess.RunAsync(["plugins", .. arguments, "--data", host.Data]);
        Assert.True(result.ExitCode == 0, $"plugins {string.Join(' ', arguments)}: {result.Output}{result.Errors}");
        return result.Output;
    }

    private static List<(string Id, string Route, string Text)> Distinct(string data) => [.. PushLog.Read(data).DistinctBy(push => push.Id)];

    private static void Kill(int process)
    {
        try
        {
            using var found = Process.GetProcessById(process);
            found.Kill();
        }
        catch (ArgumentException)
        {
            // The supervisor has ended it already.
        }
    }

    private static bool IsAlive(int process)
    {
        try
        {
            return !File.ReadAllText($"/proc/{process}/stat").Split(") ")[^1].StartsWith('Z');
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static string WriteBusy()
    {
        var folder = Scratch.NewFolder("cbplugin");
        File.WriteAllText(Path.Combine(folder, "main.py"), Busy.Replace("COUNT", $"{s_count}", StringComparison.Ordinal));
        File.Copy(Path.Combine(Samples(), "plugin-python", "channelbridge.py"), Path.Combine(folder, "channelbridge.py"));
        File.WriteAllText(
            Path.Combine(folder, "channelbridge.plugin.json"),
            """{"id":"busy","version":"1.0.0","protocol":1,"channels":[{"id":"busy"}],"run":{"command":["python3","main.py"]}}""");
        return folder;
    }

    private static string BuiltSample() => Path.Combine(
        Samples(), "plugin-csharp",
        Path.GetRelativePath(Path.Combine(Samples(), "..", "tests", "ChannelBridge.Tests.Integration"), AppContext.BaseDirectory));

    private static string Samples([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "samples"));
}
