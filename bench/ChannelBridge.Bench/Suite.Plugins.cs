using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;

namespace ChannelBridge.Bench;

/// <summary>Plugins: the same channel in a process of its own and inside the host, and what the pipe between them takes by itself.</summary>
internal sealed partial class Suite
{
    private const int PluginInFlight = 64;
    private const int Drained = 1_000;
    private const int EventBytes = 200;
    private const long Events = 200_000;
    private const int IdlePlugins = 50;

    private async Task PluginsAsync()
    {
        (string Name, Func<Task> Run)[] parts =
        [
            ("accept", PluginAcceptAsync), ("push", PluginPushAsync), ("events", PluginEventsAsync), ("file", PluginFileAsync), ("idle", PluginIdleAsync),
        ];
        if (_only is not null && parts.All(part => part.Name != _only)) throw new ArgumentException($"--only is {string.Join(", ", parts.Select(part => part.Name))}");
        foreach (var (name, run) in parts)
        {
            if (_only is null || _only == name) await run();
        }
    }

    private async Task PluginAcceptAsync()
    {
        List<double> inside = [], outside = [], insideCpu = [], hostCpu = [], pluginCpu = [];
        for (var run = 0; run < _runs; run++)
        {
            Progress($"plugins: accepts, run {run + 1} of {_runs}");
            await using (var host = await WorkHost.StartAsync(inside: true))
            {
                var (rate, cpu, _) = await AcceptAsync(host);
                inside.Add(rate);
                insideCpu.Add(cpu);
            }

            await using (var host = await WorkHost.StartAsync(inside: false))
            {
                var (rate, cpu, its) = await AcceptAsync(host);
                outside.Add(rate);
                hostCpu.Add(cpu);
                pluginCpu.Add(its);
            }
        }

        Add($"accepts through a plugin, durable, {PluginInFlight} in flight, beside the same channel inside the host (aim ≥ 0.5)", inside, outside, string.Create(
            CultureInfo.InvariantCulture,
            $"/s; {Median(hostCpu):0} + {Median(pluginCpu):0} µs of processor time for each in host and plugin ({Median(insideCpu):0} µs inside), ")
            + "the echo agent's turn included");
    }

    private async Task<(double Rate, double Cpu, double PluginCpu)> AcceptAsync(WorkHost host)
    {
        await host.AskAsync($"accept?seconds=2&inFlight={PluginInFlight}");
        var before = (Host: host.Subject.CpuSeconds(), Plugin: host.PluginCpuSeconds());
        var answer = await host.AskAsync(string.Create(CultureInfo.InvariantCulture, $"accept?seconds={_duration.TotalSeconds}&inFlight={PluginInFlight}"));
        var count = (double)answer["count"]!;
        return ((double)answer["rate"]!, (host.Subject.CpuSeconds() - before.Host) / count * 1e6, (host.PluginCpuSeconds() - before.Plugin) / count * 1e6);
    }

    private async Task PluginPushAsync()
    {
        List<double> floors = [], inside = [], outside = [], bare = [];
        for (var run = 0; run < _runs; run++)
        {
            Progress($"plugins: pushes, run {run + 1} of {_runs}");
            var pipe = PipeFloor.RoundTrip(_duration);
            var within = await DrainWorkAsync(inside: true);
            bare.Add(pipe);
            inside.Add(within);
            floors.Add(within + pipe);
            outside.Add(await DrainWorkAsync(inside: false));
        }

        Add("pushes through a plugin, one at a time, p50 from one to the next in µs, beside inside the host and a bare round trip over the pipe (aim ≤ 2)", floors, outside,
            string.Create(CultureInfo.InvariantCulture, $" µs; {Median(inside):0.#} inside, {Median(bare):0.#} the bare round trip"));
    }

    private static async Task<double> DrainWorkAsync(bool inside)
    {
        await using var host = await WorkHost.StartAsync(inside);
        // The runtime compiles what is used much once more, in both processes, and takes seconds for it.
        for (var warm = Stopwatch.StartNew(); warm.Elapsed < TimeSpan.FromSeconds(6);) await OnceAsync();
        return await OnceAsync();

        async Task<double> OnceAsync()
        {
            await host.AskAsync($"fill?count={Drained}");
            return (double)(await host.AskAsync("drain"))["p50"]!;
        }
    }

