using System.Net.Http.Headers;

namespace ChannelBridge.Bench;

/// <summary>The hot path of this host beside that of another build, in turn: whether a change made it slower.</summary>
internal sealed partial class Suite
{
    private string? _before;
    private string? _only;

    /// <summary>
    /// Alternating rounds: acks, drains over one and over 64 conversations, the whole way over a thousand; Juji's calls; responses, whole and as a stream; of
    /// each the rate, p99, processor time, bytes written to the disk, and memory at its end. Each is warmed up as long as it is measured: a host that has just started compiles.
    /// </summary>
    private async Task BeforeAsync()
    {
        if (_before is null || !File.Exists(_before)) throw new ArgumentException("name the other build: before --host /path/to/channelbridge.dll");
        var (before, now) = (new HostSeries(), new HostSeries());
        for (var run = 0; run < _runs; run++)
        {
            // Each goes first as often as the other.
            foreach (var series in run % 2 == 0 ? (HostSeries[])[before, now] : [now, before])
            {
                Progress($"{(series == now ? "now" : "before")}, round {run + 1} of {_runs}");
                await HostRoundAsync(series, series == now ? null : _before);
            }
        }

        Console.WriteLine("| what | before: median (range) | now: median (range) | now / before |");
        Console.WriteLine("|---|---|---|---|");
        foreach (var name in now.Names) Add(name, before[name], now[name], "");
    }

