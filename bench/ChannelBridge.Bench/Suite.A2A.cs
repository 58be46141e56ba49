using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;

namespace ChannelBridge.Bench;

/// <summary>Rows about A2A: the host's endpoint, durable, beside the JavaScript SDK's server of 0.3.14, which keeps its tasks in memory.</summary>
internal sealed partial class Suite
{
    private const int SendsInFlight = 32;

    private static readonly int[] StreamLengths = [50, 800, 5000];

    private static readonly string[] ManySends =
    [
        "CHANNELBRIDGE__CHANNELS__A2A__SENDSPERMINUTE=1000000", "CHANNELBRIDGE__CHANNELS__A2A__READSPERMINUTE=1000000",
        "CHANNELBRIDGE__CHANNELS__A2A__MAXTASKSPERPEER=1000000", "CHANNELBRIDGE__CHANNELS__A2A__MAXTASKS=1000000", "CHANNELBRIDGE__LIMITS__AGENTTURNSPERMINUTE=0",
    ];

    private async Task A2AAsync()
    {
        List<double> floorRate = [], rate = [], floorCpu = [], cpu = [], floorAlone = [], alone = [];
        var floorEvents = StreamLengths.ToDictionary(length => length, _ => new List<double>());
        var events = StreamLengths.ToDictionary(length => length, _ => new List<double>());
        for (var run = 0; run < _runs; run++)
        {
            Progress($"a2a, run {run + 1} of {_runs}");
            await using (var floor = await Subject.A2AFloorAsync()) await SendsAsync(new A2APeer(floor, "rpc", ""), floorRate, floorCpu, floorAlone);
            await using (var host = await Subject.HostAsync(environment: ManySends))
                await SendsAsync(new A2APeer(host, "a2a", await host.PeerTokenAsync("bench")), rate, cpu, alone);

            await using (var floor = await Subject.A2AFloorAsync()) await EventsAsync(new A2APeer(floor, "rpc", ""), "events {0}", floorEvents, []);
            await using (var provider = await Subject.ProviderAsync())
            await using (var host = await Subject.HostAsync(agent: $"responses={provider.Url}v1", environment: ManySends))
                await EventsAsync(new A2APeer(host, "a2a", await host.PeerTokenAsync("bench")), "stream {0} 0", events, []);
        }

        Add($"A2A: blocking sends, {SendsInFlight} in flight, beside the SDK's server in memory", floorRate, rate, "/s");
        Add("A2A: processor time for each of them, µs (lower is better)", floorCpu, cpu, "");
        Add("A2A: one send at a time, p50 µs (lower is better)", floorAlone, alone, "");
        foreach (var length in StreamLengths)
            Add($"A2A: streams of {length} pieces of text, processor time for each, µs (lower is better; the host joins pieces that come at once)", floorEvents[length], events[length], "");
        await EndedTasksAsync();
    }

    private async Task SendsAsync(A2APeer peer, List<double> rates, List<double> cpu, List<double> alone)
    {
        using (peer)
        {
            await peer.SendAsync(SendsInFlight, TimeSpan.FromSeconds(2));
            var before = peer.Subject.CpuSeconds();
            var clock = Stopwatch.StartNew();
            var latencies = await peer.SendAsync(SendsInFlight, _duration);
            rates.Add(latencies.Count / clock.Elapsed.TotalSeconds);
            cpu.Add((peer.Subject.CpuSeconds() - before) / latencies.Count * 1e6);
            alone.Add(Percentile(await peer.SendAsync(1, _duration / 2), 0.5));
        }
    }

