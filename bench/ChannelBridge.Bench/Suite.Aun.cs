using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;

namespace ChannelBridge.Bench;

/// <summary>AUN: messages between two AIDs and to an agent, connections that say nothing, what waits, and logins.</summary>
internal sealed partial class Suite
{
    private const string AunIssuer = "agentid.pub";
    private const string AunBot = "bot." + AunIssuer;
    private const int AunAtOnce = 64;

    private async Task AunAsync()
    {
        await AunMessagesAsync();
        await AunAgentAsync();
        await AunLoginsAsync();
        await AunPullsAsync();
        await AunIdleAsync();
    }

    /// <summary>From <c>message.send</c> to <c>event/message.received</c>, on disk, with and without the receiver's ack, beside the bare echo.</summary>
    private async Task AunMessagesAsync()
    {
        List<double> floors = [], floorP99 = [], subjects = [], p99 = [], acked = [];
        for (var run = 0; run < _runs; run++)
        {
            Progress($"AUN messages, run {run + 1} of {_runs}");
            await using (var floor = await Subject.FloorAsync())
            {
                await using var client = await BenchClient.ConnectAsync(floor, bridge: false);
                await client.LoadAsync(AunAtOnce, TimeSpan.FromSeconds(2), AunFrame);
                var clock = Stopwatch.StartNew();
                var (count, latencies) = await client.LoadAsync(AunAtOnce, _duration, AunFrame);
                floors.Add(count / clock.Elapsed.TotalSeconds);
                floorP99.Add(Percentile(latencies, 0.99));
            }

            foreach (var acks in (bool[])[false, true])
            {
                await using var host = await AunHostAsync();
                using var alice = await JoinAsync(host, "alice");
                using var bob = await JoinAsync(host, "bobby");
                await using var from = await alice.ConnectAsync();
                await using var to = await bob.ConnectAsync();
                var pair = new AunPair(from, to, bob.Aid, Text);
                await pair.LoadAsync(AunAtOnce, TimeSpan.FromSeconds(2), acks);
                var clock = Stopwatch.StartNew();
                var (count, latencies) = await pair.LoadAsync(AunAtOnce, _duration, acks);
                (acks ? acked : subjects).Add(count / clock.Elapsed.TotalSeconds);
                if (!acks) p99.Add(Percentile(latencies, 0.99));
            }
        }

        Add($"AUN: message.send until it is told, durable, {AunAtOnce} in flight, beside a bare WebSocket echo", floors, subjects,
            $"/s; p99 {Median(p99) / 1000:0.0} ms beside {Median(floorP99) / 1000:0.0} ms");
        Add("AUN: the same, each acked by its receiver", floors, acked, "/s");
    }

    /// <summary>To the agent echo and back, sealed beside plain: as many AIDs as messages on their way.</summary>
    private async Task AunAgentAsync()
    {
        List<double> plain = [], closed = [];
        var (plainCost, closedCost) = (new AunCost(), new AunCost());
        for (var run = 0; run < _runs; run++)
        {
            Progress($"AUN agent, run {run + 1} of {_runs}");
            await using var host = await AunHostAsync();
            var certificate = await CertificateAsync(host);
            var all = new List<(AunIdentity Who, AunSocket Socket)>();
            try
            {
                for (var index = 0; index < AunAtOnce; index++)
                {
                    var who = await JoinAsync(host, $"user{index}");
                    all.Add((who, await who.ConnectAsync()));
                    await who.PrepareAsync(all[^1].Socket, AunBot, certificate);
                }

                foreach (var isSealed in (bool[])[false, true])
                {
                    await ConverseAsync(TimeSpan.FromSeconds(2));
                    (isSealed ? closed : plain).Add(await (isSealed ? closedCost : plainCost).MeasureAsync(host, () => ConverseAsync(_duration)));

                    async Task<long> ConverseAsync(TimeSpan duration) =>
                        (await Task.WhenAll(all.Select(one => Task.Run(() => AskAsync(one.Who, one.Socket, isSealed, duration))))).Sum();
                }
            }
            finally
            {
                foreach (var (who, socket) in all)
                {
                    await socket.DisposeAsync();
                    who.Dispose();
                }
            }
        }

        Add($"AUN: to the agent echo and back, {AunAtOnce} AIDs, sealed beside plain", plain, closed, $"/s; {closedCost} sealed, {plainCost} plain");
    }

