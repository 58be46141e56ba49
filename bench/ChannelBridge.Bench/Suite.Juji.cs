using System.Diagnostics;
using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Identity;

namespace ChannelBridge.Bench;

/// <summary>Juji: a call through connector and endpoint, two hosts, and members that are connected and say nothing.</summary>
internal sealed partial class Suite
{
    private async Task JujiAsync()
    {
        const int InFlight = 32;
        List<double> floors = [], subjects = [], p99 = [];
        for (var run = 0; run < _runs; run++)
        {
            Progress($"juji.call, run {run + 1} of {_runs}");
            await using (var floor = await Subject.FloorAsync()) floors.Add((await CallsAsync(floor, InFlight)).Rate);
            await using var endpoint = await CommunityAsync();
            var address = $"http://{endpoint.Url.Authority}/juji";
            await using var connector = await Subject.HostAsync(environment: ["CHANNELBRIDGE__CHANNELS__JUJI__BASEURL=" + address, "HOME=" + endpoint.Data]);
            var (rate, latencies) = await CallsAsync(connector, InFlight);
            subjects.Add(rate);
            p99.Add(Percentile(latencies, 0.99));
        }

        Add($"juji.call through connector and endpoint, {InFlight} in flight, beside a bare WebSocket echo", floors, subjects, $"/s; p99 {Median(p99) / 1000:0.0} ms");
        await MembersAsync();
    }

    private async Task<(double Rate, List<double> Latencies)> CallsAsync(Subject subject, int inFlight)
    {
        await using var client = await BenchClient.ConnectAsync(subject, bridge: false);
        static string Frame(long number) =>
            $$$$"""{"type":"req","id":"r{{{{number}}}}","method":"juji.call","params":{"action":"skills/list","params":{"name":"none"}}}""";
        await client.LoadAsync(inFlight, TimeSpan.FromSeconds(2), Frame);
        var clock = Stopwatch.StartNew();
        var (count, latencies) = await client.LoadAsync(inFlight, _duration, Frame);
        return (count / clock.Elapsed.TotalSeconds, latencies);
    }

    /// <summary>One member's connections: each costs what a member's only one does but for its record.</summary>
    private static async Task MembersAsync()
    {
        const int Connections = 1000;
        Progress($"{Connections} members' connections");
        await using var endpoint = await CommunityAsync();
        using var key = IdentityKey.Create();
        using var http = new HttpClient { BaseAddress = new Uri($"http://{endpoint.Url.Authority}") };
        using var answer = await http.PostAsJsonAsync("/juji/agent/register", new JsonObject { ["public_key"] = Convert.ToHexStringLower(key.PublicKey.Span) });
        var agent = (await answer.Content.ReadFromJsonAsync<JsonObject>())!;
        var before = endpoint.ResidentMiB();
        var sockets = new List<ClientWebSocket>();
        var buffer = new byte[1024];
        try
        {
            for (var index = 0; index < Connections; index++)
            {
                var at = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
                var signature = Convert.ToHexStringLower(key.Sign(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"juji-ws-v1|{agent["agent_id"]}|{at}"))));
                var socket = new ClientWebSocket();
                socket.Options.KeepAliveInterval = TimeSpan.Zero;
                sockets.Add(socket);
                await socket.ConnectAsync(
                    new Uri($"ws://{endpoint.Url.Authority}/juji/ws?agent_id={agent["agent_id"]}&token={agent["ws_token"]}&ts={at}&sig={signature}"), CancellationToken.None);
                await socket.ReceiveAsync(buffer, CancellationToken.None);
            }

            await Task.Delay(TimeSpan.FromSeconds(2));
            Add("memory of an idle member's connection, KiB, beside 20 (lower is better)", [20], [(endpoint.ResidentMiB() - before) * 1024 / Connections], "");
        }
        finally
        {
            foreach (var socket in sockets) socket.Dispose();
        }
    }

    private static Task<Subject> CommunityAsync() => Subject.HostAsync(environment:
    [
        "CHANNELBRIDGE__CHANNELS__JUJI__ENDPOINT__ENABLED=true", "CHANNELBRIDGE__CHANNELS__JUJI__ENDPOINT__MAXCONNECTIONSPERAGENT=1000",
        "CHANNELBRIDGE__LIMITS__MAXCONNECTIONS=20000", "CHANNELBRIDGE__LIMITS__REQUESTSPERSECONDPERTOKEN=0",
    ]);
}