    /// <summary>Blocking sends and streams of this build in turn with another one's, for a change of the way of a task.</summary>
    private async Task A2ABeforeAsync()
    {
        if (_before is null || !File.Exists(_before)) throw new ArgumentException("name the other build: a2a-before --host /path/to/channelbridge.dll");
        var (before, now) = (new A2ASeries(), new A2ASeries());
        for (var run = 0; run < _runs; run++)
        {
            // Each goes first as often as the other.
            foreach (var series in run % 2 == 0 ? (A2ASeries[])[before, now] : [now, before])
            {
                var host = series == now ? null : _before;
                Progress($"a2a {(series == now ? "now" : "before")}, round {run + 1} of {_runs}");
                await using (var subject = await Subject.HostAsync(environment: ManySends, host: host))
                    await SendsAsync(new A2APeer(subject, "a2a", await subject.PeerTokenAsync("bench")), series.Rate, series.Cpu, series.Alone);
                await using var provider = await Subject.ProviderAsync();
                await using var streaming = await Subject.HostAsync(agent: $"responses={provider.Url}v1", environment: ManySends, host: host);
                await EventsAsync(new A2APeer(streaming, "a2a", await streaming.PeerTokenAsync("bench")), "stream {0} 0", series.Events, []);
            }
        }

        Console.WriteLine("| what | before: median (range) | now: median (range) | now / before |");
        Console.WriteLine("|---|---|---|---|");
        Add($"A2A: blocking sends, {SendsInFlight} in flight", before.Rate, now.Rate, "/s");
        Add("A2A: processor time for each of them, µs (lower is better)", before.Cpu, now.Cpu, "");
        Add("A2A: one send at a time, p50 µs (lower is better)", before.Alone, now.Alone, "");
        foreach (var length in StreamLengths)
            Add($"A2A: streams of {length} pieces of text, processor time for each, µs (lower is better)", before.Events[length], now.Events[length], "");
    }

    /// <summary>
    /// Streams of an agent in the server's own process, each piece an event, beside the SDK's server, or beside another build of this. The task itself, two commits, is in the
    /// first rows; in the others what a stream of one event costs is taken away.
    /// </summary>
    private async Task A2AStreamsAsync()
    {
        var (floors, subjects) = (new StreamSeries(), new StreamSeries());
        for (var run = 0; run < _runs; run++)
        {
            foreach (var series in run % 2 == 0 ? (StreamSeries[])[floors, subjects] : [subjects, floors])
            {
                Progress($"a2a streams, run {run + 1} of {_runs}");
                await using var server = series == floors && _before is null ? await Subject.A2AFloorAsync() : await Subject.A2AHostAsync(series == floors ? _before : null);
                var isSdk = series == floors && _before is null;
                await EventsAsync(new A2APeer(server, isSdk ? "rpc" : "a2a", isSdk ? "" : A2AServer.Token), "events {0}", series.Whole, series.Alone);
            }
        }

        foreach (var length in StreamLengths)
            Add($"A2A: streams of {length} events, processor time for each, µs (lower is better)", floors.Whole[length], subjects.Whole[length], "");
        foreach (var length in StreamLengths)
            Add($"A2A: the same of {length} events, without the task itself, µs (lower is better)", floors.Alone[length], subjects.Alone[length], "");
    }

    /// <summary>Processor time of the server for each event.</summary>
    /// <param name="peer">The client.</param>
    /// <param name="text">What asks for as many.</param>
    /// <param name="into">By length, everything.</param>
    /// <param name="alone">By length, without what a stream of one event costs; empty: isn't asked.</param>
    private static async Task EventsAsync(A2APeer peer, string text, Dictionary<int, List<double>> into, Dictionary<int, List<double>> alone)
    {
        using (peer)
        {
            var measured = new List<(int Length, int Streams, double Seconds)>();
            foreach (var (length, values) in into)
            {
                // A server compiles its code better after thousands of events, and takes seconds for it: that isn't what an event costs.
                for (var warm = Stopwatch.StartNew(); warm.Elapsed < TimeSpan.FromSeconds(5);) await StreamsAsync(3, length);
                var streams = Math.Max(10, 20_000 / length);
                measured.Add((length, streams, await StreamsAsync(streams, length)));
                values.Add(measured[^1].Seconds / (streams * length) * 1e6);
            }

            if (alone.Count == 0) return;
            var task = await StreamsAsync(400, 1) / 400;
            foreach (var (length, streams, seconds) in measured) alone[length].Add((seconds - (streams * task)) / (streams * (length - 1)) * 1e6);
        }

        async Task<double> StreamsAsync(int count, int length)
        {
            var asked = string.Format(CultureInfo.InvariantCulture, text, length);
            var before = peer.Subject.CpuSeconds();
            for (var i = 0; i < count; i++) await peer.StreamAsync(asked);
            return peer.Subject.CpuSeconds() - before;
        }
    }