    private static async Task<long> AskAsync(AunIdentity who, AunSocket socket, bool isSealed, TimeSpan duration)
    {
        var count = 0L;
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < duration; count++)
        {
            var id = Guid.NewGuid().ToString();
            var send = isSealed ? who.Seal(id, Text) : $$$"""{"to":"{{{AunBot}}}","message_id":"{{{id}}}","payload":{"type":"text","text":"{{{Text}}}"}}""";
            await socket.SendAsync($$"""{"jsonrpc":"2.0","id":"{{id}}","method":"message.send","params":{{send}}}""");
            for (var told = false; !told;)
            {
                var frame = await socket.ReceiveAsync();
                if (frame.Span.IndexOf("\"error\""u8) >= 0) throw new InvalidOperationException(Encoding.UTF8.GetString(frame.Span));
                told = frame.Span.IndexOf("event/message.received"u8) >= 0;
                if (told && isSealed && who.Open(frame) < Text.Length) throw new InvalidOperationException("the answer is too short");
            }
        }

        return count;
    }

    /// <summary><c>aid_login1</c>, <c>aid_login2</c> and <c>connect</c>, each on its own WebSocket with its own challenge, as the SDKs do.</summary>
    private async Task AunLoginsAsync()
    {
        List<double> rates = [];
        await using var host = await AunHostAsync();
        var all = new List<AunIdentity>();
        for (var index = 0; index < AunAtOnce; index++) all.Add(await JoinAsync(host, $"user{index}"));
        await LoadAsync(TimeSpan.FromSeconds(2));
        var cost = new AunCost();
        for (var run = 0; run < _runs; run++)
        {
            Progress($"AUN logins, run {run + 1} of {_runs}");
            rates.Add(await cost.MeasureAsync(host, () => LoadAsync(_duration)));
        }

        foreach (var who in all) who.Dispose();
        Add($"AUN: login1, login2 and connect, each on its own WebSocket, {AunAtOnce} at a time, beside 150", [150], rates, $"/s; {cost}");

        async Task<long> LoadAsync(TimeSpan duration) => (await Task.WhenAll(all.Select(who => Task.Run(async () =>
        {
            var count = 0L;
            for (var clock = Stopwatch.StartNew(); clock.Elapsed < duration; count++)
            {
                await who.LoginAsync();
                await using var socket = await who.ConnectAsync();
            }

            return count;
        })))).Sum();
    }

    /// <summary>What waits for an AID, pulled 200 at a time.</summary>
    private async Task AunPullsAsync()
    {
        const int Messages = 100_000;
        const int Page = 200;
        await using var host = await AunHostAsync();
        using var alice = await JoinAsync(host, "alice");
        using var bob = await JoinAsync(host, "bobby");
        await using var from = await alice.ConnectAsync();
        Progress($"AUN: {Messages} messages that wait");
        await new AunPair(from, from, bob.Aid, Text).FillAsync(Messages, 256);
        List<double> rates = [], memory = [];
        var before = host.ResidentMiB();
        for (var run = 0; run < _runs; run++)
        {
            Progress($"AUN pulls, run {run + 1} of {_runs}");
            await using var to = await bob.ConnectAsync();
            var clock = Stopwatch.StartNew();
            for (var after = 0L; after < Messages;)
            {
                await to.SendAsync($$$"""{"jsonrpc":"2.0","id":"pull","method":"message.pull","params":{"after_seq":{{{after}}},"limit":{{{Page}}}}}""");
                var frame = await to.ReceiveAsync();
                var count = AunPair.Number(frame.Span, "],\"count\":"u8);
                if (count != Page) throw new InvalidOperationException($"{count} of {Page} messages");
                after += count;
            }

            rates.Add(Messages / clock.Elapsed.TotalSeconds);
            memory.Add(host.ResidentMiB());
        }

        Add($"AUN: {Messages} waiting messages, pulled {Page} at a time, beside 20,000", [20_000], rates, "/s");
        Add("AUN: resident memory before and after the pulls, MiB (lower is better)", [before], memory, "");
    }

    /// <summary>As many AIDs as connections, each with a device, all long, before a host that has done nothing else.</summary>
    private async Task AunIdleAsync()
    {
        const int Connections = 10_000;
        Progress($"AUN: {Connections} identities");
        var all = new ConcurrentBag<AunIdentity>();
        string data;
        await using (var first = await AunHostAsync())
        {
            var atOnce = new ParallelOptions { MaxDegreeOfParallelism = AunAtOnce };
            await Parallel.ForAsync(0, Connections, atOnce, async (index, _) => all.Add(await JoinAsync(first, $"user{index}")));
            data = await first.StopAsync();
        }

        Progress($"AUN: {Connections} idle connections");
        await using var host = await AunHostAsync(data);
        await Task.Delay(TimeSpan.FromSeconds(2));
        var before = host.ResidentMiB();
        var sockets = new ConcurrentBag<(AunSocket Socket, Task Waiting)>();
        await Parallel.ForEachAsync(all, new ParallelOptions { MaxDegreeOfParallelism = AunAtOnce }, async (who, _) =>
        {
            // Something is always read, so that the host's own pings are answered.
            var socket = await who.ConnectAsync(GatewayOf(host));
            sockets.Add((socket, socket.ReceiveAsync().AsTask()));
        });
        await Task.Delay(TimeSpan.FromSeconds(2));
        if (sockets.Any(static one => one.Waiting.IsCompleted)) throw new InvalidOperationException("a connection has ended, or isn't idle");
        var each = (host.ResidentMiB() - before) * 1024 / Connections;
        Add("AUN: memory of each of 10,000 idle long connections, KiB, beside 24 (lower is better)", [24], [each], "");
        foreach (var (socket, _) in sockets) socket.Abort();
        foreach (var who in all) who.Dispose();
    }

    private static async Task<AunIdentity> JoinAsync(Subject host, string name)
    {
        var who = new AunIdentity(GatewayOf(host), $"{name}.{AunIssuer}");
        await who.RegisterAsync();
        await who.LoginAsync();
        return who;
    }

    private static async Task<string> CertificateAsync(Subject host)
    {
        using var http = new HttpClient();
        return await http.GetStringAsync(new Uri($"http://{host.Url.Authority}/pki/cert/{AunBot}"));
    }

    private static Uri GatewayOf(Subject host) => new(host.Url, "aun");

    private Task<Subject> AunHostAsync(string? data = null) => Subject.HostAsync(data, host: _before, environment:
    [
        "CHANNELBRIDGE__CHANNELS__AUN__ISSUERS=" + AunIssuer, $"CHANNELBRIDGE__CHANNELS__AUN__AGENTS__{AunBot}=echo", "CHANNELBRIDGE__LIMITS__AGENTTURNSPERMINUTE=0",
        "CHANNELBRIDGE__LIMITS__MAXCONNECTIONS=20000",
    ]);

    private static string AunFrame(long number) =>
        $$$$"""{"jsonrpc":"2.0","id":"r{{{{number}}}}","method":"message.send","params":{"to":"bobby.agentid.pub","message_id":"m{{{{number}}}}","payload":{"type":"text","text":"{{{{Text}}}}"}}}""";

    /// <summary>Processor time of the host for each operation, and that of this process, which is the client: both share the machine.</summary>
    private sealed class AunCost
    {
        private readonly List<double> _host = [], _client = [];

        /// <summary>Runs something that counts what it does; gives how much of it is done in a second.</summary>
        public async Task<double> MeasureAsync(Subject host, Func<Task<long>> run)
        {
            var (before, own, clock) = (host.CpuSeconds(), Environment.CpuUsage.TotalTime, Stopwatch.StartNew());
            var count = await run();
            var elapsed = clock.Elapsed.TotalSeconds;
            _host.Add((host.CpuSeconds() - before) * 1000 / count);
            _client.Add((Environment.CpuUsage.TotalTime - own).TotalMilliseconds / count);
            return count / elapsed;
        }

        /// <inheritdoc/>
        public override string ToString() => $"{Median(_host):0.00} ms of the host's processor time and {Median(_client):0.00} ms of the client's for each";
    }
}
