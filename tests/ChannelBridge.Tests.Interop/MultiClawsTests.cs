using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Client;
using ChannelBridge.Tests.Integration;
using ChannelBridge.Tests.Interop.Lab;
using ChannelBridge.Tests.Shared.A2A;

namespace ChannelBridge.Tests.Interop;

/// <summary>Sessions with agents of the JavaScript SDK, and sessions that the real gateway's agent starts by its tools.</summary>
[Collection(GatewaysCollection.Name)]
public sealed class MultiClawsTests
{
    [A2ATheory]
    [InlineData("0.3")]
    [InlineData("1.0")]
    public async Task An_agent_of_the_SDK_asks_answers_in_pieces_and_is_cancelled(string version)
    {
        await using var sdk = await A2ASdk.StartAsync(version);
        await using var host = await HostProcess.StartAsync();
        await using var client = await ClientAsync(host);
        var url = sdk.Url.AbsoluteUri;
        await CallAsync(client, "agents.add", new JsonObject { ["url"] = url });
        var asks = await StartAsync(client, url, "ask me");
        await UntilAsync(client, asks, "input-required");
        Assert.Equal("ok", (string?)(await CallAsync(client, "multiclaws.session.reply", new JsonObject { ["sessionId"] = asks, ["message"] = "chunks, please" }))["status"]);
        Assert.Equal("one two three", Last(await UntilAsync(client, asks, "completed")));
        Assert.Equal("directly", Last(await UntilAsync(client, await StartAsync(client, url, "message me"), "completed")));
        await UntilAsync(client, await StartAsync(client, url, "fail"), "failed");
        var waits = await StartAsync(client, url, "wait");
        await Wait.UntilAsync(async () => (string?)(await StatusAsync(client, waits))["currentTaskId"] is not null);
        var task = (string)(await StatusAsync(client, waits))["currentTaskId"]!;
        Assert.True((bool)(await CallAsync(client, "session.end", new JsonObject { ["sessionId"] = waits }))["ended"]!);
        await Wait.UntilAsync(async () => (await HostProcess.RunAsync(["a2a", "get", url, task])).Output.Contains("cancel", StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>The agent calls the tool in a conversation, and is told there; a gateway's client starts another, and the main session is told.</summary>
    [OpenClawFact]
    public async Task The_gateways_agent_starts_a_session_and_is_told_of_its_end_in_the_same_conversation()
    {
        if (OpenClawInstallation.Missing is { } reason) Assert.Fail(reason);
        await using var remote = await DoorServer.StartAsync();
        await using var model = await FakeModel.StartAsync();
        model.UnaskedCall = ("multiclaws_session_start", $$"""{"agentUrl":"{{remote.Url.AbsoluteUri}}","message":"count the nougat"}""");
        await using var host = await HostProcess.StartAsync(arguments: ["--agent", "openclaw"]);
        await using var client = await ClientAsync(host);
        await CallAsync(client, "agents.add", new JsonObject { ["url"] = remote.Url.AbsoluteUri });
        var state = Scratch.NewFolder("cbmulticlaws");
        await using var gateway = GatewayProcess.Configure(
            state, model.Port, InteropLab.CopyPlugin(state), new JsonObject { ["endpoint"] = $"unix:{host.Socket}" },
            new JsonObject { ["enabled"] = true, ["dmPolicy"] = "open", ["allowFrom"] = new JsonArray("*") });
        var file = Path.Combine(state, "openclaw", "openclaw.json");
        var config = JsonNode.Parse(await File.ReadAllTextAsync(file))!;
        config["tools"]!["alsoAllow"] = new JsonArray("channelbridge");
        await File.WriteAllTextAsync(file, config.ToJsonString());
        await gateway.StartAsync();
        await using var bridge = await BncrClient.ConnectAsync(gateway.Url, GatewayProcess.Token);

        var accepted = await bridge.AcceptedAsync("greta", "please begin", "begin-1");
        await bridge.PushAsync("greta");
        // The first that is pushed is the word that a tool is called, which may come before the tool has run.
        var session = new JsonArray();
        await Wait.UntilAsync(async () => (session = (await CallAsync(client, "session.status", []))["sessions"]!.AsArray()).Count == 1, "the agent's session");
        var id = (string)session[0]!["sessionId"]!;
        Assert.Equal("count the nougat", Last(await UntilAsync(client, id, "completed")));
        await HandedOverAsync((string)accepted["sessionKey"]!, 1);
        await bridge.AcceptedAsync("greta", "ask:and-now", "begin-2");
        await model.AskedAsync("and-now");
        // The notice may have woken the session before.
        var prompts = model.PromptOf("nothing") + model.PromptOf("and-now");
        Assert.Contains(id, prompts, StringComparison.Ordinal);
        Assert.Contains("count the nougat", prompts, StringComparison.Ordinal);
        Assert.Contains("has finished", prompts, StringComparison.Ordinal);

        var started = await bridge.CallAsync("session.start", new JsonObject { ["agentUrl"] = remote.Url.AbsoluteUri, ["message"] = "count the almonds" });
        Assert.True((bool)started["ok"]!, started.ToJsonString());
        await UntilAsync(client, (string)started["payload"]!["sessionId"]!, "completed");
        var unknown = await bridge.CallAsync("multiclaws.session.status", new JsonObject { ["sessionId"] = "nobody's" });
        Assert.Equal("not_found", (string?)unknown["error"]!["code"]);
        var (ran, said) = await gateway.CommandAsync("agent", "--session-key", "agent:main:main", "--message", "ask:main-word");
        Assert.True(ran == 0, said);
        await HandedOverAsync("agent:main:main", 1);
        (ran, said) = await gateway.CommandAsync("agent", "--session-key", "agent:main:main", "--message", "ask:main-again");
        Assert.True(ran == 0, said);
        Assert.Contains("count the almonds", model.PromptOf("nothing") + model.PromptOf("main-word") + model.PromptOf("main-again"), StringComparison.Ordinal);

        async Task HandedOverAsync(string sessionKey, int least) => await Wait.UntilAsync(async () =>
        {
            var list = await CallAsync(client, "outbox.list", new JsonObject { ["channel"] = "openclaw", ["sessionKey"] = sessionKey });
            var entries = list["entries"]!.AsArray();
            return entries.Count >= least && entries.All(static entry => (string?)entry!["state"] is "acked" or "delivered");
        }, "the notice is handed over");
    }

    /// <summary>
    /// Teams and the profile through the gateway; its main session is told once that the profile isn't finished, and no other is. With heartbeats on, a session's end wakes
    /// the conversation that asked; in the test above they are off.
    /// </summary>
    [OpenClawFact]
    public async Task The_gateway_has_teams_a_health_route_and_the_skill_and_its_main_session_is_told_of_the_profile()
    {
        if (OpenClawInstallation.Missing is { } reason) Assert.Fail(reason);
        await using var model = await FakeModel.StartAsync();
        await using var host = await HostProcess.StartAsync(arguments: ["--agent", "openclaw"]);
        await using var client = await ClientAsync(host);
        var state = Scratch.NewFolder("cbmulticlaws");
        await using var gateway = GatewayProcess.Configure(
            state, model.Port, InteropLab.CopyPlugin(state), new JsonObject { ["endpoint"] = $"unix:{host.Socket}" },
            new JsonObject { ["enabled"] = true, ["dmPolicy"] = "open", ["allowFrom"] = new JsonArray("*") });
        var file = Path.Combine(state, "openclaw", "openclaw.json");
        var config = JsonNode.Parse(await File.ReadAllTextAsync(file))!;
        config["agents"]!["defaults"]!["heartbeat"] = new JsonObject { ["every"] = "30m" };
        await File.WriteAllTextAsync(file, config.ToJsonString());
        await gateway.StartAsync();
        await using var bridge = await BncrClient.ConnectAsync(gateway.Url, GatewayProcess.Token);
        using var http = new HttpClient { BaseAddress = new UriBuilder(gateway.Url) { Scheme = "http", Path = "/" }.Uri };
        Assert.Equal("""{"ok":true,"plugin":"multiclaws"}""", await http.GetStringAsync(new Uri("multiclaws/health", UriKind.Relative)));

        // A session of somebody is told nothing; the main one is, once it is there.
        await bridge.AcceptedAsync("greta", "ask:stranger", "stranger-1");
        await bridge.PushAsync("greta");
        Assert.DoesNotContain("multiclaws_profile_clear_pending_review", model.PromptOf("stranger"), StringComparison.Ordinal);
        var (ran, said) = await gateway.CommandAsync("agent", "--session-key", "agent:main:main", "--message", "ask:main-first");
        Assert.True(ran == 0, said);
        await Wait.UntilAsync(async () =>
        {
            var list = (await CallAsync(client, "outbox.list", new JsonObject { ["channel"] = "openclaw", ["sessionKey"] = "agent:main:main" }))["entries"]!.AsArray();
            return list.Count == 1 && (string?)list[0]!["state"] is "acked" or "delivered";
        }, "the main session is told");
        (ran, said) = await gateway.CommandAsync("agent", "--session-key", "agent:main:main", "--message", "ask:main-second");
        Assert.True(ran == 0, said);
        var prompts = model.PromptOf("main-first") + model.PromptOf("main-second");
        Assert.Contains("multiclaws_profile_clear_pending_review", prompts, StringComparison.Ordinal);
        // The lab's agents have no tool to read files with, so their prompts name no skills; the gateway knows it all the same.
        (ran, said) = await gateway.CommandAsync("skills", "info", "multiclaws");
        Assert.True(ran == 0 && said.Contains("assistants for help", StringComparison.Ordinal), said);

        Assert.Equal("team_create_failed", (string?)(await bridge.CallAsync("multiclaws.team.create", new JsonObject { ["name"] = "us" }))["error"]!["code"]);
        Assert.True((bool)(await bridge.CallAsync("multiclaws.profile.set", new JsonObject { ["ownerName"] = "Ann", ["bio"] = "knows" }))["ok"]!);
        var made = await bridge.CallAsync("multiclaws.team.create", new JsonObject { ["name"] = "us" });
        Assert.StartsWith("mc:", (string)made["payload"]!["inviteCode"]!, StringComparison.Ordinal);
        Assert.Equal("us", (string)(await bridge.CallAsync("multiclaws.team.members", []))["payload"]!["team"]!["teamName"]!);

        // Nobody says anything more to the main session: the notice alone has its model asked again.
        await using var remote = await DoorServer.StartAsync();
        await CallAsync(client, "agents.add", new JsonObject { ["url"] = remote.Url.AbsoluteUri });
        Assert.True((bool)(await bridge.CallAsync("session.start", new JsonObject { ["agentUrl"] = remote.Url.AbsoluteUri, ["message"] = "count the almonds" }))["ok"]!);
        await Wait.UntilAsync(
            () => (model.PromptOf("main-second") + model.PromptOf("nothing")).Contains("count the almonds", StringComparison.Ordinal), "the model is asked with the notice");

        await host.KillAsync();
        await Wait.UntilAsync(async () =>
        {
            using var answer = await http.GetAsync(new Uri("multiclaws/health", UriKind.Relative));
            return answer.StatusCode == System.Net.HttpStatusCode.ServiceUnavailable;
        }, "the gateway says that the host is away");
    }

    private static async Task<ChannelBridgeClient> ClientAsync(HostProcess host)
    {
        var client = new ChannelBridgeClient(new ChannelBridgeClientOptions { Endpoint = $"unix:{host.Socket}" });
        await client.ConnectAsync();
        return client;
    }

    private static async Task<JsonObject> CallAsync(ChannelBridgeClient client, string method, JsonObject parameters) =>
        JsonNode.Parse((await client.CallAsync(method, JsonSerializer.SerializeToUtf8Bytes(parameters))).Span)!.AsObject();

    private static async Task<string> StartAsync(ChannelBridgeClient client, string url, string message)
    {
        var started = await CallAsync(client, "multiclaws.session.start", new JsonObject { ["agentUrl"] = url, ["message"] = message });
        Assert.Equal("running", (string?)started["status"]);
        return (string)started["sessionId"]!;
    }

    private static Task<JsonObject> StatusAsync(ChannelBridgeClient client, string id) => CallAsync(client, "session.status", new JsonObject { ["sessionId"] = id });

    private static async Task<JsonObject> UntilAsync(ChannelBridgeClient client, string id, string status)
    {
        await Wait.UntilAsync(async () => (string?)(await StatusAsync(client, id))["status"] == status, $"the session is {status}");
        return await StatusAsync(client, id);
    }

    private static string Last(JsonObject session) => (string)session["messages"]!.AsArray()[^1]!["content"]!;
}