    private async Task PluginEventsAsync()
    {
        List<double> floors = [], inside = [], outside = [];
        for (var run = 0; run < _runs; run++)
        {
            Progress($"plugins: events, run {run + 1} of {_runs}");
            floors.Add(PipeFloor.EventRate(Events, EventBytes));
            foreach (var isInside in (bool[])[true, false])
            {
                await using var host = await WorkHost.StartAsync(isInside);
                await host.EventRateAsync(Events / 4, EventBytes);
                (isInside ? inside : outside).Add(await host.EventRateAsync(Events, EventBytes));
            }
        }

        Add($"events of {EventBytes} bytes of an endpoint in a plugin, read over HTTP, beside a bare pipe with the same frames (aim ≥ 0.5)", floors, outside,
            string.Create(CultureInfo.InvariantCulture, $"/s; {Median(inside):#,0}/s of the same endpoint inside the host"));
    }

    private async Task PluginFileAsync()
    {
        List<double> copy = [], rates = [], inside = [], hostBefore = [], hostPeak = [], pluginBefore = [], pluginPeak = [];
        var folder = Directory.CreateTempSubdirectory("cbfiles").FullName;
        var mib = _fileMiB ?? 1024;
        try
        {
            var file = Path.Combine(folder, "file.bin");
            for (var run = 0; run < _runs; run++)
            {
                Progress($"plugins: a file of {mib} MiB, run {run + 1} of {_runs}");
                await MakeFileAsync(file, mib);
                copy.Add(CopyRate(file));
                await using (var within = await WorkHost.StartAsync(inside: true)) inside.Add(await ImportAsync(within));
                await using var host = await WorkHost.StartAsync(inside: false);
                var small = Path.Combine(folder, "small.bin");
                await MakeFileAsync(small, 16);
                await host.AskAsync($"file?path={Uri.EscapeDataString(small)}");
                hostBefore.Add(Memory.ResidentMiB(host.Subject.ProcessId));
                pluginBefore.Add(Memory.ResidentMiB(host.PluginProcess));
                Memory.ForgetPeak(host.Subject.ProcessId);
                Memory.ForgetPeak(host.PluginProcess);
                rates.Add(await ImportAsync(host));
                hostPeak.Add(Memory.PeakMiB(host.Subject.ProcessId));
                pluginPeak.Add(Memory.PeakMiB(host.PluginProcess));
            }

            async Task<double> ImportAsync(WorkHost host) => mib / (double)(await host.AskAsync($"file?path={Uri.EscapeDataString(file)}"))["seconds"]!;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        Add($"a file of {mib} MiB from a plugin to the spool, beside cp + sha256sum of it, MiB/s (aim ≥ 0.5)", copy, rates,
            string.Create(CultureInfo.InvariantCulture, $"; {Median(inside):#,0.#} inside the host"));
        Add("resident memory of the host before this file, of 16 MiB done, and its peak, MiB (aim: flat)", hostBefore, hostPeak, "");
        Add("the same of the plugin's process", pluginBefore, pluginPeak, "");
    }

    private static async Task PluginIdleAsync()
    {
        Progress($"plugins: idle, 1 and {IdlePlugins}");
        using var floor = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "channelbridge-bench.dll"), "wait"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        await floor.StandardOutput.ReadLineAsync();
        await using (var one = await WorkHost.StartAsync(inside: false))
        {
            await Task.Delay(Settle);
            Add("resident memory of an idle plugin in C#, MiB, beside a .NET program that waits (report)",
                [Memory.ResidentMiB(floor.Id)], [Memory.ResidentMiB(one.PluginProcess)], "");
            Add("of that its own, which no other process shares, MiB (report)", [Memory.OwnMiB(floor.Id)], [Memory.OwnMiB(one.PluginProcess)], "");
        }

        floor.Kill();
        await floor.WaitForExitAsync();
        double alone;
        await using (var host = await WorkHost.StartAsync(inside: false, plugins: 0))
        {
            await Task.Delay(Settle);
            alone = host.Subject.ResidentMiB();
        }

        var clock = Stopwatch.StartNew();
        await using var many = await WorkHost.StartAsync(inside: false, plugins: IdlePlugins);
        var started = clock.Elapsed;
        await Task.Delay(Settle);
        var with = many.Subject.ResidentMiB();
        Add($"resident memory of a host with {IdlePlugins} idle plugins, MiB, beside the host alone (aim ≤ 1 each)", [alone], [with],
            string.Create(CultureInfo.InvariantCulture, $", {(with - alone) / IdlePlugins:0.00} each; all of them ran {started.TotalSeconds:0.0} s after the start"));
    }

    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(5);

