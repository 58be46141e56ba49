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
    private const int CallsInFlight = 32;

    private async Task JujiAsync()
    {
        if (Wanted("calls")) await CallsAsync();
        if (Wanted("broadcast")) await BroadcastAsync();
        if (Wanted("members")) await MembersAsync();
    }

    private async Task CallsAsync()
    {
        List<double> floors = [], subjects = [], p99 = [], connecting = [], answering = [];
        for (var run = 0; run < _runs; run++)
        {
            Progress($"juji.call, run {run + 1} of {_runs}");
            await using (var floor = await Subject.FloorAsync()) floors.Add((await CallsAsync(floor)).Rate);
            await using var endpoint = await CommunityAsync();
            await using var connector = await ConnectorAsync(endpoint);
            var before = (Connector: connector.CpuSeconds(), Endpoint: endpoint.CpuSeconds());
            var (rate, latencies, calls) = await CallsAsync(connector);
            subjects.Add(rate);
            connecting.Add((connector.CpuSeconds() - before.Connector) / calls * 1e6);
            answering.Add((endpoint.CpuSeconds() - before.Endpoint) / calls * 1e6);
            p99.Add(Percentile(latencies, 0.99));
        }

        Add($"juji.call through connector and endpoint, {CallsInFlight} in flight, beside a bare WebSocket echo", floors, subjects,
            string.Create(
                CultureInfo.InvariantCulture,
                $"/s; p99 {Median(p99) / 1000:0.0} ms; {Median(connecting):0} + {Median(answering):0} µs of processor time for each, warming up included"));
    }

    /// <summary>The rate, the latencies in microseconds, and how many calls there were, those that warm both sides up included.</summary>
    private async Task<(double Rate, List<double> Latencies, long Calls)> CallsAsync(Subject subject)
    {
        await using var client = await BenchClient.ConnectAsync(subject, bridge: false);
        var (warm, _) = await client.LoadAsync(CallsInFlight, TimeSpan.FromSeconds(2), CallFrame);
        var clock = Stopwatch.StartNew();
        var (count, latencies) = await client.LoadAsync(CallsInFlight, _duration, CallFrame);
        return (count / clock.Elapsed.TotalSeconds, latencies, warm + count);
    }

    private static string CallFrame(long number) =>
        $$$$"""{"type":"req","id":"r{{{{number}}}}","method":"juji.call","params":{"action":"skills/list","params":{"name":"none"}}}""";

    /// <summary>
    /// Some members' connections, a thousand each: each costs what a member's only one does but for its record. The first thousand make the host warm and aren't counted.
    /// </summary>
    private static async Task MembersAsync()
    {
        const int Connections = 1000, Agents = 5;
        Progress($"{Agents * Connections} members' connections");
        await using var endpoint = await CommunityAsync();
        using var http = new HttpClient { BaseAddress = new Uri($"http://{endpoint.Url.Authority}") };
        var sockets = new List<ClientWebSocket>();
        var buffer = new byte[1024];
        var before = 0d;
        try
        {
            for (var member = 0; member < Agents; member++)
            {
                using var key = IdentityKey.Create();
                using var answer = await http.PostAsJsonAsync("/juji/agent/register", new JsonObject { ["public_key"] = Convert.ToHexStringLower(key.PublicKey.Span) });
                var agent = (await answer.Content.ReadFromJsonAsync<JsonObject>())!;
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

                if (member > 0) continue;
                await Task.Delay(TimeSpan.FromSeconds(3));
                before = endpoint.ResidentMiB();
            }

            await Task.Delay(TimeSpan.FromSeconds(3));
            Add("memory of an idle member's connection, KiB, beside 20 (lower is better)", [20], [(endpoint.ResidentMiB() - before) * 1024 / ((Agents - 1) * Connections)], "");
        }
        finally
        {
            foreach (var socket in sockets) socket.Dispose();
        }
    }

    private static Task<Subject> CommunityAsync(string? host = null) => Subject.HostAsync(host: host, environment:
    [
        "CHANNELBRIDGE__CHANNELS__JUJI__ENDPOINT__ENABLED=true", "CHANNELBRIDGE__CHANNELS__JUJI__ENDPOINT__MAXCONNECTIONSPERAGENT=1000",
        "CHANNELBRIDGE__LIMITS__MAXCONNECTIONS=20000", "CHANNELBRIDGE__LIMITS__REQUESTSPERSECONDPERTOKEN=0",
    ]);

    private static Task<Subject> ConnectorAsync(Subject endpoint, string? host = null) =>
        Subject.HostAsync(host: host, environment: [$"CHANNELBRIDGE__CHANNELS__JUJI__BASEURL=http://{endpoint.Url.Authority}/juji", "HOME=" + endpoint.Data]);
}
