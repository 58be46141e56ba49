using System.Net.WebSockets;
using System.Text;

namespace ChannelBridge.Tests.Integration;

public sealed class StopTests
{
    [Fact]
    public async Task Sigterm_WithAClientConnected_TellsItAndEndsWithZero()
    {
        await using var host = await HostProcess.StartAsync();
        using var client = new ClientWebSocket();
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        await client.ConnectAsync(host.WebSocketUrl, timeout.Token);
        var stopping = host.StopAsync();
        var buffer = new byte[65_536];
        WebSocketReceiveResult message;
        do message = await client.ReceiveAsync(buffer, timeout.Token);
        while (message.MessageType != WebSocketMessageType.Close);
        Assert.Equal(1012, (int)client.CloseStatus!);
        await client.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, timeout.Token);
        Assert.Equal(0, await stopping);
        Assert.False(File.Exists(host.Socket));
        Assert.False(File.Exists(Path.Combine(host.Data, "host.json")));

        // Closed last and in order: SQLite leaves a write-ahead log only behind a crash.
        Assert.False(File.Exists(Path.Combine(host.Data, "channelbridge.db-wal")));
    }

    [Fact]
    public async Task Sigterm_AClientThatNeverReads_IsNotWaitedForLongerThanTheTimeOut()
    {
        await using var host = await HostProcess.StartAsync(environment: new Dictionary<string, string> { ["CHANNELBRIDGE__LISTEN__STOPTIMEOUT"] = "3s" });
        using var client = new ClientWebSocket();
        await client.ConnectAsync(host.WebSocketUrl, CancellationToken.None);
        Assert.Equal(0, await host.StopAsync());
    }

    [Fact]
    public async Task Stdio_EndOfInput_StopsTheHostAndNothingElseIsOnStandardOutput()
    {
        using var host = HostProcess.Launch(["serve", "--stdio", "--urls", "off", "--socket", "off", "--data", HostProcess.NewDataFolder()]);
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        try
        {
            const string Request = """{"jsonrpc":"2.0","id":7,"method":"diagnostics","params":{"section":"agents"}}""";
            await host.StandardInput.WriteAsync($"Content-Length: {Encoding.UTF8.GetByteCount(Request)}\r\n\r\n{Request}");
            await host.StandardInput.FlushAsync(timeout.Token);
            var header = await host.StandardOutput.ReadLineAsync(timeout.Token);
            Assert.StartsWith("Content-Length: ", header, StringComparison.Ordinal);
            Assert.Equal("", await host.StandardOutput.ReadLineAsync(timeout.Token));
            var body = new char[int.Parse(header!["Content-Length: ".Length..], System.Globalization.CultureInfo.InvariantCulture)];
            await host.StandardOutput.ReadBlockAsync(body, timeout.Token);
            Assert.StartsWith("""{"jsonrpc":"2.0","id":7,"result":{""", new string(body), StringComparison.Ordinal);
            var banner = await HostProcess.ReadBannerAsync(host.StandardError, timeout.Token);
            Assert.Contains("listening: standard input and output", banner, StringComparison.Ordinal);
            host.StandardInput.Close();
            Assert.Equal("", await host.StandardOutput.ReadToEndAsync(timeout.Token));
            await host.WaitForExitAsync(timeout.Token);
            Assert.Equal(0, host.ExitCode);
        }
        finally
        {
            if (!host.HasExited) host.Kill();
        }
    }

    // The end of input may come while the host is still starting: it stops then as at any other time, and that is no fault and no interrupt.
    [Fact]
    public async Task Stdio_EndOfInputBeforeTheHostHasStarted_IsAnOrderlyStop()
    {
        using var host = HostProcess.Launch(["serve", "--stdio", "--urls", "off", "--socket", "off", "--data", HostProcess.NewDataFolder()]);
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        try
        {
            host.StandardInput.Close();
            Assert.Equal("", await host.StandardOutput.ReadToEndAsync(timeout.Token));
            await host.WaitForExitAsync(timeout.Token);
            Assert.Equal(0, host.ExitCode);
        }
        finally
        {
            if (!host.HasExited) host.Kill();
        }
    }

    [Fact]
    public async Task Store_ThatCannotBeOpened_IsAFriendlyMessageAndAnExitCode()
    {
        var data = HostProcess.NewDataFolder();
        await File.WriteAllTextAsync(Path.Combine(data, "channelbridge.db"), new string('x', 8192));
        var result = await HostProcess.RunAsync(["serve", "--urls", "http://127.0.0.1:0", "--data", data]);
        Assert.Equal(5, result.ExitCode);
        Assert.Contains("the store can't be opened", result.Errors, StringComparison.Ordinal);
        Assert.Contains("STORE_CORRUPT", result.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("error: \n   at ", result.Errors, StringComparison.Ordinal);
    }
}
