using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using ChannelBridge.Tests.Juji;
using Microsoft.AspNetCore.Http;

namespace ChannelBridge.Tests.Integration;

/// <summary>What happens to messages of both Juji channels stands where it stands for every other channel.</summary>
public sealed class JujiListTests
{
    [Fact]
    public async Task EventsMessagesAndDeadLetters_OfBothChannels_StandInTheListsOfAll()
    {
        await using var community = await FakeCommunity.StartAsync();
        community.Rest = (context, _) =>
        {
            context.Response.StatusCode = 400;
            return context.Response.WriteAsync("there is no such agent");
        };
        var data = HostProcess.NewDataFolder();
        await using var host = await HostProcess.StartAsync(data, environment: new Dictionary<string, string>
        {
            ["CHANNELBRIDGE__CHANNELS__JUJI__ACCOUNTS__MAIN__BASEURL"] = community.BaseUrl,
            ["CHANNELBRIDGE__CHANNELS__JUJI__ACCOUNTS__MAIN__ENVFILE"] = Path.Combine(data, "juji.env"),
            ["CHANNELBRIDGE__CHANNELS__JUJI__ENDPOINT__ENABLED"] = "true",
            ["CHANNELBRIDGE__CHANNELS__JUJI__OFFLINEPUSHES"] = "1s",
        });
        var events = new ConcurrentQueue<(string Name, JsonObject Payload)>();
        await using var client = new WireClient { OnEvent = (name, payload) => events.Enqueue((name, payload)) };
        await client.ConnectAsync(host.WebSocketUrl, host.Token);
        await client.CallAsync("events.subscribe", []);
        var side = await community.NextConnectionAsync();
        using var away = await Member.RegisterAsync(host, "away");

        await side.SendAsync("""{"type":"juji/notification","topic":"task.published","message":"a push"}""");
        await SendAsync("juji", "juji:8");
        await SendAsync("juji-endpoint", $"juji-endpoint:{away.Id}");
        await Wait.UntilAsync(async () => (await EntriesAsync("deadLetters.list")).Count == 2, "both are dead letters");
        Assert.Equal(
            [("juji", "dead", "fatal-ack"), ("juji-endpoint", "expired", "expired")],
            (await EntriesAsync("deadLetters.list")).Select(static entry => ((string)entry["channel"]!, (string)entry["state"]!, (string)entry["reason"]!)).Order());
        Assert.Equal(["juji", "juji-endpoint"], (await EntriesAsync("outbox.list")).Select(static entry => (string)entry["channel"]!).Order(StringComparer.Ordinal));
        await Wait.UntilAsync(() => Told("inbox.accepted", "juji") && Told("outbox.changed", "juji") && Told("outbox.changed", "juji-endpoint"));

        bool Told(string name, string channel) => events.Any(one => one.Name == name && (string?)one.Payload["channel"] == channel);

        Task<JsonObject> SendAsync(string channel, string target) => client.CallAsync(
            "send", new JsonObject { ["channel"] = channel, ["to"] = target, ["message"] = "hello", ["idempotencyKey"] = channel });

        async Task<List<JsonObject>> EntriesAsync(string method) => [.. (await client.CallAsync(method, []))["entries"]!.AsArray().Select(static entry => entry!.AsObject())];
    }
}