    /// <summary>What the system says of a process's memory.</summary>
    private static class Memory
    {
        public static double ResidentMiB(int process) => Field(process, "status", "VmRSS:");

        public static double PeakMiB(int process) => Field(process, "status", "VmHWM:");

        public static double OwnMiB(int process) => Field(process, "smaps_rollup", "Private_Dirty:") + Field(process, "smaps_rollup", "Private_Clean:");

        /// <summary>The peak is what comes from now on.</summary>
        public static void ForgetPeak(int process) => File.WriteAllText($"/proc/{process}/clear_refs", "5");

        private static double Field(int process, string file, string name) => double.Parse(
            File.ReadLines($"/proc/{process}/{file}").First(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..].Replace("kB", "", StringComparison.Ordinal),
            CultureInfo.InvariantCulture) / 1024;
    }

    /// <summary>A host with the channel of these rows, and a client of its endpoints.</summary>
    private sealed class WorkHost : IAsyncDisposable
    {
        private readonly HttpClient _http;

        private WorkHost(Subject subject)
        {
            Subject = subject;
            _http = new HttpClient { BaseAddress = subject.Url, Timeout = TimeSpan.FromMinutes(10) };
        }

        public Subject Subject { get; }

        /// <summary>The process of its plugin, or of the first of many; 0 inside the host.</summary>
        public int PluginProcess { get; private set; }

        public static async Task<WorkHost> StartAsync(bool inside, int plugins = 1)
        {
            var host = new WorkHost(await Subject.WorkHostAsync(inside, plugins));
            for (var index = 0; index < (inside ? 0 : plugins); index++)
            {
                var process = (int)(await host.AskWhenReadyAsync(Subject.WorkId(index)))["process"]!;
                if (index == 0) host.PluginProcess = process;
            }

            return host;
        }

        public double PluginCpuSeconds()
        {
            if (PluginProcess == 0) return 0;
            using var process = Process.GetProcessById(PluginProcess);
            return process.TotalProcessorTime.TotalSeconds;
        }

        public async Task<JsonNode> AskAsync(string what)
        {
            using var answer = await _http.PostAsync(new Uri($"{PluginServer.Name}/{what}", UriKind.Relative), null);
            var text = await answer.Content.ReadAsStringAsync();
            return answer.IsSuccessStatusCode ? JsonNode.Parse(text)! : throw new InvalidOperationException($"{what}: {text}");
        }

        public async Task<double> EventRateAsync(long count, int bytes)
        {
            using var answer = await _http.GetAsync(
                new Uri($"{PluginServer.Name}/events?count={count}&bytes={bytes}", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
            answer.EnsureSuccessStatusCode();
            await using var stream = await answer.Content.ReadAsStreamAsync();
            var buffer = new byte[64 * 1024];
            Stopwatch? clock = null;
            long xs = 0;
            int read;
            while ((read = await stream.ReadAsync(buffer)) > 0)
            {
                // Nothing else that is sent has this letter.
                xs += buffer.AsSpan(0, read).Count((byte)'x');
                clock ??= Stopwatch.StartNew();
            }

            return xs == count * bytes ? count / clock!.Elapsed.TotalSeconds : throw new InvalidOperationException($"{xs / bytes} of {count} events came");
        }

        public async ValueTask DisposeAsync()
        {
            _http.Dispose();
            await Subject.DisposeAsync();
        }

        private async Task<JsonNode> AskWhenReadyAsync(string id)
        {
            var clock = Stopwatch.StartNew();
            while (true)
            {
                using var answer = await _http.GetAsync(new Uri($"{id}/self", UriKind.Relative));
                var text = await answer.Content.ReadAsStringAsync();
                if (answer.IsSuccessStatusCode) return JsonNode.Parse(text)!;
                if (clock.Elapsed > TimeSpan.FromMinutes(3)) throw new InvalidOperationException($"plugin {id} doesn't run: {text}");
                await Task.Delay(50);
            }
        }
    }
}
