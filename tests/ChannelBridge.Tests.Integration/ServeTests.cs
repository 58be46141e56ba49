using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Integration;

[UnsupportedOSPlatform("windows")]
public sealed class ServeTests
{
    private static readonly HttpClient Http = new() { Timeout = HostProcess.Timeout };

    [Fact]
    public async Task Serve_Started_IsAliveAndReadyAndSaysWhatItIs()
    {
        await using var host = await HostProcess.StartAsync();
        using var alive = await Http.GetAsync(new Uri(host.Url, "/healthz"));
        using var ready = await Http.GetAsync(new Uri(host.Url, "/readyz"));
        Assert.Equal(HttpStatusCode.OK, alive.StatusCode);
        Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
        Assert.Equal("ready", (string?)JsonNode.Parse(await ready.Content.ReadAsStringAsync())!["status"]);
        Assert.Contains("answered by the echo agent: it repeats what you say", host.Output, StringComparison.Ordinal);
        Assert.Contains(host.Data, host.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_FirstStart_MakesTokenOwnerOnly_AndNamesItsFileOnly()
    {
        var data = Path.Combine(HostProcess.NewDataFolder(), "new");
        string token;
        await using (var first = await HostProcess.StartAsync(data))
        {
            token = first.Token;
            Assert.Equal(43, token.Length);
            // Where nobody looks at a terminal, in a journal or a pipe, the secret stays in its file.
            Assert.Contains($"made a token; it is in {Path.Combine(data, "token")}", first.Output, StringComparison.Ordinal);
            Assert.DoesNotContain(token, first.Output, StringComparison.Ordinal);
            Assert.DoesNotContain(token, first.Errors, StringComparison.Ordinal);
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(data, "token")));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(data));
            Assert.Equal(0, await first.StopAsync());
        }

        await using var second = await HostProcess.StartAsync(data);
        Assert.Equal(token, second.Token);
        Assert.DoesNotContain(token, second.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(token, second.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_TokenGiven_WritesItToTheDataFolder()
    {
        await using var host = await HostProcess.StartAsync(arguments: ["--token", "a-token-of-the-test"]);
        Assert.Equal("a-token-of-the-test", host.Token);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(host.Data, "token")));
        Assert.DoesNotContain("a-token-of-the-test", host.Output + host.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_SecondHostOnTheSameData_IsRefused()
    {
        await using var host = await HostProcess.StartAsync();
        var second = await HostProcess.RunAsync(["serve", "--urls", "http://127.0.0.1:0", "--data", host.Data]);
        Assert.Equal(4, second.ExitCode);
        Assert.Contains($"another host (process {host.Id}) uses the data folder", second.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", second.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_AfterAKill_StartsAgain()
    {
        await using var host = await HostProcess.StartAsync();
        await host.KillAsync();
        await using var again = await HostProcess.StartAsync(host.Data);
        Assert.NotEqual(host.Id, again.Id);
    }

    [Fact]
    public async Task Serve_AddressInUse_SaysSo()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var result = await HostProcess.RunAsync(["serve", "--urls", $"http://{taken.LocalEndpoint}", "--data", HostProcess.NewDataFolder()]);
        Assert.Equal(6, result.ExitCode);
        Assert.Contains("address already in use", result.Errors, StringComparison.Ordinal);
        Assert.Contains("--urls", result.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_InvalidSettings_NamesEachKeyAndAnExample()
    {
        var result = await HostProcess.RunAsync(
            ["serve", "--urls", "htp://x", "--agent", "nobody", "--data", HostProcess.NewDataFolder()],
            environment: new Dictionary<string, string> { ["CHANNELBRIDGE__LISTEN__STOPTIMEOUT"] = "soon", ["CHANNELBRIDGE__LISTEN__URL"] = "x" });
        Assert.Equal(3, result.ExitCode);
        Assert.Contains("Listen:Urls: 'htp://x' is not an http or https address; example: http://127.0.0.1:7788", result.Errors, StringComparison.Ordinal);
        Assert.Contains("Agents:Default: 'nobody'", result.Errors, StringComparison.Ordinal);
        Assert.Contains("Listen:StopTimeout: 'soon'", result.Errors, StringComparison.Ordinal);
        Assert.Contains("Listen:URL: unknown key, ignored; did you mean Listen:Urls?", result.Errors, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("   at ", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task CommandLine_UnknownOption_IsAUsageError()
    {
        var result = await HostProcess.RunAsync(["serve", "--ulrs", "x"]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("--ulrs", result.Errors, StringComparison.Ordinal);
        Assert.Contains("channelbridge serve --help", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task CommandLine_HelpOfServe_ShowsExamples()
    {
        var result = await HostProcess.RunAsync(["serve", "--help"]);
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("Examples:", result.Output, StringComparison.Ordinal);
        Assert.Contains("list of processes", result.Output, StringComparison.Ordinal);
    }
}
