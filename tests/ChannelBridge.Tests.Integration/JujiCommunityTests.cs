using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Integration;

/// <summary>samples/juji-community as a process, and <c>channelbridge juji</c> before it: each of the skill's 22 commands has a true answer, over kills of the community.</summary>
public sealed class JujiCommunityTests
{
    private readonly string _folder = HostProcess.NewDataFolder();
    private readonly string _home = HostProcess.NewDataFolder();
    private Process? _sample;
    private string _url = "http://127.0.0.1:0";

    [Fact]
    public async Task EveryCommand_HasATrueAnswer_AndWhatWasSaidIsThereAfterAKill()
    {
        try
        {
            await StartAsync();
            var init = await RunAsync("init");
            Assert.Equal((1, "connected"), ((int)init["agent"]!["agent_id"]!, (string?)init["connected"]!["type"]));
            Assert.Equal(24, (await RunAsync("actions"))["actions"]!.AsArray().Count(action => (string?)action != "message/send"));
            var capabilities = await RunAsync("capabilities");
            Assert.Contains(capabilities["websocket"]!["actions"]!.AsArray(), action =>
                (string?)action!["action"] == "proposal/vote" && (string?)action["params_schema"]!["properties"]!["support"]!["type"] == "boolean");
            Assert.Contains(capabilities["rest"]!.AsArray(), operation => (string?)operation!["path"] == "/task/create");
            Assert.Contains("content.published", (await RunAsync("topics"))["topics"]!.AsArray().Select(topic => (string?)topic));
            Assert.False((bool)(await RunAsync("notification-subscribe", "--topic", "task.published", "--subscribed", "false"))["subscribed"]!);
            Assert.Single((await RunAsync("notification-list"))["subscriptions"]!.AsArray());
            Assert.Empty((await RunAsync("ws-call", "--action", "proposal/list", "--params", """{"only_open":true}""")).AsArray());

            var asset = await RunAsync(
                "asset-apply", "--asset-name", "JuJi Credit", "--asset-symbol", "JUJIC", "--total-supply", "1000000000000000000000", "--reason", "社区激励用途");
            Assert.Equal(("1000000000000000000000", 1), (asset["total_supply"]!.ToJsonString(), (int)asset["proposal_id"]!));
            Assert.Equal(2, (int)(await RunAsync("gov-create", "--title", "调整治理参数", "--description", "31"))["proposal_id"]!);
            Assert.Equal(1, (int)(await RunAsync("vote-proposal", "--proposal-id", "2", "--support", "true"))["support_votes"]!);
            // The voter is the connection's agent, whatever the parameters say.
            var claimed = await RunAsync("ws-call", "--action", "proposal/vote", "--params", """{"proposal_id":2,"support":true,"voter_agent_id":7}""");
            Assert.Equal((1, 1), ((int)claimed["voter_agent_id"]!, (int)claimed["support_votes"]!));
            await KillAsync();
            Assert.Equal(
                [("Issue JUJIC", 0), ("调整治理参数", 1)],
                (await RunAsync("gov-list", "--only-open")).AsArray().Select(proposal => ((string)proposal!["title"]!, (int)proposal["support_votes"]!)));

            Assert.Equal("PENDING", (string?)(await RunAsync("committee-apply"))["status"]);
            Assert.Single((await RunAsync("committee-applications")).AsArray());
            Assert.Equal("ACTIVE", (string?)(await RunAsync("committee-vote-self", "--support", "true"))["status"]);
            Assert.Empty((await RunAsync("committee-applications", "--status", "PENDING")).AsArray());

            Assert.Equal(1, (int)(await RunAsync("publish", "--title", "Hello JuJi", "--body", "第一篇社区文章", "--tags", "juji", "governance"))["content_id"]!);
            Assert.Equal("Hello JuJi", (string?)(await RunAsync("content-search", "--q", "社区"))[0]!["title"]);
            Assert.Empty((await RunAsync("content-search", "--q", "nothing of that")).AsArray());
            Assert.Equal("open", (string?)(await RunAsync("task-create", "--description", "看板"))["status"]);
            Assert.Equal(1, (int)(await RunAsync("task-join", "--task-id", "1"))["agent_id"]!);
            Assert.Equal("done", (string?)(await RunAsync("task-submit", "--task-id", "1", "--result", "done"))["result"]);
            await KillAsync();
            Assert.Single((await RunAsync("task-list", "--status", "open")).AsArray());
            var task = await RunAsync("task-get", "--task-id", "1");
            Assert.Equal((1, "done"), ((int)task["participants"]![0]!["agent_id"]!, (string?)task["works"]![0]!["result"]));
            await DaemonAsync();

            // What can't be is said, and changes nothing.
            foreach (string[] wrong in new[]
            {
                ["task-join", "--task-id", "99"], ["vote-proposal", "--proposal-id", "99", "--support", "true"],
                (string[])["ws-call", "--action", "deliberation/vote", "--params", """{"deliberation_id":2,"vote_choice":"MAYBE","reason":"x"}"""],
            })
            {
                var result = await HostProcess.RunAsync(["juji", .. wrong], environment: Environment());
                Assert.Equal((1, ""), (result.ExitCode, result.Output));
            }
        }
        finally
        {
            if (_sample is not null) await EndAsync();
        }
    }

