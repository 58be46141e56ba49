using System.Diagnostics;
using System.Text.Json;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Supervision;

namespace ChannelBridge.Tests.Plugins;

public sealed class SupervisorTests
{
    private static readonly SupervisorTimes s_short = new()
    {
        Handshake = TimeSpan.FromMinutes(1),
        FirstDelay = TimeSpan.FromMilliseconds(1),
        LongestDelay = TimeSpan.FromMilliseconds(4),
        Heartbeat = TimeSpan.FromMilliseconds(50),
        Silence = TimeSpan.FromMilliseconds(500),
        Stop = TimeSpan.FromMilliseconds(500),
    };

    [Fact]
    public async Task Plugin_Runs_AndStopsWhenAsked()
    {
        await using var plugin = new PythonPlugin(PythonPlugin.Good);
        plugin.Supervisor.Start();
        var status = await plugin.RunsAsync();
        Assert.True(PythonPlugin.IsAlive(status.ProcessId!.Value));
        Assert.True(status.Memory > 0);
        Assert.True((await plugin.Plugin!.CheckHealthAsync(default)).Ok);
        await plugin.Supervisor.StopAsync();
        Assert.Equal(PluginState.Stopped, plugin.Supervisor.Status.State);
        Assert.False(PythonPlugin.IsAlive(status.ProcessId!.Value));
        Assert.DoesNotContain("didn't stop", plugin.Log, StringComparison.Ordinal);
        plugin.Supervisor.Start();
        Assert.Equal(2, (await plugin.RunsAsync()).Starts);
    }

