using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Integration;

/// <summary><c>serve --stdio</c>: the protocol and nothing else on standard output, and the end of input stops the host.</summary>
public sealed class StdioTests
{
    [Fact]
    public async Task Stdio_ListenerOff_SpeaksJsonRpcAndOpensNoPort()
    {
        var data = HostProcess.NewDataFolder();
        using var host = HostProcess.Launch(["serve", "--urls", "off", "--stdio", "--data", data]);
        try
        {
            using var timeout = new CancellationTokenSource(HostProcess.Timeout);
            var ping = """{"jsonrpc":"2.0","id":"p","method":"ping","params":{}}""";
            var discover = """{"jsonrpc":"2.0","id":"d","method":"rpc.discover"}""";
            await host.StandardInput.WriteAsync($"Content-Length: {ping.Length}\r\n\r\n{ping}Content-Length: {discover.Length}\r\n\r\n{discover}");
            await host.StandardInput.FlushAsync();

            var answers = new[] { await ReceiveAsync(host), await ReceiveAsync(host) };
            Assert.True((bool)answers.Single(answer => (string?)answer["id"] == "p")["result"]!["pong"]!);
            Assert.NotEmpty(answers.Single(answer => (string?)answer["id"] == "d")["result"]!["methods"]!.AsArray());

            Assert.DoesNotContain("listening: http", await HostProcess.ReadBannerAsync(host.StandardError, timeout.Token), StringComparison.Ordinal);
            host.StandardInput.Close();
            await host.WaitForExitAsync(timeout.Token);
            Assert.Equal(0, host.ExitCode);
            Assert.Equal("", await host.StandardOutput.ReadToEndAsync(timeout.Token));
        }
        finally
        {
            if (!host.HasExited) host.Kill();
        }
    }

    [Fact]
    public async Task Managed_EndOfInput_StopsTheHostInOrderAndNeverShowsTheToken()
    {
        var data = HostProcess.NewDataFolder();
        using var host = HostProcess.Launch(["serve", "--urls", "off", "--managed", "--data", data]);
        try
        {
            using var timeout = new CancellationTokenSource(HostProcess.Timeout);
            var errors = host.StandardError.ReadToEndAsync(timeout.Token);
            var output = await HostProcess.ReadBannerAsync(host.StandardOutput, timeout.Token);

            // What the parent writes means nothing; only the end of it counts.
            await host.StandardInput.WriteLineAsync("hello");
            host.StandardInput.Close();
            await host.WaitForExitAsync(timeout.Token);
            Assert.Equal(0, host.ExitCode);
            var token = (await File.ReadAllTextAsync(Path.Combine(data, "token"), timeout.Token)).Trim();
            Assert.DoesNotContain(token, output + await errors, StringComparison.Ordinal);
            Assert.False(File.Exists(Path.Combine(data, "host.json")), "a graceful stop leaves no host.json");
        }
        finally
        {
            if (!host.HasExited) host.Kill();
        }
    }

    private static async Task<JsonNode> ReceiveAsync(Process host)
    {
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        var output = host.StandardOutput.BaseStream;
        var header = new StringBuilder();
        var one = new byte[1];
        while (!header.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            await output.ReadExactlyAsync(one, timeout.Token);
            header.Append((char)one[0]);
            Assert.StartsWith("Content-Length: "[..Math.Min(header.Length, 16)], header.ToString(), StringComparison.Ordinal);
        }

        var body = new byte[int.Parse(header.ToString()["Content-Length: ".Length..].Trim())];
        await output.ReadExactlyAsync(body, timeout.Token);
        return JsonNode.Parse(body)!;
    }
}