    // The last of the 22: it hears of an article that another agent publishes, and calls what stands in its input.
    private async Task DaemonAsync()
    {
        using var daemon = HostProcess.Launch(["juji", "daemon", "--reconnect-interval", "1"], Environment());
        try
        {
            await LineAsync(daemon, "\"mode\": \"daemon\"");
            var other = Environment(HostProcess.NewDataFolder());
            Assert.Equal(0, (await HostProcess.RunAsync(["juji", "publish", "--title", "News", "--body", "for all"], environment: other)).ExitCode);
            await LineAsync(daemon, "\"title\": \"New article\"");
            await KillAsync();
            await LineAsync(daemon, "connection_lost");
            await LineAsync(daemon, "\"mode\": \"daemon\"");
            await daemon.StandardInput.WriteLineAsync("""{"action":"proposal/list_with_stats","params":{}}""");
            await LineAsync(daemon, "\"support_votes\": 1");
            await daemon.StandardInput.WriteLineAsync("exit");
            await daemon.WaitForExitAsync().WaitAsync(HostProcess.Timeout);
            Assert.Equal(0, daemon.ExitCode);
        }
        finally
        {
            if (!daemon.HasExited) daemon.Kill();
        }
    }

    private static async Task LineAsync(Process process, string wanted)
    {
        while (await process.StandardOutput.ReadLineAsync().WaitAsync(HostProcess.Timeout) is { } line)
        {
            if (line.Contains(wanted, StringComparison.Ordinal)) return;
        }

        Assert.Fail($"the daemon ended before it said {wanted}");
    }

    private async Task<JsonNode> RunAsync(params string[] arguments)
    {
        var result = await HostProcess.RunAsync(["juji", .. arguments], environment: Environment());
        Assert.True(result.ExitCode == 0, $"{string.Join(' ', arguments)}: {result.Errors}");
        return JsonNode.Parse(result.Output)!;
    }

    private Dictionary<string, string> Environment(string? home = null) => new()
    {
        ["HOME"] = home ?? _home,
        ["USERPROFILE"] = home ?? _home,
        ["JUJI_BASE_URL"] = _url + "/juji",
    };

    private async Task StartAsync()
    {
        var start = new ProcessStartInfo("dotnet", [Program(), _folder, "--urls=" + _url]) { RedirectStandardOutput = true, RedirectStandardError = true };
        _sample = Process.Start(start)!;
        var errors = _sample.StandardError.ReadToEndAsync();
        if (await _sample.StandardOutput.ReadLineAsync().WaitAsync(HostProcess.Timeout) != "ready") Assert.Fail(await errors);
        _url = (await _sample.StandardOutput.ReadLineAsync().WaitAsync(HostProcess.Timeout))!;
    }

    private async Task KillAsync()
    {
        await EndAsync();
        await StartAsync();
    }

    private async Task EndAsync()
    {
        _sample!.Kill();
        await _sample.WaitForExitAsync();
        _sample.Dispose();
        _sample = null;
    }

    private static string Program([CallerFilePath] string here = "")
    {
        var tests = Path.GetDirectoryName(here)!;
        return Path.GetFullPath(Path.Combine(tests, "..", "..", "samples", "juji-community", Path.GetRelativePath(tests, AppContext.BaseDirectory), "juji-community.dll"));
    }
}
