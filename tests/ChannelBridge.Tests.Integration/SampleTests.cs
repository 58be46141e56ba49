using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace ChannelBridge.Tests.Integration;

/// <summary>The samples, run as a user runs them: two lines in, two answers out; and after a kill of the host in between they go on by themselves.</summary>
public sealed class SampleTests
{
    public static TheoryData<string> Samples => new("node", "python", "csharp");

    [Theory]
    [MemberData(nameof(Samples))]
    public async Task Bridge_LinesIn_AnswersOut(string sample)
    {
        await using var host = await HostProcess.StartAsync();
        using var bridge = Start(sample, host);
        await bridge.StandardInput.WriteAsync("one\ntwo\n");
        bridge.StandardInput.Close();
        await AssertOutputAsync(bridge, "echo: one\necho: two\n");
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public async Task Bridge_HostKilledInBetween_GoesOnWithTheNextOne(string sample)
    {
        var host = await HostProcess.StartAsync();
        using var bridge = Start(sample, host);
        await bridge.StandardInput.WriteAsync("one\n");
        Assert.Equal("echo: one", await bridge.StandardOutput.ReadLineAsync().WaitAsync(HostProcess.Timeout));
        await host.KillAsync();
        await bridge.StandardInput.WriteAsync("two\n");
        bridge.StandardInput.Close();
        await using var next = await HostProcess.StartAsync(host.Data, url: host.Url.AbsoluteUri);
        await AssertOutputAsync(bridge, "echo: two\n");
        await host.DisposeAsync();
    }

    [Fact]
    public async Task Channel_KilledWithAMessageInItsFolder_AnswersAfterItsRestart()
    {
        var folder = Scratch.NewFolder("cbchannel");
        var answers = Path.Combine(folder, "out");
        using (var first = StartChannel(folder))
        {
            Assert.Equal("ready", await first.StandardOutput.ReadLineAsync().WaitAsync(HostProcess.Timeout));
            await PutAsync("alice", "one");
            Assert.Equal(["echo: one"], await AnswersAsync(1));
            first.Kill();
            await first.WaitForExitAsync();
        }

        await PutAsync("alice", "two");
        using var second = StartChannel(folder);
        Assert.Equal(["echo: one", "echo: two"], await AnswersAsync(2));
        second.Kill();
        await second.WaitForExitAsync();
        Directory.Delete(folder, recursive: true);

        async Task PutAsync(string name, string text)
        {
            // Whole at once, as a careful program does it.
            var file = Path.Combine(folder, "in", name);
            await File.WriteAllTextAsync(file + ".part", text);
            File.Move(file + ".part", file + ".txt");
        }

        async Task<IEnumerable<string>> AnswersAsync(int count)
        {
            var deadline = DateTime.UtcNow + HostProcess.Timeout;
            while (Directory.GetFiles(answers, "*.txt").Length < count && DateTime.UtcNow < deadline) await Task.Delay(50);
            return Directory.GetFiles(answers, "*.txt").Select(file => File.ReadAllText(file).Trim()).Order(StringComparer.Ordinal);
        }
    }

    private static Process StartChannel(string folder, [CallerFilePath] string here = "")
    {
        var samples = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "samples"));
        var output = Path.GetRelativePath(Path.Combine(samples, "..", "tests", "ChannelBridge.Tests.Integration"), AppContext.BaseDirectory);
        var program = Path.Combine(samples, "channel-csharp", output, "channel-csharp.dll");
        return Process.Start(new ProcessStartInfo("dotnet", [program, folder]) { RedirectStandardOutput = true, UseShellExecute = false })!;
    }

    private static async Task AssertOutputAsync(Process bridge, string expected)
    {
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        try
        {
            var errors = bridge.StandardError.ReadToEndAsync(timeout.Token);
            var output = await bridge.StandardOutput.ReadToEndAsync(timeout.Token);
            await bridge.WaitForExitAsync(timeout.Token);
            Assert.True(bridge.ExitCode == 0, await errors);
            Assert.Equal(expected, output.ReplaceLineEndings("\n"));
        }
        finally
        {
            if (!bridge.HasExited) bridge.Kill();
        }
    }

    private static Process Start(string sample, HostProcess host, [CallerFilePath] string here = "")
    {
        var samples = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "samples"));
        var token = Path.Combine(host.Data, "token");
        var output = Path.GetRelativePath(Path.Combine(samples, "..", "tests", "ChannelBridge.Tests.Integration"), AppContext.BaseDirectory);
        string[] command = sample switch
        {
            // Node 20 has the WebSocket client behind a flag; later versions ignore it.
            "node" => [Node(), "--experimental-websocket", Path.Combine(samples, "bridge-node", "bridge.mjs"), host.WebSocketUrl.AbsoluteUri, token],
            "python" => ["python3", Path.Combine(samples, "bridge-python", "bridge.py"), host.Socket],
            _ => ["dotnet", Path.Combine(samples, "bridge-csharp", output, "bridge-csharp.dll"), host.WebSocketUrl.AbsoluteUri, token],
        };
        var start = new ProcessStartInfo(command[0]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (var argument in command[1..]) start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }

    /// <summary>The Node that came with the gateway under test, or the machine's: Debian's own is too old for WebSockets.</summary>
    private static string Node()
    {
        var bundled = Path.Combine(Environment.GetEnvironmentVariable("CHANNELBRIDGE_OPENCLAW") ?? "", "node_modules", ".bin", "node");
        return File.Exists(bundled) ? bundled : "node";
    }
}
