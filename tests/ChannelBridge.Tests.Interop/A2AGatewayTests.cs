using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using ChannelBridge.Client;
using ChannelBridge.Tests.Integration;
using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>The real gateway as a peer, in both directions by its own <c>a2a</c> channel; and its agent behind our server, where its settings decide who may speak.</summary>
[Collection(GatewaysCollection.Name)]
public sealed class A2AGatewayTests
{
    private const string PeerToken = "the-token-of-the-peer-gateway";
    private const string GatewayPeerToken = "the-token-of-this-host-at-the-gateway";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    [OpenClawFact]
    public async Task TheGatewaysOwnChannel_IsAPeer_AndItsAgentAnswersPeersItHasApproved()
    {
        if (OpenClawInstallation.Missing is { } reason) Assert.Fail(reason);
        await using var model = await FakeModel.StartAsync();
        await using var host = await HostProcess.StartAsync(
            arguments: ["--agent", "openclaw"],
            environment: new Dictionary<string, string>
            {
                ["CHANNELBRIDGE__ACCESS__TOKENS__OPENCLAW__TOKEN"] = PeerToken,
                ["CHANNELBRIDGE__ACCESS__TOKENS__OPENCLAW__SCOPES"] = "peer",
                // It is asked again and again until the gateway has linked up.
                ["CHANNELBRIDGE__CHANNELS__A2A__SENDSPERMINUTE"] = "6000",
            });
        await using var gateway = await GatewayAsync(model, host);
        await gateway.StartAsync();
        await AgentBehindUsAsync(model, host, gateway);
        await TheyToUsAsync(model, host, gateway);
        await WeToThemAsync(host, gateway);
        await SessionThereAsync(host, gateway);
    }

    /// <summary>Our server, their agent: by default a new peer is told a code, and nobody is asked.</summary>
    private static async Task AgentBehindUsAsync(FakeModel model, HostProcess host, GatewayProcess gateway)
    {
        using var http = new HttpClient { BaseAddress = host.Url, Timeout = TimeSpan.FromSeconds(120) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", PeerToken);
        http.DefaultRequestHeaders.Add("A2A-Version", "1.0");
        using var patience = new CancellationTokenSource(Patience);
        var code = "";
        for (var attempt = 0; code.Length == 0; attempt++)
        {
            var refused = (await CallAsync(http, "SendMessage", Message($"early-{attempt}", "ask:too-early")))["error"]!;
            Assert.Matches("PAIRING_REQUIRED|UNAVAILABLE", refused.ToJsonString());
            code = Regex.Match((string?)refused["message"] ?? "", "pairing approve multiclaws (\\S+)").Groups[1].Value;
            // While the gateway is away nothing is accepted.
            if (code.Length == 0) await Task.Delay(300, patience.Token);
        }

        Assert.Equal(0, model.CountOf("too-early"));
        Assert.Equal(0, (int)(await CallAsync(http, "ListTasks", []))["result"]!["totalSize"]!);
        var (approved, said) = await gateway.CommandAsync("pairing", "approve", "multiclaws", code);
        Assert.True(approved == 0, said);
        var task = (await CallAsync(http, "SendMessage", Message("m-1", "ask:first-word")))["result"]!["task"]!;
        Assert.True((string?)task["status"]!["state"] == "TASK_STATE_COMPLETED", task.ToJsonString() + gateway.Log);
        Assert.Equal("answer to first-word", (string?)task["artifacts"]![0]!["parts"]![0]!["text"]);

        // A slash is a text, and a conversation is a session of its own.
        var slash = Message("m-2", "/status ask:slash");
        slash["message"]!["contextId"] = (string?)task["contextId"];
        Assert.Equal("answer to slash", (string?)(await CallAsync(http, "SendMessage", slash))["result"]!["task"]!["artifacts"]![0]!["parts"]![0]!["text"]);
        Assert.Contains("first-word", model.PromptOf("slash"), StringComparison.Ordinal);
        await CallAsync(http, "SendMessage", Message("m-3", "ask:other"));
        Assert.DoesNotContain("first-word", model.PromptOf("other"), StringComparison.Ordinal);
    }

    /// <summary>The gateway sends to us by its own channel; it names no version.</summary>
    private static async Task TheyToUsAsync(FakeModel model, HostProcess host, GatewayProcess gateway)
    {
        var (sent, said) = await gateway.CommandAsync("message", "send", "--channel", "a2a", "--target", "a2a:bridge", "--message", "ask:from-gateway", "--json");
        Assert.True(sent == 0, said);
        await model.AskedAsync("from-gateway");
        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            var list = await HostProcess.RunAsync(["tasks", "list", "--peer", "openclaw", "--status", "completed", "--data", host.Data]);
            if (list.Output.Split("completed").Length - 1 >= 4) break;
            await Task.Delay(200, patience.Token);
        }
    }