    private async Task HostRoundAsync(HostSeries series, string? host)
    {
        if (Wanted("acks"))
        {
            await using var subject = await Subject.HostAsync(host: host);
            await using var client = await BenchClient.ConnectAsync(subject, bridge: false);
            await client.LoadAsync(64, _duration, Inbound);
            var before = Usage.Of(subject);
            var clock = System.Diagnostics.Stopwatch.StartNew();
            var (count, latencies) = await client.LoadAsync(64, _duration, Inbound);
            series.Note("bncr.inbound, 64 in flight", count, clock.Elapsed, latencies, before, Usage.Of(subject));
        }

        foreach (var lanes in Wanted("drain") ? (int[])[1, 64] : [])
        {
            const int Messages = 20_000;
            await using var subject = await Subject.HostAsync(host: host);
            await using (var user = await BenchClient.ConnectAsync(subject, bridge: false)) await user.LoadAsync(1, TimeSpan.FromMinutes(1),
                number => Inbound(number, lanes), lanes);
            await using (var filler = await BenchClient.ConnectAsync(subject, bridge: false)) await filler.LoadAsync(64, TimeSpan.FromMinutes(2),
                number => Send(number, lanes), Messages);
            await using var bridge = await BenchClient.ConnectAsync(subject, bridge: true);
            var before = Usage.Of(subject);
            var clock = System.Diagnostics.Stopwatch.StartNew();
            await bridge.DrainAsync(Messages);
            series.Note($"drain over {lanes}", Messages, clock.Elapsed, [], before, Usage.Of(subject));
        }

        if (Wanted("whole"))
        {
            await using var subject = await Subject.HostAsync(host: host);
            await using var bridge = await BenchClient.ConnectAsync(subject, bridge: true);
            await bridge.ConverseAsync(64, 1000, _duration, InboundTo);
            var before = Usage.Of(subject);
            var clock = System.Diagnostics.Stopwatch.StartNew();
            var (latencies, rate) = await bridge.ConverseAsync(64, 1000, _duration, InboundTo);
            series.Note("whole way over a thousand", (long)(rate * clock.Elapsed.TotalSeconds), clock.Elapsed, latencies, before, Usage.Of(subject));
        }

        if (Wanted("juji")) await CallRoundAsync(series, host);
        foreach (var stream in Wanted("responses") ? (bool[])[false, true] : [])
        {
            await using var subject = await Subject.HostAsync(host: host, environment: ManySlots);
            using var http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 64 });
            await RespondAsync(http, subject, stream, _duration);
            var before = Usage.Of(subject);
            var clock = System.Diagnostics.Stopwatch.StartNew();
            var latencies = await RespondAsync(http, subject, stream, _duration);
            series.Note($"/v1/responses{(stream ? " as a stream" : "")}, stored, 16 at a time", latencies.Count, clock.Elapsed, latencies, before, Usage.Of(subject));
        }
    }

    /// <summary>A call through two hosts of the same build; the processor time is that of both.</summary>
    private async Task CallRoundAsync(HostSeries series, string? host)
    {
        await using var endpoint = await CommunityAsync(host);
        await using var connector = await ConnectorAsync(endpoint, host);
        await using var client = await BenchClient.ConnectAsync(connector, bridge: false);
        await client.LoadAsync(CallsInFlight, _duration, CallFrame);
        var before = Usage.Of(connector) + Usage.Of(endpoint);
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var (count, latencies) = await client.LoadAsync(CallsInFlight, _duration, CallFrame);
        series.Note($"juji.call through connector and endpoint, {CallsInFlight} in flight", count, clock.Elapsed, latencies, before, Usage.Of(connector) + Usage.Of(endpoint));
    }

    private bool Wanted(string part) => _only is null || _only == part;

    /// <summary>Asks for responses of the echo agent, sixteen at a time: the time of each, in microseconds.</summary>
    private static async Task<List<double>> RespondAsync(HttpClient http, Subject subject, bool stream, TimeSpan duration)
    {
        var address = new UriBuilder(subject.Url) { Scheme = "http", Path = "/v1/responses" }.Uri;
        var token = new AuthenticationHeaderValue("Bearer", subject.Token);
        var body = $$"""{"model":"echo","stream":{{(stream ? "true" : "false")}},"input":"What is the weather like in Paris today?"}""";
        var until = System.Diagnostics.Stopwatch.StartNew();
        var all = await Task.WhenAll(Enumerable.Range(0, 16).Select(async _ =>
        {
            var latencies = new List<double>();
            while (until.Elapsed < duration)
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, address);
                request.Headers.Authorization = token;
                request.Content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
                var started = System.Diagnostics.Stopwatch.GetTimestamp();
                using var response = await http.SendAsync(request);
                var answer = await response.Content.ReadAsStringAsync();
                if (!answer.Contains("completed", StringComparison.Ordinal)) throw new InvalidOperationException($"{(int)response.StatusCode}: {answer}");
                latencies.Add(System.Diagnostics.Stopwatch.GetElapsedTime(started).TotalMicroseconds);
            }

            return latencies;
        }));
        return [.. all.SelectMany(latencies => latencies)];
    }

    private readonly record struct Usage(double CpuSeconds, long WrittenBytes, double ResidentMiB)
    {
        public static Usage operator +(Usage one, Usage other) =>
            new(one.CpuSeconds + other.CpuSeconds, one.WrittenBytes + other.WrittenBytes, one.ResidentMiB + other.ResidentMiB);

        public static Usage Of(Subject subject) => new(subject.CpuSeconds(), subject.WrittenBytes(), subject.ResidentMiB());
    }

    private sealed class HostSeries
    {
        private readonly Dictionary<string, List<double>> _values = [];

        public IReadOnlyList<string> Names => [.. _values.Keys];

        public List<double> this[string name] => _values[name];

        public void Note(string what, long count, TimeSpan time, List<double> latencies, Usage before, Usage after)
        {
            Add($"{what}, /s", count / time.TotalSeconds);
            if (latencies.Count > 0) Add($"{what}, p99 ms", Percentile(latencies, 0.99) / 1000);
            Add($"{what}, µs of processor time each", (after.CpuSeconds - before.CpuSeconds) / count * 1e6);
            Add($"{what}, KiB written each", (after.WrittenBytes - before.WrittenBytes) / 1024.0 / count);
            Add($"{what}, MiB resident at the end", after.ResidentMiB);
        }

        private void Add(string name, double value)
        {
            if (!_values.TryGetValue(name, out var values)) _values[name] = values = [];
            values.Add(value);
        }
    }
}
