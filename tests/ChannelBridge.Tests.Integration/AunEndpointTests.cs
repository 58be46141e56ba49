using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using ChannelBridge.Tests.Aun.Endpoint;

namespace ChannelBridge.Tests.Integration;

/// <summary>AUN with the real host: endpoint and connector before programs in other languages, plain and with TLS, and killed with messages under way.</summary>
public sealed class AunEndpointTests
{
    private const string Python = "/usr/bin/python3";
    private const string Bot = "robot.agentid.pub";

    [Fact]
    public async Task ClientsInPythonAndNode_RunBothProgramsOfTheQuickStart_PlainAndWithTls()
    {
        var python = await HasPythonAsync();
        await using var host = await StartWithTlsAsync(new Dictionary<string, string> { ["CHANNELBRIDGE__CHANNELS__AUN__AGENTS__" + Bot] = "echo" });
        var root = Path.Combine(host.Data, "root.pem");
        foreach (var address in new[] { host.Url.GetLeftPart(UriPartial.Authority), OwnAddress(host) })
        {
            if (python) await RunAsync(Python, "two_programs.py", "--base", address, "--root", root, "--agent", Bot);
            if (Node is { } node) await RunAsync(node, "two_programs.mjs", address, root, Bot);
        }

        var listed = await HostProcess.RunAsync(["aun", "list", "--data", host.Data]);
        Assert.Contains($"{Bot}  since", listed.Output, StringComparison.Ordinal);
        Assert.Equal(0, await host.StopAsync());
        foreach (var said in new[] { host.Output, host.Errors }) Assert.DoesNotContain("Hello from Alice", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connector_OnAGatewayInPython_AnswersWhatIsSealedAndWhatIsPlain()
    {
        if (!await HasPythonAsync()) return;
        var data = HostProcess.NewDataFolder();
        var root = Path.Combine(data, "root.pem");
        using var gateway = Process.Start(new ProcessStartInfo(Python, [Path.Combine(Drivers(), "gateway.py"), "--root", root, "--bot", "bot.example.org"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        try
        {
            var errors = gateway.StandardError.ReadToEndAsync();
            var first = await gateway.StandardOutput.ReadLineAsync().WaitAsync(Wait.Limit);
            Assert.True(first?.StartsWith("listening ", StringComparison.Ordinal) is true, first is null ? await errors : first);
            await using var host = await HostProcess.StartAsync(data, environment: Account($"ws://127.0.0.1:{first!.Split(' ')[1]}/aun", root, "bot.example.org"));
            var said = await gateway.StandardOutput.ReadToEndAsync().WaitAsync(Wait.Limit);
            await gateway.WaitForExitAsync();
            Assert.True(gateway.ExitCode == 0, await errors);
            Assert.Equal(["answered: sealed", "answered: plain", "done"], said.Trim().Split('\n'));
        }
        finally
        {
            if (!gateway.HasExited) gateway.Kill();
        }
    }

    [Fact]
    public async Task Connector_OverTls_KilledWithMessagesUnderWay_AnswersEachOnce()
    {
        const int Rounds = 2;
        const int Each = 12;
        var random = new Random(2);
        await using var gateway = await StartWithTlsAsync();
        var address = OwnAddress(gateway).Replace("https://", "wss://", StringComparison.Ordinal) + "/";
        var account = Account(address, Path.Combine(gateway.Data, "root.pem"), Bot);
        // Who asks here has no prekey.
        account["CHANNELBRIDGE__CHANNELS__AUN__ACCOUNTS__MAIN__ENCRYPT"] = "false";
        account["CHANNELBRIDGE__LIMITS__AGENTTURNSPERMINUTE"] = "0";
        var alice = new TestAgent(GatewayOf(gateway), "alice.agentid.pub");
        await alice.CreateAsync();
        await alice.LoginAsync();
        await using var line = await alice.ConnectAsync("asks");
        var connector = await HostProcess.StartAsync(HostProcess.NewDataFolder(), environment: account);
        try
        {
            await Wait.UntilAsync(async () => (bool)(await line.CallAsync("message.query_online", new JsonObject { ["aids"] = new JsonArray(Bot) }))["online"]![Bot]!);
            var owed = new List<string>();
            for (var round = 0; round < Rounds; round++)
            {
                for (var i = 0; i < Each; i++)
                {
                    var text = $"{round}/{i}";
                    owed.Add("echo: " + text);
                    await line.CallAsync("message.send", TestAgent.Text(Bot, text));
                }

                await Task.WhenAny(line.EventAsync("message.received"), Task.Delay(random.Next(100)));
                await connector.KillAsync();
                var data = connector.Data;
                await connector.DisposeAsync();
                connector = await HostProcess.StartAsync(data, environment: account);
            }

            JsonArray got = [];
            await Wait.UntilAsync(async () => (got = (await line.CallAsync("message.pull", new JsonObject { ["limit"] = 200 }))["messages"]!.AsArray()).Count >= owed.Count);
            // Nothing comes behind what is owed: one more question, and its answer is the last.
            await line.CallAsync("message.send", TestAgent.Text(Bot, "last"));
            await Wait.UntilAsync(async () =>
                (string?)(got = (await line.CallAsync("message.pull", new JsonObject { ["limit"] = 200 }))["messages"]!.AsArray())[^1]!["payload"]!["text"] == "echo: last");
            Assert.Equal([.. owed, "echo: last"], got.Select(static one => (string)one!["payload"]!["text"]!));
        }
        finally
        {
            await connector.DisposeAsync();
        }
    }

    [Fact]
    public async Task Killed_WithMessagesUnderWay_LosesNoneAndDoublesNone()
    {
        const int Rounds = 2;
        const int Agents = 10;
        const int Each = 8;
        var random = new Random(1);
        var host = await StartAsync(HostProcess.NewDataFolder());
        try
        {
            var agents = new List<TestAgent>();
            for (var i = 0; i < Agents; i++)
            {
                var agent = new TestAgent(GatewayOf(host), $"agent{i}.agentid.pub");
                await agent.CreateAsync();
                await agent.LoginAsync();
                agents.Add(agent);
            }

            var owed = agents.ToDictionary(static agent => agent.Aid, static _ => new HashSet<string>(StringComparer.Ordinal), StringComparer.Ordinal);
            for (var round = 0; round < Rounds; round++)
            {
                var open = agents.Select((_, from) => Enumerable.Range(0, Each).ToDictionary(
                    each => $"{round}-{from}-{each}", each => agents[(from + 1 + each) % Agents].Aid, StringComparer.Ordinal)).ToArray();
                foreach (var (id, to) in open.SelectMany(static one => one)) owed[to].Add(id);
                var first = Task.WhenAll(agents.Select((agent, from) => SendAsync(agent, open[from])));
                await Task.WhenAny(first, Task.Delay(random.Next(60)));
                await host.KillAsync();
                await first;
                var data = host.Data;
                await host.DisposeAsync();
                host = await StartAsync(data);
                foreach (var agent in agents) agent.Move(GatewayOf(host));
                await Task.WhenAll(agents.Select((agent, from) => SendAsync(agent, open[from])));
                Assert.All(open, static rest => Assert.Empty(rest));
            }

            foreach (var agent in agents)
            {
                await using var line = await agent.ConnectAsync("reader");
                var got = (await line.CallAsync("message.pull", new JsonObject { ["limit"] = 200 }))["messages"]!.AsArray();
                Assert.Equal(Enumerable.Range(1, got.Count), got.Select(static one => (int)one!["seq"]!));
                Assert.Equal(owed[agent.Aid].Order(StringComparer.Ordinal), got.Select(static one => (string)one!["message_id"]!).Order(StringComparer.Ordinal));
            }
        }
        finally
        {
            await host.DisposeAsync();
        }
    }

    // What is answered is taken out; what isn't is sent again, under the same id.
    private static async Task SendAsync(TestAgent agent, Dictionary<string, string> open)
    {
        try
        {
            await using var line = await agent.ConnectAsync("writer");
            var calls = new List<(string Id, Task<JsonObject> Answer)>();
            foreach (var (id, to) in open) calls.Add((id, await line.BeginAsync("message.send", TestAgent.Text(to, id, id))));
            foreach (var (id, answer) in calls)
            {
                await answer;
                open.Remove(id);
            }
        }
        catch (Exception fault) when (fault is IOException or System.Net.WebSockets.WebSocketException or System.Threading.Channels.ChannelClosedException)
        {
            // The host was killed.
        }
    }

    /// <summary>A host whose endpoint has an own address with TLS, too; its root lies in <c>root.pem</c>.</summary>
    private static async Task<HostProcess> StartWithTlsAsync(IReadOnlyDictionary<string, string>? more = null)
    {
        var data = HostProcess.NewDataFolder();
        var issued = await HostProcess.RunAsync(["aun", "tls", "localhost", "127.0.0.1", "--data", data]);
        Assert.Equal(0, issued.ExitCode);
        await File.WriteAllTextAsync(Path.Combine(data, "root.pem"), (await HostProcess.RunAsync(["aun", "root", "--data", data])).Output);
        var environment = new Dictionary<string, string>(more ?? new Dictionary<string, string>())
        {
            ["CHANNELBRIDGE__CHANNELS__AUN__ISSUERS"] = "agentid.pub",
            ["CHANNELBRIDGE__LISTEN__ADDRESSES__AUN__URL"] = "https://127.0.0.1:0",
            ["CHANNELBRIDGE__LISTEN__ADDRESSES__AUN__CHANNELS"] = "aun",
        };
        foreach (var parts in issued.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => line.Split('=', 2)))
            environment["CHANNELBRIDGE__" + parts[0].Replace(":", "__", StringComparison.Ordinal)] = parts[1];
        return await HostProcess.StartAsync(data, environment: environment);
    }

    private static string OwnAddress(HostProcess host) =>
        host.Output.Split('\n').First(static line => line.Contains("only endpoints of", StringComparison.Ordinal)).Split(' ')[1].TrimEnd('/');

    /// <summary>The settings of a connector whose account is the agent echo.</summary>
    private static Dictionary<string, string> Account(string gateway, string root, string aid) => new()
    {
        ["CHANNELBRIDGE__CHANNELS__AUN__ACCOUNTS__MAIN__AID"] = aid,
        ["CHANNELBRIDGE__CHANNELS__AUN__ACCOUNTS__MAIN__AUNPATH"] = Path.Combine(Scratch.NewFolder("aunkeys"), "aun"),
        ["CHANNELBRIDGE__CHANNELS__AUN__ACCOUNTS__MAIN__ROOTCAPATH"] = root,
        ["CHANNELBRIDGE__CHANNELS__AUN__ACCOUNTS__MAIN__GATEWAYURL"] = gateway,
        ["CHANNELBRIDGE__CHANNELS__AUN__ACCOUNTS__MAIN__AGENT"] = "echo",
    };

    private static Uri GatewayOf(HostProcess host) => new UriBuilder(host.Url) { Scheme = "ws", Path = "/aun" }.Uri;

    private static Task<HostProcess> StartAsync(string data) => HostProcess.StartAsync(data, environment: new Dictionary<string, string>
    {
        ["CHANNELBRIDGE__CHANNELS__AUN__ISSUERS"] = "agentid.pub",
        ["CHANNELBRIDGE__CHANNELS__AUN__CHALLENGEDELAY"] = "0ms",
    });

    private static async Task<bool> HasPythonAsync()
    {
        if (!File.Exists(Python)) return false;
        using var process = Process.Start(new ProcessStartInfo(Python, ["-c", "import cryptography, websockets"]) { RedirectStandardError = true })!;
        await process.WaitForExitAsync();
        return process.ExitCode == 0;
    }

    private static async Task RunAsync(string language, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(language, [Path.Combine(Drivers(), program), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        // What Node trusts besides its own roots; Python is given it by the program.
        if (language != Python) start.Environment["NODE_EXTRA_CA_CERTS"] = arguments[1];
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(Wait.Limit);
        Assert.True(process.ExitCode == 0, await errors);
        Assert.EndsWith("done", (await output).Trim(), StringComparison.Ordinal);
    }

    /// <summary>The Node of the gateway's installation: it has a WebSocket of its own.</summary>
    private static string? Node => Environment.GetEnvironmentVariable("CHANNELBRIDGE_OPENCLAW") is { Length: > 0 } folder
        && Path.Combine(folder, "node_modules", ".bin", "node") is var node && File.Exists(node) ? node : null;

    private static string Drivers([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "ChannelBridge.Tests.Aun", "Drivers"));
}
