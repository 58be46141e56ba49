using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;

namespace ChannelBridge.Bench;

/// <summary>A broadcast to a community's members beside as many bare WebSocket sends.</summary>
internal sealed partial class Suite
{
    private const int Members = 1000;

    private async Task BroadcastAsync()
    {
        List<double> floors = [], subjects = [], bareCpu = [], cpu = [];
        for (var run = 0; run < _runs; run++)
        {
            Progress($"a broadcast to {Members} members, run {run + 1} of {_runs}");
            var (rate, spent) = await TellAllAsync(bare: true);
            floors.Add(rate);
            bareCpu.Add(spent);
            (rate, spent) = await TellAllAsync(bare: false);
            subjects.Add(rate);
            cpu.Add(spent);
        }

        Add($"a broadcast to {Members} members, on disk for each of them before it is said, beside as many bare WebSocket sends", floors, subjects,
            string.Create(CultureInfo.InvariantCulture, $" pushes/s; {Median(cpu):0} µs of processor time for each ({Median(bareCpu):0} µs the floor)"));
    }

    /// <summary>
    /// How many pushes have arrived in a second, from the request until the last member has the last one, and the server's processor time for each in microseconds.
    /// </summary>
    private async Task<(double Rate, double Cpu)> TellAllAsync(bool bare)
    {
        var index = 0;
        await using var subject = await Subject.TellingAsync(bare);
        var sockets = new List<ClientWebSocket>();
        try
        {
            for (var member = 0; member < Members; member++)
            {
                var socket = new ClientWebSocket();
                socket.Options.KeepAliveInterval = TimeSpan.Zero;
                sockets.Add(socket);
                var query = bare ? "" : await RegisteredAsync(subject, member);
                await socket.ConnectAsync(new Uri($"ws://{subject.Url.Authority}/juji/ws{query}"), CancellationToken.None);
                await ReadAsync(socket, null);
            }

            // The runtime compiles what is used much once more, and takes seconds for it.
            for (var warm = Stopwatch.StartNew(); warm.Elapsed < TimeSpan.FromSeconds(6);) await OnceAsync(index++);
            var (before, first) = (subject.CpuSeconds(), index);
            var clock = Stopwatch.StartNew();
            while (clock.Elapsed < _duration) await OnceAsync(index++);
            var pushes = Members * (index - first);
            return (pushes / clock.Elapsed.TotalSeconds, (subject.CpuSeconds() - before) / pushes * 1e6);
        }
        finally
        {
            foreach (var socket in sockets) socket.Dispose();
        }

        async Task OnceAsync(int number)
        {
            var receiving = sockets.Select(socket => ReadAsync(socket, "\"event\""));
            var all = receiving.ToList();
            var frame = string.Create(CultureInfo.InvariantCulture, $$$$"""{"agent_id":1,"u_id":"b{{{{number}}}}","params":{"action":"bench/tell-all","params":{}}}""");
            await sockets[0].SendAsync(Encoding.UTF8.GetBytes(frame), WebSocketMessageType.Text, true, CancellationToken.None);
            await Task.WhenAll(all);
        }
    }

    // What a member hears else, an answer or a pong, isn't a push.
    private static async Task ReadAsync(ClientWebSocket socket, string? wanted)
    {
        var buffer = new byte[4096];
        while (true)
        {
            var part = await socket.ReceiveAsync(buffer.AsMemory(), CancellationToken.None);
            if (part.MessageType == WebSocketMessageType.Close) throw new WebSocketException($"closed: {socket.CloseStatusDescription}");
            if (wanted is null || Encoding.UTF8.GetString(buffer, 0, part.Count).Contains(wanted, StringComparison.Ordinal)) return;
        }
    }

    /// <summary>A member without a key, which needn't sign. Registrations of one address are bounded, so several of loopback's are used.</summary>
    private static async Task<string> RegisteredAsync(Subject subject, int index)
    {
        using var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (context, cancellationToken) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                socket.Bind(new IPEndPoint(IPAddress.Parse(string.Create(CultureInfo.InvariantCulture, $"127.0.0.{2 + (index / 250)}")), 0));
                await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        using var http = new HttpClient(handler) { BaseAddress = subject.Url };
        using var answer = await http.PostAsJsonAsync("/juji/agent/register", new JsonObject { ["wallet_address"] = string.Create(CultureInfo.InvariantCulture, $"w{index}") });
        var agent = (await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonObject>())!;
        return $"?agent_id={agent["agent_id"]}&token={agent["ws_token"]}";
    }
}
