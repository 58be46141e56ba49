namespace ChannelBridge.Tests.Integration;

/// <summary><c>channelbridge store</c> beside a running host and without one.</summary>
public sealed class StoreCommandTests
{
    [Fact]
    public async Task Store_BesideARunningHost_ChecksBacksUpAndMoves()
    {
        var files = HostProcess.NewDataFolder();
        string File(string name) => Path.Combine(files, name);
        await using (var host = await HostProcess.StartAsync())
        {
            Assert.Equal(0, (await RunAsync("check", "--data", host.Data)).ExitCode);
            Assert.Equal(0, (await RunAsync("backup", File("backup.db"), "--data", host.Data)).ExitCode);
            AssertOwnerOnly(File("backup.db"));
            var again = await RunAsync("backup", File("backup.db"), "--data", host.Data);
            Assert.Equal(8, again.ExitCode);
            Assert.Contains("isn't overwritten", again.Errors, StringComparison.Ordinal);
            Assert.Equal(4, (await RunAsync("compact", "--data", host.Data)).ExitCode);
            Assert.Equal(0, (await RunAsync("export", File("store.jsonl.gz"), "--data", host.Data)).ExitCode);
            AssertOwnerOnly(File("store.jsonl.gz"));
            Assert.Equal(0, await host.StopAsync());
            Assert.Equal(0, (await RunAsync("compact", "--data", host.Data)).ExitCode);
        }

        Assert.Equal(0, (await RunAsync("check", File("backup.db"))).ExitCode);
        Assert.Equal(0, (await RunAsync("import", File("store.jsonl.gz"), "--data", File("moved"))).ExitCode);
        await using (var moved = await HostProcess.StartAsync(File("moved"))) Assert.Equal(0, await moved.StopAsync());

        await using (var file = new FileStream(File("backup.db"), FileMode.Open, FileAccess.ReadWrite))
        {
            file.Position = file.Length / 2 / 8192 * 8192;
            file.Write(Enumerable.Repeat((byte)0xA5, 8192).ToArray());
        }

        var damaged = await RunAsync("check", File("backup.db"));
        Assert.Equal(11, damaged.ExitCode);
        Assert.Contains("damaged", damaged.Output, StringComparison.Ordinal);
        var cut = System.IO.File.ReadAllBytes(File("store.jsonl.gz"));
        System.IO.File.WriteAllBytes(File("cut.jsonl.gz"), cut[..^20]);
        var refused = await RunAsync("import", File("cut.jsonl.gz"), "--data", File("nothing"));
        Assert.True(refused.ExitCode is 8, $"{refused.ExitCode}: {refused.Errors}");
        Assert.DoesNotContain("   at ", refused.Errors, StringComparison.Ordinal);
    }

    /// <summary>Without options it is the store that a host would open: what the environment or a settings file says is not taken away.</summary>
    [Fact]
    public async Task Store_WithoutOptions_IsTheHostsOwn()
    {
        var data = HostProcess.NewDataFolder();
        var files = HostProcess.NewDataFolder();
        await using (var host = await HostProcess.StartAsync(data)) Assert.Equal(0, await host.StopAsync());
        var environment = new Dictionary<string, string> { ["CHANNELBRIDGE__STORE__DATA"] = data, ["HOME"] = files };

        var export = Path.Combine(files, "store.jsonl");
        var exported = await HostProcess.RunAsync(["store", "export", export], environment: environment);
        Assert.True(exported.ExitCode is 0, exported.Errors);
        Assert.NotEqual(0, new FileInfo(export).Length);

        var state = Path.Combine(files, "state.json");
        await File.WriteAllTextAsync(state, """{"outbox":[],"sessionRoutes":[]}""");
        var imported = await HostProcess.RunAsync(["import", state], environment: environment);
        Assert.True(imported.ExitCode is 0, imported.Errors);
        Assert.False(Directory.Exists(Path.Combine(files, ".channelbridge")));
    }

    private static void AssertOwnerOnly(string path)
    {
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
    }

    private static Task<CommandResult> RunAsync(params string[] arguments) => HostProcess.RunAsync(["store", .. arguments]);
}
