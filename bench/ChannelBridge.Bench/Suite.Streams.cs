using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;

namespace ChannelBridge.Bench;

/// <summary>Streams of Open Responses: what the host adds between a provider and a client that could ask it directly.</summary>
internal sealed partial class Suite
{
    private static readonly string[] ManySlots = ["CHANNELBRIDGE__RESPONSES__SLOTS=128"];

    private async Task StreamsAsync()
    {
        const int Paced = 500, Long = 10_000, AtOnce = 100;
        List<double> directLatency = [], latency = [], directCpu = [], cpu = [], directFirst = [], first = [], before = [], after = [];
        for (var run = 0; run < _runs; run++)
        {
            Progress($"streams, run {run + 1} of {_runs}");
            await using var provider = await Subject.ProviderAsync();
            await using var host = await Subject.HostAsync(agent: $"responses={provider.Url}v1", environment: ManySlots);
            using var http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 256 }) { Timeout = TimeSpan.FromMinutes(5) };

            // Warm: what is measured is a service that has run for a while.
            for (var warm = 0; warm < 3; warm++)
            {
                await StreamAsync(http, provider, 3000, 0);
                await StreamAsync(http, host, 3000, 0);
            }

            directLatency.Add(Percentile((await StreamAsync(http, provider, Paced, 2)).Latencies, 0.5));
            latency.Add(Percentile((await StreamAsync(http, host, Paced, 2)).Latencies, 0.5));

            var (providerCpu, hostCpu) = (provider.CpuSeconds(), host.CpuSeconds());
            await StreamAsync(http, provider, Long, 0);
            directCpu.Add((provider.CpuSeconds() - providerCpu) * 1e6 / Long);
            hostCpu = host.CpuSeconds();
            before.Add(host.ResidentMiB());
            await StreamAsync(http, host, Long, 0);
            after.Add(host.ResidentMiB());
            cpu.Add((host.CpuSeconds() - hostCpu) * 1e6 / Long);

            directFirst.Add(await FirstTokensAsync(provider));
            first.Add(await FirstTokensAsync(host));

            async Task<double> FirstTokensAsync(Subject subject)
            {
                var firsts = await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => StreamAsync(http, subject, 20, 20)));
                return Percentile([.. firsts.Select(stream => stream.First)], 0.99) / 1000;
            }
        }

        Add($"from a provider's delta to the client, p50 µs, one each 2 ms: directly and through the host (lower is better; {Median(latency) - Median(directLatency):0} µs more)", directLatency, latency, "");
        Add("processor time for each of 10,000 deltas, µs: the provider's own and the host's (lower is better)", directCpu, cpu, "");
        Add($"first token of {AtOnce} streams at once, p99 ms: directly and through the host (lower is better)", directFirst, first, "");
        Add("resident memory, MiB, before and after a stream of 10,000 deltas (lower is better)", before, after, "");
        await AllocationsAsync();
    }

    /// <summary>One stream, read to its end: the time from each stamp to its arrival, and that of the first, in microseconds.</summary>
    private static async Task<(List<double> Latencies, double First)> StreamAsync(HttpClient http, Subject subject, int count, int pace)
    {
        var address = new UriBuilder(subject.Url) { Scheme = "http", Path = "/v1/responses" }.Uri;
        using var request = new HttpRequestMessage(HttpMethod.Post, address);
        if (subject.Data is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", subject.Token);
        request.Content = new StringContent($$"""{"model":"bench","stream":true,"store":false,"input":"stream {{count}} {{pace}}"}""", Encoding.UTF8, "application/json");
        var started = Stopwatch.GetTimestamp();
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        response.EnsureSuccessStatusCode();
        await using var body = await response.Content.ReadAsStreamAsync();
        using var reader = new StreamReader(body, Encoding.UTF8, detectEncodingFromByteOrderMarks: false, bufferSize: 16 * 1024);
        var latencies = new List<double>(count);
        var first = 0.0;
        var completed = false;
        while (await reader.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("event: response.completed", StringComparison.Ordinal)) completed = true;
            if (!line.StartsWith("data: {\"type\":\"response.output_text.delta\"", StringComparison.Ordinal)) continue;
            var now = Stopwatch.GetTimestamp();
            if (first == 0) first = Stopwatch.GetElapsedTime(started, now).TotalMicroseconds;
            // Each stamp stands between two @; a delta of the host may hold several, or a piece of one.
            for (var at = line.IndexOf('@', StringComparison.Ordinal); at >= 0; at = line.IndexOf('@', at + 1))
            {
                var end = line.IndexOf('@', at + 1);
                if (end < 0) break;
                if (long.TryParse(line.AsSpan(at + 1, end - at - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var stamp))
                    latencies.Add(Stopwatch.GetElapsedTime(stamp, now).TotalMicroseconds);
                at = end;
            }
        }

        if (!completed) throw new InvalidOperationException("a stream ended before its time");
        return (latencies, first);
    }
}
