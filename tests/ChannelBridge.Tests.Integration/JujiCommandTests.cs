using System.Text.Json.Nodes;
using ChannelBridge.Tests.Juji;

namespace ChannelBridge.Tests.Integration;

/// <summary><c>channelbridge juji</c> before a fake community: what is sent, and what is printed, to the letter of the community's script.</summary>
public sealed class JujiCommandTests
{
    [Fact]
    public async Task Commands_RegisterConnectCallAndPrint()
    {
        await using var community = await FakeCommunity.StartAsync();
        var home = HostProcess.NewDataFolder();
        Directory.CreateDirectory(Path.Combine(home, ".openclaw"));
        await File.WriteAllTextAsync(Path.Combine(home, ".openclaw", ".env"), "JUJI_AGENT_NAME = \"聚己 tester\"\r\n");

        var (init, _) = await RunAsync(community, home, ["init"]);
        const string Printed = "{\n  \"agent\": {\n    \"agent_id\": 7,\n    \"status\": \"online\",\n    \"ws_token\": \"token-1\"\n  },\n"
            + "  \"connected\": {\n    \"type\": \"connected\",\n    \"agent_id\": 7\n  }\n}\n";
        Assert.Equal((0, Printed), (init.ExitCode, init.Output));
        Assert.Equal("聚己 tester", (string)community.Requests[0].Body!["name"]!);
        Assert.Contains("JUJI_AGENT_TOKEN=token-1\n", await File.ReadAllTextAsync(Path.Combine(home, ".juji", ".env")), StringComparison.Ordinal);

        var (list, asked) = await RunAsync(community, home, ["task-list", "--status", "open", "--format", "md"], (side, call) =>
            side.AnswerAsync(call, new JsonArray(new JsonObject { ["id"] = 1, ["note"] = null })));
        Assert.Equal("""{"action":"task/list","params":{"status":"open","creator_agent":null,"limit":20,"offset":0}}""", asked!["params"]!.ToJsonString());
        Assert.Equal((0, "1. {'id': 1, 'note': None}\n"), (list.ExitCode, list.Output));

        var (refused, _) = await RunAsync(
            community, home, ["--format", "json", "vote-proposal", "--proposal-id", "12", "--support", "true"], (side, call) =>
                side.AnswerAsync(call, new JsonObject { ["error"] = "it's closed" }, "error"));
        Assert.Equal((1, "", "WS action failed: {'error': \"it's closed\"}\n"), (refused.ExitCode, refused.Output, refused.Errors));

        var (asset, _) = await RunAsync(community, home, ["asset-apply", "--asset-name", "JuJi Credit", "--asset-symbol", "JUJIC", "--total-supply", "1000000000000000000000"]);
        Assert.Equal(0, asset.ExitCode);
        Assert.Equal(
            JsonNode.Parse("""
                {"initiator_type":"AGENT","initiator_agent_id":7,"asset_name":"JuJi Credit","asset_symbol":"JUJIC",
                "total_supply":1000000000000000000000,"decimals":18,"asset_wallet_address":null,"reason":null,"extra_meta":{}}
                """)!.ToJsonString(),
            community.Requests.Single(static request => request.Path == "/asset/issuance/apply").Body!.ToJsonString());

        var (join, _) = await RunAsync(community, home, ["task-join", "--task-id", "3"]);
        Assert.Equal((0, "{\n  \"path\": \"/task/join?task_id=3&agent_id=7\"\n}\n"), (join.ExitCode, join.Output));
        Assert.Equal(2, (await HostProcess.RunAsync(["juji", "vote-proposal", "--proposal-id", "1", "--support", "maybe"])).ExitCode);
    }