    /// <summary>Resident memory after 100,000 ended tasks beside that after 1,000.</summary>
    private static async Task EndedTasksAsync()
    {
        const int Few = 1000, Many = 100_000;
        Progress($"a2a, {Many} ended tasks");
        await using var host = await Subject.HostAsync(environment: ManySends);
        using var peer = new A2APeer(host, "a2a", await host.PeerTokenAsync("bench"));
        await peer.SendAsync(SendsInFlight, TimeSpan.FromMinutes(5), Few);
        var few = host.ResidentMiB();
        await peer.SendAsync(SendsInFlight, TimeSpan.FromMinutes(10), Many - Few);
        Add($"A2A: resident memory, MiB, after {Few:#,0} and after {Many:#,0} ended tasks (lower is better)", [few], [host.ResidentMiB()], "");
    }

    private sealed class StreamSeries
    {
        public Dictionary<int, List<double>> Whole { get; } = StreamLengths.ToDictionary(length => length, _ => new List<double>());

        public Dictionary<int, List<double>> Alone { get; } = StreamLengths.ToDictionary(length => length, _ => new List<double>());
    }

    private sealed class A2ASeries
    {
        public List<double> Rate { get; } = [];

        public List<double> Cpu { get; } = [];

        public List<double> Alone { get; } = [];

        public Dictionary<int, List<double>> Events { get; } = StreamLengths.ToDictionary(length => length, _ => new List<double>());
    }

    /// <summary>A client of version 0.3 over JSON-RPC that costs little: it looks for the words that it needs and reads nothing else.</summary>
    private sealed class A2APeer : IDisposable
    {
        private static readonly string Salt = Guid.NewGuid().ToString("N");
        private static long s_number;

        private readonly HttpClient _http = new(new SocketsHttpHandler { MaxConnectionsPerServer = SendsInFlight });
        private readonly Uri _address;

        public A2APeer(Subject subject, string path, string token)
        {
            Subject = subject;
            _address = new UriBuilder(subject.Url) { Scheme = "http", Path = path }.Uri;
            if (token.Length > 0) _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        public Subject Subject { get; }

        /// <summary>Blocking sends, each a task of a conversation of its own with an artifact; their times in microseconds.</summary>
        public async Task<List<double>> SendAsync(int inFlight, TimeSpan duration, int most = int.MaxValue)
        {
            var (clock, sent) = (Stopwatch.StartNew(), 0);
            var times = await Task.WhenAll(Enumerable.Range(0, inFlight).Select(_ => Task.Run(async () =>
            {
                var own = new List<double>();
                while (clock.Elapsed < duration && Interlocked.Increment(ref sent) <= most)
                {
                    var start = Stopwatch.GetTimestamp();
                    using var request = Request("message/send", Text);
                    using var response = await _http.SendAsync(request);
                    var answer = await response.Content.ReadAsStringAsync();
                    if (!answer.Contains("\"completed\"", StringComparison.Ordinal) || !answer.Contains("\"artifacts\"", StringComparison.Ordinal))
                        throw new InvalidOperationException(answer[..Math.Min(answer.Length, 500)]);
                    own.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
                }

                return own;
            })));
            return [.. times.SelectMany(own => own)];
        }

        /// <summary>One stream, read to its end.</summary>
        public async Task StreamAsync(string text)
        {
            using var request = Request("message/stream", text);
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(), Encoding.UTF8, detectEncodingFromByteOrderMarks: false, bufferSize: 16 * 1024);
            var (events, last) = (0, "");
            while (await reader.ReadLineAsync() is { } line)
            {
                if (!line.StartsWith("data:", StringComparison.Ordinal)) continue;
                events++;
                last = line;
            }

            if (!last.Contains("\"completed\"", StringComparison.Ordinal)) throw new InvalidOperationException($"a stream of {events} events ended without its task: {last}");
        }

        public void Dispose() => _http.Dispose();

        private HttpRequestMessage Request(string method, string text)
        {
            var body =
                $$"""
                {"jsonrpc":"2.0","id":1,"method":"{{method}}","params":{"configuration":{"blocking":true},"message":{
                "kind":"message","role":"user","messageId":"{{Salt}}-{{Interlocked.Increment(ref s_number)}}","parts":[{"kind":"text","text":"{{text}}"}] } } }
                """;
            return new HttpRequestMessage(HttpMethod.Post, _address) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        }
    }
}
