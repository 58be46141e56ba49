using System.Text.Json.Nodes;

namespace ChannelBridge.Bench;

/// <summary>Rows about the nursery of the SQLite store (docs/decisions/0010): the host with and without it, in turn.</summary>
internal sealed partial class Suite
{
    private const string NurserySwitch = "ChannelBridge.Storage.Sqlite.YoungEntries";

    /// <summary>
    /// Five alternating rounds, whatever <c>--runs</c> is not said: acks, drains over one and over 64 conversations, the whole way over a thousand; of each the rate,
    /// p99, processor time, bytes written to the disk, and memory at its end.
    /// </summary>
    private async Task NurseryAsync()
    {
        var with = new NurserySeries();
        var without = new NurserySeries();
        for (var run = 0; run < _runs; run++)
        {
            // Each goes first as often as the other.
            foreach (var series in run % 2 == 0 ? (NurserySeries[])[with, without] : [without, with])
            {
                Progress($"nursery, {(series == with ? "with" : "without")}, round {run + 1} of {_runs}");
                await NurseryRoundAsync(series, series == with ? null : NurseryOff());
            }
        }

        Console.WriteLine("| nursery: what | without: median (range) | with: median (range) | with / without |");
        Console.WriteLine("|---|---|---|---|");
        foreach (var name in with.Names) Add(name, without[name], with[name], "");
    }

    private async Task NurseryRoundAsync(NurserySeries series, string? runtimeConfig)
    {
        await using (var subject = await Subject.HostAsync(runtimeConfig: runtimeConfig))
        {
            await using var client = await BenchClient.ConnectAsync(subject, bridge: false);
            await client.LoadAsync(64, TimeSpan.FromSeconds(2), Inbound);
            var before = Usage.Of(subject);
            var clock = System.Diagnostics.Stopwatch.StartNew();
            var (count, latencies) = await client.LoadAsync(64, _duration, Inbound);
            series.Note("acks, 64 in flight", count, clock.Elapsed, latencies, before, Usage.Of(subject));
        }

        foreach (var lanes in (int[])[1, 64])
        {
            const int Messages = 20_000;
            await using var subject = await Subject.HostAsync(runtimeConfig: runtimeConfig);
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

        await using (var subject = await Subject.HostAsync(runtimeConfig: runtimeConfig))
        {
            await using var bridge = await BenchClient.ConnectAsync(subject, bridge: true);
            await bridge.ConverseAsync(64, 1000, TimeSpan.FromSeconds(2), InboundTo);
            var before = Usage.Of(subject);
            var clock = System.Diagnostics.Stopwatch.StartNew();
            var (latencies, rate) = await bridge.ConverseAsync(64, 1000, _duration, InboundTo);
            series.Note("whole way over a thousand", (long)(rate * clock.Elapsed.TotalSeconds), clock.Elapsed, latencies, before, Usage.Of(subject));
        }
    }

    /// <summary>The host's runtime settings with the nursery off.</summary>
    private static string NurseryOff()
    {
        var path = Path.Combine(AppContext.BaseDirectory, "channelbridge.runtimeconfig.json");
        var settings = JsonNode.Parse(File.ReadAllText(path))!;
        var properties = settings["runtimeOptions"]!["configProperties"] as JsonObject ?? [];
        properties[NurserySwitch] = "0";
        settings["runtimeOptions"]!["configProperties"] = properties.DeepClone();
        var off = Path.Combine(AppContext.BaseDirectory, "channelbridge.no-nursery.runtimeconfig.json");
        File.WriteAllText(off, settings.ToJsonString());
        return off;
    }

    private readonly record struct Usage(double CpuSeconds, long WrittenBytes, double ResidentMiB)
    {
        public static Usage Of(Subject subject) => new(subject.CpuSeconds(), subject.WrittenBytes(), subject.ResidentMiB());
    }

    private sealed class NurserySeries
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