    [Fact]
    public async Task KilledPlugin_IsStartedAgain_AndOpenCallsEndUnavailable()
    {
        await using var plugin = new PythonPlugin("""
            import time
            from channelbridge import Plugin
            plugin = Plugin("test", "1.0.0", channels=["chat"])
            plugin.on("method")(lambda **more: time.sleep(1000))
            plugin.run()
            """);
        plugin.Supervisor.Start();
        var first = await plugin.RunsAsync();
        var open = ChannelBridge.Plugins.Rpc.PluginErrors.TranslateAsync(
            plugin.Plugin!.CallMethodAsync(
                "chat.x", JsonSerializer.SerializeToElement(1), new PluginCaller("a", [], "local", "c"), default));
        var gone = plugin.Gone();
        Process.GetProcessById(first.ProcessId!.Value).Kill();
        var ended = await Assert.ThrowsAsync<ChannelBridge.Abstractions.Errors.BridgeException>(() => open);
        Assert.Equal("UNAVAILABLE", ended.Code);
        Assert.True(ended.Retryable);
        await gone;
        var second = await plugin.RunsAsync();
        Assert.NotEqual(first.ProcessId, second.ProcessId);
        Assert.Contains("exit code 137", second.LastEnd, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("import sys; sys.exit(3)", "it ended before it had answered initialize with exit code 3")]
    [InlineData(
        "print('hello, I am a log line', flush=True); import time; time.sleep(1000)",
        "it ended before it had answered initialize: a header line is 'Name: value'")]
    [InlineData(
        "import sys\nwhile True: sys.stdout.write('x' * 65536)",
        "it ended before it had answered initialize: a message header is larger than")]
    [InlineData(
        "from channelbridge import Plugin; Plugin('test', '2.0.0', channels=['chat']).run()",
        "it is version 2.0.0, the manifest says 1.0.0")]
    [InlineData(
        "from channelbridge import Plugin; Plugin('tset', '1.0.0', channels=['chat']).run()",
        "it says that it is tset, the manifest says test")]
    [InlineData("from channelbridge import Plugin; Plugin('test', '1.0.0', channels=['chat', 'bncr']).run()", "it offers bncr besides")]
    [InlineData("from channelbridge import Plugin; Plugin('test', '1.0.0', channels=[]).run()", "it doesn't offer chat")]
    [InlineData("""
        from channelbridge import Plugin
        plugin = Plugin('test', '1.0.0', channels=['chat'])
        plugin.on('initialize')(lambda hello: {"protocol": 2, "plugin": "test", "version": "1.0.0"})
        plugin.run()
        """, "it speaks version 2 of the plugin protocol, this host 1")]
    public async Task PluginThatCannotBeTaken_IsQuarantinedWithItsReason(string script, string reason)
    {
        await using var plugin = new PythonPlugin(script, times: s_short with { QuarantineStarts = 2 });
        plugin.Supervisor.Start();
        var status = await plugin.ReachesAsync(PluginState.Quarantined);
        Assert.Contains(reason, status.LastEnd, StringComparison.Ordinal);
        Assert.Equal(2, status.Starts);
        Assert.Null(status.ProcessId);
        Assert.Contains("plugins restart test", plugin.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task QuarantinedPlugin_StartsWhenTheOperatorSaysSo()
    {
        await using var plugin = new PythonPlugin("import sys; sys.exit(3)", times: s_short with { QuarantineStarts = 1 });
        plugin.Supervisor.Start();
        await plugin.ReachesAsync(PluginState.Quarantined);
        await File.WriteAllTextAsync(Path.Combine(plugin.Folder, "main.py"), PythonPlugin.Good);
        plugin.Supervisor.Start();
        await plugin.RunsAsync();
    }

    [Theory]
    [InlineData("initialize", "it didn't answer initialize within")]
    [InlineData("start", "it didn't answer start within")]
    [InlineData("health", "it didn't answer for 0.5 s")]
    public async Task PluginThatHangs_IsEnded(string method, string reason)
    {
        var times = s_short with { QuarantineStarts = 1 };
        // What starts has to come up first: an interpreter may take its time.
        if (method != "health") times = times with { Handshake = method == "start" ? TimeSpan.FromSeconds(10) : TimeSpan.FromMilliseconds(500) };
        await using var plugin = new PythonPlugin(
            $"""
            import time
            from channelbridge import Plugin
            plugin = Plugin("test", "1.0.0", channels=["chat"])
            plugin.on("{method}")(lambda **more: time.sleep(1000))
            plugin.run()
            """,
            times: times);
        plugin.Supervisor.Start();
        var status = await plugin.ReachesAsync(PluginState.Quarantined);
        Assert.Contains(reason, status.LastEnd, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PluginThatTakesTooMuchMemory_IsEnded()
    {
        await using var plugin = new PythonPlugin(
            PythonPlugin.Good.Replace("plugin.run()", "hold = b'x' * (200 << 20)\nplugin.run()", StringComparison.Ordinal),
            new PluginOptions { MaxMemory = 100 << 20 },
            s_short with { QuarantineStarts = 1, Silence = TimeSpan.FromMinutes(1) });
        plugin.Supervisor.Start();
        Assert.Contains("Plugins:test:MaxMemory", (await plugin.ReachesAsync(PluginState.Quarantined)).LastEnd, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PluginWhoseFolderIsFull_IsStoppedInOrder_AndRunsAgainWhenThereIsRoom()
    {
        await using var plugin = new PythonPlugin(
            """
            import os, sys
            from channelbridge import Plugin
            plugin = Plugin("test", "1.0.0", channels=["chat"])
            @plugin.on("start")
            def start(start):
                os.makedirs(os.path.join(plugin.data_folder, "cache"), exist_ok=True)
                if not os.path.exists(os.path.join(plugin.data_folder, "enough")):
                    with open(os.path.join(plugin.data_folder, "cache", "big"), "wb") as file:
                        file.write(bytes(3 << 20))
                return {"accounts": {}}
            plugin.on("stop")(lambda reason: print("asked:", reason, file=sys.stderr, flush=True))
            plugin.run()
            """,
            new PluginOptions { MaxDisk = 1 << 20 },
            s_short with { Silence = TimeSpan.FromMinutes(1), Stop = TimeSpan.FromMinutes(1) });
        plugin.Supervisor.Start();
        var status = await plugin.ReachesAsync(PluginState.Quarantined);
        const string Reason = "its data folder holds 3072 KiB, and 1024 KiB are allowed (Plugins:test:MaxDisk)";
        Assert.Equal((Reason, 1, 3L << 20), (status.LastEnd, status.Starts, status.Disk));
        Assert.Contains($"asked: {Reason}", plugin.Log, StringComparison.Ordinal);

        // Started again with nothing changed, it isn't.
        var said = plugin.Log.Split("plugins restart test").Length;
        plugin.Supervisor.Start();
        await Wait.UntilAsync(() => plugin.Log.Split("plugins restart test").Length == said + 1, "the second refusal");
        Assert.Equal(1, plugin.Supervisor.Status.Starts);
        File.Delete(Path.Combine(plugin.Folder, "data", "cache", "big"));
        await File.WriteAllTextAsync(Path.Combine(plugin.Folder, "data", "enough"), "");
        await Wait.UntilAsync(() =>
        {
            plugin.Supervisor.Start();
            return plugin.Supervisor.Status.Starts == 2;
        }, "the next start");
        await plugin.RunsAsync();
    }

    [Fact]
    public async Task PluginThatDoesNotStop_IsKilled_WithItsChildren()
    {
        await using var plugin = new PythonPlugin(
            """
            import os, signal, subprocess, time
            from channelbridge import Plugin
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            child = subprocess.Popen(["sleep", "1000"])
            plugin = Plugin("test", "1.0.0", channels=["chat"])
            plugin.on("health")(lambda: {"ok": True, "detail": str(child.pid)})
            plugin.on("stop")(lambda **more: time.sleep(1000))
            plugin.run()
            time.sleep(1000)
            """,
            times: s_short with { Silence = TimeSpan.FromMinutes(1) });
        plugin.Supervisor.Start();
        var status = await plugin.RunsAsync();
        var child = int.Parse((await plugin.Plugin!.CheckHealthAsync(default)).Detail!);
        await plugin.Supervisor.StopAsync();
        Assert.False(PythonPlugin.IsAlive(status.ProcessId!.Value));
        // It was killed, and dies when it is its turn.
        await Wait.UntilAsync(() => !PythonPlugin.IsAlive(child), "the child's end");
        Assert.Contains("was ended", plugin.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Environment_IsClean_AndSecretsOfSettingsAreMasked()
    {
        Environment.SetEnvironmentVariable("CHANNELBRIDGE_TEST_SECRET", "of the host");
        Environment.SetEnvironmentVariable("CHANNELBRIDGE_TEST_LET", "let through");
        await using var plugin = new PythonPlugin(
            """
            import os, sys
            from channelbridge import Plugin
            plugin = Plugin("test", "1.0.0", channels=["chat"])
            @plugin.on("start")
            def start(start):
                print("password", start["settings"]["password"], file=sys.stderr)
                print("environment", " ".join(sorted(os.environ)), "data", os.path.isdir(plugin.data_folder), file=sys.stderr, flush=True)
                return {"accounts": {}}
            plugin.run()
            """,
            new PluginOptions { Environment = ["CHANNELBRIDGE_TEST_LET"] },
            settings: """{"password":"hunter2-hunter2"}""");
        plugin.Supervisor.Start();
        await plugin.RunsAsync();
        await plugin.Supervisor.StopAsync();
        Assert.Contains("[test] password ***", plugin.Log, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", plugin.Log, StringComparison.Ordinal);
        Assert.Contains("CHANNELBRIDGE_TEST_LET", plugin.Log, StringComparison.Ordinal);
        Assert.Contains("data True", plugin.Log, StringComparison.Ordinal);
        Assert.DoesNotContain("CHANNELBRIDGE_TEST_SECRET", plugin.Log, StringComparison.Ordinal);
    }
}