    /// <summary>We send to the gateway by the command line: its card has no version 0.3 and no streams, so the task is asked for until it has ended.</summary>
    private static async Task WeToThemAsync(HostProcess host, GatewayProcess gateway)
    {
        var key = Path.Combine(host.Data, "gateway-key");
        await File.WriteAllTextAsync(key, GatewayPeerToken);
        var url = $"http://127.0.0.1:{gateway.Port}";
        var card = await HostProcess.RunAsync(["a2a", "card", url]);
        Assert.True(card.ExitCode == 0, card.Errors);
        var answer = await HostProcess.RunAsync(["a2a", "send", url, "--key-file", key, "--stream", "ask:to-gateway"]);
        Assert.True(answer.ExitCode == 0, answer.Errors + gateway.Log);
        Assert.Equal("answer to to-gateway", answer.Output.Trim());
        var wrong = await HostProcess.RunAsync(["a2a", "get", url, "nobody", "--key-file", key]);
        Assert.Equal(8, wrong.ExitCode);
    }

    /// <summary>A session of MultiClaws with the gateway's agent by the gateway's own channel: no streams, no cancelling, and still it ends.</summary>
    private static async Task SessionThereAsync(HostProcess host, GatewayProcess gateway)
    {
        await using var client = new ChannelBridgeClient(new ChannelBridgeClientOptions { Endpoint = $"unix:{host.Socket}" });
        await client.ConnectAsync();
        var url = $"http://127.0.0.1:{gateway.Port}";
        await CallAsync(client, "agents.add", new JsonObject { ["url"] = url, ["apiKey"] = GatewayPeerToken });
        var started = await CallAsync(client, "session.start", new JsonObject { ["agentUrl"] = url, ["message"] = "ask:in-a-session" });
        var waited = await CallAsync(client, "session.wait_all", new JsonObject { ["sessionIds"] = new JsonArray((string)started["sessionId"]!), ["timeoutMs"] = 120_000 });
        var result = Assert.Single(waited["results"]!.AsArray())!;
        Assert.True((string?)result["status"] == "completed" && (string?)result["lastMessage"] == "answer to in-a-session", waited.ToJsonString() + gateway.Log);
    }

    private static async Task<JsonObject> CallAsync(ChannelBridgeClient client, string method, JsonObject parameters) =>
        JsonNode.Parse((await client.CallAsync(method, Encoding.UTF8.GetBytes(parameters.ToJsonString()))).Span)!.AsObject();

    private static JsonObject Message(string id, string text) => new()
    {
        ["message"] = new JsonObject { ["messageId"] = id, ["role"] = "ROLE_USER", ["parts"] = new JsonArray(new JsonObject { ["text"] = text }) },
    };

    private static async Task<JsonNode> CallAsync(HttpClient http, string method, JsonObject parameters)
    {
        var request = new JsonObject { ["jsonrpc"] = "2.0", ["id"] = 1, ["method"] = method, ["params"] = parameters };
        using var content = new StringContent(request.ToJsonString(), Encoding.UTF8, "application/json");
        using var response = await http.PostAsync("/a2a", content);
        return JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
    }

    private static async Task<GatewayProcess> GatewayAsync(FakeModel model, HostProcess host)
    {
        var state = Scratch.NewFolder("cba2a");
        var gateway = GatewayProcess.Configure(
            state, model.Port, InteropLab.CopyPlugin(state), new JsonObject { ["endpoint"] = $"unix:{host.Socket}" }, new JsonObject { ["enabled"] = true });
        var file = Path.Combine(state, "openclaw", "openclaw.json");
        var config = JsonNode.Parse(await File.ReadAllTextAsync(file))!;
        config["channels"]!["multiclaws"] = new JsonObject { ["enabled"] = true };
        config["channels"]!["a2a"] = new JsonObject
        {
            ["enabled"] = true,
            ["peers"] = new JsonObject
            {
                ["bridge"] = new JsonObject
                {
                    ["token"] = GatewayPeerToken,
                    ["url"] = new Uri(host.Url, "/a2a/v1").AbsoluteUri,
                    ["outboundToken"] = PeerToken,
                },
            },
        };
        await File.WriteAllTextAsync(file, config.ToJsonString());
        return gateway;
    }
}