    [Fact]
    public async Task Daemon_PrintsPushes_CallsLines_AndConnectsAgain()
    {
        await using var community = await FakeCommunity.StartAsync();
        var home = HostProcess.NewDataFolder();
        using var daemon = HostProcess.Launch(["juji", "daemon", "--reconnect-interval", "1"], Environment(community, home));
        try
        {
            var side = await community.NextConnectionAsync();
            var started = await NextAsync(daemon);
            Assert.Equal(("daemon", 7, "25.0"), ((string)started["mode"]!, (int)started["agent_id"]!, started["heartbeat_sec"]!.ToJsonString()));

            await side.SendAsync("""{"type":"pong"}""");
            await side.SendAsync("""{"type":"juji/notification","topic":"t"}""");
            Assert.Equal("""{"kind":"push","message":{"type":"juji/notification","topic":"t"}}""", (await NextAsync(daemon)).ToJsonString());

            await daemon.StandardInput.WriteLineAsync("""{"params":{}}""");
            Assert.Equal("""{"error":"missing action"}""", (await NextAsync(daemon)).ToJsonString());
            await daemon.StandardInput.WriteLineAsync("no json");
            Assert.StartsWith("invalid json: ", (string)(await NextAsync(daemon))["error"]!, StringComparison.Ordinal);

            await daemon.StandardInput.WriteLineAsync("""{"action":"a","params":{"x":1}}""");
            var call = await side.NextCallAsync();
            await side.AnswerAsync(call, new JsonObject { ["error"] = "no" }, "error");
            Assert.Equal("WS action failed: {'error': 'no'}", (string)(await NextAsync(daemon))["error"]!);

            // A call across a broken connection keeps its id.
            await daemon.StandardInput.WriteLineAsync("""{"action":"b"}""");
            call = await side.NextCallAsync();
            side.Abort();
            side = await community.NextConnectionAsync();
            var again = await side.NextCallAsync();
            Assert.Equal((string)call["u_id"]!, (string)again["u_id"]!);
            await side.AnswerAsync(again, 5);
            Assert.Equal("""{"action":"b","result":5,"reconnected":true}""", (await NextAsync(daemon)).ToJsonString());

            side.Abort();
            Assert.Equal("connection_lost", (string)(await NextAsync(daemon))["kind"]!);
            Assert.Equal("""{"kind":"reconnecting","sleep_sec":1.0}""", (await NextAsync(daemon)).ToJsonString());
            Assert.Equal("daemon", (string)(await NextAsync(daemon))["mode"]!);
            await daemon.StandardInput.WriteLineAsync("QUIT");
            using var timeout = new CancellationTokenSource(HostProcess.Timeout);
            await daemon.WaitForExitAsync(timeout.Token);
            Assert.Equal(0, daemon.ExitCode);
        }
        finally
        {
            if (!daemon.HasExited) daemon.Kill();
        }
    }

    private static Dictionary<string, string> Environment(FakeCommunity community, string home) => new()
    {
        ["HOME"] = home,
        ["USERPROFILE"] = home,
        ["JUJI_BASE_URL"] = community.BaseUrl + "/",
    };

    /// <summary>Runs a command whose call is answered as the test says.</summary>
    private static async Task<(CommandResult Result, JsonObject? Call)> RunAsync(
        FakeCommunity community, string home, string[] arguments, Func<CommunitySide, JsonObject, Task>? answer = null)
    {
        var running = HostProcess.RunAsync(["juji", .. arguments], environment: Environment(community, home));
        var side = await community.NextConnectionAsync();
        JsonObject? call = null;
        if (answer is not null)
        {
            call = await side.NextCallAsync();
            await answer(side, call);
        }

        return (await running, call);
    }

    /// <summary>The next document that the daemon prints.</summary>
    private static async Task<JsonObject> NextAsync(System.Diagnostics.Process daemon)
    {
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        var text = "";
        while (true)
        {
            text += await daemon.StandardOutput.ReadLineAsync(timeout.Token)
                ?? throw new InvalidOperationException($"the daemon has ended: {await daemon.StandardError.ReadToEndAsync()}");
            // A document ends where its first bracket does: at the begin of a line.
            if (text.EndsWith('}') && JsonDepth(text) == 0) return JsonNode.Parse(text)!.AsObject();
        }
    }

    private static int JsonDepth(string text)
    {
        try
        {
            JsonNode.Parse(text);
            return 0;
        }
        catch (System.Text.Json.JsonException)
        {
            return 1;
        }
    }
}
