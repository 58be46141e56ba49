using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.A2A;
using ChannelBridge.Client;
using ChannelBridge.Tests.Integration.Hosts;
using ChannelBridge.Tests.Shared.A2A;

namespace ChannelBridge.Tests.Integration.MultiClaws;

/// <summary>Two hosts on one PostgreSQL: one of them holds the sessions, and when it is killed the other one goes on with them.</summary>
public sealed class SessionFleetTests
{
    [ServerFact]
    public async Task Sessions_of_a_killed_host_go_on_at_the_other_and_teams_are_known_to_both()
    {
        await using var remote = await DoorServer.StartAsync();
        var seal = Path.Combine(HostProcess.NewDataFolder(), "key");
        await using var fleet = await Fleet.StartAsync(2, settings: new Dictionary<string, string>
        {
            ["CHANNELBRIDGE__ACCESS__SEALKEYFILE"] = seal,
            ["CHANNELBRIDGE__CHANNELS__A2A__SELFURL"] = "http://10.1.2.3:7788",
        });
        await using var holder = await ClientAsync(fleet.Host(0));
        await using var other = await ClientAsync(fleet.Host(1));
        var url = remote.Url.AbsoluteUri;
        await CallAsync(holder, "agents.add", new JsonObject { ["url"] = url });
        var asks = await StartAsync(holder, "ask");
        var works = await StartAsync(holder, "wait");
        await UntilAsync(holder, asks, "input-required");
        await Wait.UntilAsync(async () => (await StatusAsync(holder, works))["currentTaskId"] is not null);
        var task = (string)(await StatusAsync(holder, works))["currentTaskId"]!;

        // The other one says so, in words and in code, and has nothing started.
        var refused = await Assert.ThrowsAsync<ChannelBridgeClientException>(() => StartAsync(other, "hello"));
        Assert.Equal(("UNAVAILABLE", true), (refused.Code, refused.Retryable));
        Assert.Contains("Another host of this store holds the sessions", refused.Message, StringComparison.Ordinal);
        // What isn't a session is everybody's: agents at once, the profile and teams within seconds.
        Assert.Single((await CallAsync(other, "agents.list", []))["agents"]!.AsArray());
        await CallAsync(other, "profile.set", new JsonObject { ["ownerName"] = "both", ["bio"] = "of one store" });
        await Wait.UntilAsync(async () => (string?)(await CallAsync(holder, "profile.show", []))["ownerName"] == "both");
        var made = await CallAsync(other, "teams.create", new JsonObject { ["name"] = "us" });
        await Wait.UntilAsync(async () => await CodeAsync(holder) == (string?)made["inviteCode"]);

        await fleet.KillAsync(0);
        await Wait.UntilAsync(async () =>
        {
            try
            {
                return (string?)(await StatusAsync(other, asks))["status"] == "input-required";
            }
            catch (ChannelBridgeClientException fault) when (fault.Code == "UNAVAILABLE")
            {
                return false;
            }
        }, "the other host has taken over");
        Assert.Equal(("active", task), ((string?)(await StatusAsync(other, works))["status"], (string?)(await StatusAsync(other, works))["currentTaskId"]));
        await CallAsync(other, "session.reply", new JsonObject { ["sessionId"] = asks, ["message"] = "for two" });
        Assert.Equal("for two", (string?)(await UntilAsync(other, asks, "completed"))["messages"]!.AsArray()[^1]!["content"]);
        await remote.Agent.CancelAsync("somebody", new CancelTaskRequest { Id = task }, CancellationToken.None);
        await UntilAsync(other, works, "canceled");

        async Task<string> StartAsync(ChannelBridgeClient client, string message) =>
            (string)(await CallAsync(client, "session.start", new JsonObject { ["agentUrl"] = url, ["message"] = message }))["sessionId"]!;
    }

    private static async Task<ChannelBridgeClient> ClientAsync(HostProcess host)
    {
        var client = new ChannelBridgeClient(new ChannelBridgeClientOptions { Endpoint = $"unix:{host.Socket}", Token = Fleet.Token });
        await client.ConnectAsync();
        return client;
    }

    private static async Task<JsonObject> CallAsync(ChannelBridgeClient client, string method, JsonObject parameters) =>
        JsonNode.Parse((await client.CallAsync(method, JsonSerializer.SerializeToUtf8Bytes(parameters))).Span)!.AsObject();

    private static async Task<string?> CodeAsync(ChannelBridgeClient client)
    {
        try
        {
            return (string?)(await CallAsync(client, "teams.invite", []))["inviteCode"];
        }
        catch (ChannelBridgeClientException fault) when (fault.Code == "NOT_FOUND")
        {
            return null;
        }
    }

    private static Task<JsonObject> StatusAsync(ChannelBridgeClient client, string id) => CallAsync(client, "session.status", new JsonObject { ["sessionId"] = id });

    private static async Task<JsonObject> UntilAsync(ChannelBridgeClient client, string id, string status)
    {
        await Wait.UntilAsync(async () => (string?)(await StatusAsync(client, id))["status"] == status, $"the session is {status}");
        return await StatusAsync(client, id);
    }
}
