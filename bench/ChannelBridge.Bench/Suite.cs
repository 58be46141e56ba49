using System.Diagnostics;
using System.Globalization;

namespace ChannelBridge.Bench;

/// <summary>The rows, and how they are run: floor and subject in turn, several runs, median and range.</summary>
internal sealed partial class Suite
{
    private bool _failed;
    private TimeSpan _duration = TimeSpan.FromSeconds(4);
    private int _runs = 3;
    private double _minutes = 10;
    private int _conversations = 1_000_000;
    private int[] _inFlight = [1, 16, 64, 256];

    public static async Task<int> RunAsync(string[] arguments)
    {
        var suite = new Suite();
        var rows = new List<string>();
        for (var index = 0; index < arguments.Length; index++)
        {
            if (arguments[index] == "--seconds") suite._duration = TimeSpan.FromSeconds(double.Parse(arguments[++index], CultureInfo.InvariantCulture));
            else if (arguments[index] == "--runs") suite._runs = int.Parse(arguments[++index], CultureInfo.InvariantCulture);
            else if (arguments[index] == "--in-flight") suite._inFlight = [.. arguments[++index].Split(',').Select(number => int.Parse(number, CultureInfo.InvariantCulture))];
            else if (arguments[index] == "--minutes") suite._minutes = double.Parse(arguments[++index], CultureInfo.InvariantCulture);
            else if (arguments[index] == "--conversations") suite._conversations = int.Parse(arguments[++index], CultureInfo.InvariantCulture);
            else if (arguments[index] == "--host") suite._before = Path.GetFullPath(arguments[++index]);
            else if (arguments[index] == "--only") suite._only = arguments[++index];
            else if (arguments[index] == "--file-mib") suite._fileMiB = int.Parse(arguments[++index], CultureInfo.InvariantCulture);
            else rows.Add(arguments[index]);
        }

        if (rows.Count == 0) rows = ["acks", "drain", "disk", "idle", "start", "stuck", "broker", "postgres", "streams", "files", "endpoint", "identity", "devices", "juji", "aun"];
        // The rows beside another build have a heading of their own.
        if (rows is not (["before"] or ["a2a-before"]))
        {
            Console.WriteLine("| what | floor: median (range) | ChannelBridge: median (range) | ratio |");
            Console.WriteLine("|---|---|---|---|");
        }

        foreach (var row in rows)
        {
            try
            {
                await suite.RunRowAsync(row);
            }
            catch (Exception fault) when (fault is not ArgumentException)
            {
                // The others still count.
                Console.Error.WriteLine($"{row}: {fault}");
                suite._failed = true;
            }
        }

        Console.WriteLine();
        var warmUp = rows is ["before"] ? "as long a" : "2 s of";
        Console.WriteLine(
            $"{DateTime.UtcNow:yyyy-MM-dd}, {Environment.ProcessorCount} cores, .NET {Environment.Version}, "
            + $"{suite._runs} runs of {suite._duration.TotalSeconds:0} s after {warmUp} warm-up, agent echo, 1 KB of text");
        return suite._failed ? 1 : 0;
    }

    private Task RunRowAsync(string row) => row switch
    {
        "acks" => AcksAsync(),
        "drain" => DrainAsync(),
        "disk" => DiskAsync(),
        "idle" => IdleAsync(),
        "start" => StartAsync(),
        "stuck" => StuckAsync(),
        "cold" => ColdAsync(),
        "broker" => BrokerAsync(),
        "postgres" => PostgresAsync(),
        "streams" => StreamsAsync(),
        "allocations" => AllocationsAsync(),
        "files" => FilesAsync(),
        "plugins" => PluginsAsync(),
        "endpoint" => EndpointAsync(),
        "identity" => IdentityAsync(),
        "devices" => DevicesAsync(),
        "multiclaws" => MultiClawsAsync(),
        "juji" => JujiAsync(),
        "aun" => AunAsync(),
        "aun-agent" => AunAgentAsync(),
        "aun-idle" => AunIdleAsync(),
        "aun-logins" => AunLoginsAsync(),
        "steady" => SteadyAsync(),
        "before" => BeforeAsync(),
        "a2a" => A2AAsync(),
        "a2a-streams" => A2AStreamsAsync(),
        "a2a-ended" => EndedTasksAsync(),
        "a2a-before" => A2ABeforeAsync(),
        _ => throw new ArgumentException($"there is no row '{row}'; --help names them"),
    };

    /// <summary>Durable inbound acks beside the floor's echo of the same frames: 1 KB of text, the echo agent, a client that isn't connected as a bridge.</summary>
    private async Task AcksAsync()
    {
        foreach (var inFlight in _inFlight)
        {
            List<double> floors = [], subjects = [], p99 = [], cpu = [], floorCpu = [];
            for (var run = 0; run < _runs; run++)
            {
                Progress($"acks, {inFlight} in flight, run {run + 1} of {_runs}");
                var floor = await AckRateAsync(host: false, inFlight);
                var (rate, latencies, cpuPerAck) = await AckRateAsync(host: true, inFlight);
                floors.Add(floor.Rate);
                subjects.Add(rate);
                p99.Add(Percentile(latencies, 0.99));
                cpu.Add(cpuPerAck * 1e6);
                floorCpu.Add(floor.CpuPerAck * 1e6);
            }

            Add($"durable inbound acks, {inFlight} in flight", floors, subjects,
                $"/s; p99 {Median(p99) / 1000:0.0} ms; {Median(cpu):0} µs of processor time for each ({Median(floorCpu):0} µs the floor), turn and push included");
        }
    }

    private async Task<(double Rate, List<double> Latencies, double CpuPerAck)> AckRateAsync(bool host, int inFlight)
    {
        await using var subject = host ? await Subject.HostAsync() : await Subject.FloorAsync();
        await using var client = await BenchClient.ConnectAsync(subject, bridge: false);
        await client.LoadAsync(inFlight, TimeSpan.FromSeconds(2), Inbound);
        var before = subject.CpuSeconds();
        var clock = Stopwatch.StartNew();
        var (count, latencies) = await client.LoadAsync(inFlight, _duration, Inbound);
        return (count / clock.Elapsed.TotalSeconds, latencies, (subject.CpuSeconds() - before) / count);
    }

    /// <summary>What waits in the outbox, pushed and acked one by one, over 64 lanes and over one; beside the floor with as many in flight.</summary>
    private async Task DrainAsync()
    {
        const int Messages = 20_000;
        foreach (var lanes in (int[])[1, 64])
        {
            List<double> floors = [], subjects = [];
            for (var run = 0; run < _runs; run++)
            {
                Progress($"drain over {lanes} lanes, run {run + 1} of {_runs}");
                floors.Add((await AckRateAsync(host: false, lanes)).Rate);
                await using var subject = await Subject.HostAsync();
                // A message each makes the conversations known; the client that sent them goes, and what is sent to them then has to wait.
                await using (var user = await BenchClient.ConnectAsync(subject, bridge: false))
                {
                    await user.LoadAsync(1, TimeSpan.FromMinutes(1), number => Inbound(number, lanes), lanes);
                }

                await using (var filler = await BenchClient.ConnectAsync(subject, bridge: false))
                {
                    await filler.LoadAsync(64, TimeSpan.FromMinutes(2), number => Send(number, lanes), Messages);
                }

                var bridge = await BenchClient.ConnectAsync(subject, bridge: true);
                var clock = Stopwatch.StartNew();
                await bridge.DrainAsync(Messages);
                subjects.Add(Messages / clock.Elapsed.TotalSeconds);
                await bridge.DisposeAsync();
            }

            Add($"outbox drain, push + ack, {lanes} lane{(lanes > 1 ? "s" : "")}", floors, subjects, "/s");
        }
    }

    /// <summary>The same acks beside the disk: group-commit appends of 1 KB records to a raw file, 64 to a flush.</summary>
    private async Task DiskAsync()
    {
        List<double> floors = [], subjects = [];
        for (var run = 0; run < _runs; run++)
        {
            Progress($"disk, run {run + 1} of {_runs}");
            floors.Add(RawAppendRate(batch: 64));
            subjects.Add((await AckRateAsync(host: true, 64)).Rate);
        }

        Add("durable inbound acks against raw append + fsync of 64", floors, subjects, "/s");
    }

    private double RawAppendRate(int batch)
    {
        var path = Path.GetTempFileName();
        using (var handle = File.OpenHandle(path, FileMode.Create, FileAccess.Write))
        {
            var records = new byte[batch * 1024];
            long offset = 0, count = 0;
            var clock = Stopwatch.StartNew();
            while (clock.Elapsed < _duration)
            {
                RandomAccess.Write(handle, records, offset);
                RandomAccess.FlushToDisk(handle);
                offset += records.Length;
                count += batch;
                // Bounded: the file starts again before it fills the disk.
                if (offset > 512L * 1024 * 1024) offset = 0;
            }

            handle.Dispose();
            File.Delete(path);
            return count / clock.Elapsed.TotalSeconds;
        }
    }

    /// <summary>Memory with nothing to do, and of idle connections.</summary>
    private static async Task IdleAsync()
    {
        const int Connections = 10_000;
        Progress("idle memory");
        await using var floor = await Subject.FloorAsync();
        await using var subject = await Subject.HostAsync();
        await Task.Delay(TimeSpan.FromSeconds(2));
        Add("resident memory idle, MiB (lower is better)", [floor.ResidentMiB()], [subject.ResidentMiB()], "");
        Progress($"{Connections} idle connections");
        var before = (floor.ResidentMiB(), subject.ResidentMiB());
        var clients = new List<BenchClient>();
        for (var index = 0; index < Connections; index++) clients.Add(await BenchClient.ConnectAsync(floor, bridge: false));
        await Task.Delay(TimeSpan.FromSeconds(2));
        var floorPerConnection = (floor.ResidentMiB() - before.Item1) * 1024 / Connections;

        // Theirs first: both at once would need more files than many systems give a process.
        foreach (var client in clients) await client.DisposeAsync();
        clients.Clear();
        for (var index = 0; index < Connections; index++) clients.Add(await BenchClient.ConnectAsync(subject, bridge: false));
        await Task.Delay(TimeSpan.FromSeconds(2));
        Add("memory per idle connection, KiB (lower is better)", [floorPerConnection], [(subject.ResidentMiB() - before.Item2) * 1024 / Connections], "");
        foreach (var client in clients) await client.DisposeAsync();
    }

    private async Task StartAsync()
    {
        List<double> floors = [], subjects = [];
        for (var run = 0; run < _runs; run++)
        {
            Progress($"start-up, run {run + 1} of {_runs}");
            await using var floor = await Subject.FloorAsync();
            await using var subject = await Subject.HostAsync();
            floors.Add(floor.StartUp.TotalMilliseconds);
            subjects.Add(subject.StartUp.TotalMilliseconds);
        }

        Add("start to ready, ms (lower is better)", floors, subjects, "");
    }

    private static string Inbound(long number) => Inbound(number, 64);

    private static string Inbound(long number, int lanes) =>
        $$$"""{"type":"req","id":"r{{{number}}}","method":"bncr.inbound","params":{"accountId":"Primary","clientId":"bench","platform":"lab","groupId":"0","userId":"u{{{number % lanes}}}","msgId":"{{{Salt}}}-{{{number}}}","msg":"{{{Text}}}"}}""";

    private static string Send(long number, int lanes) =>
        $$$"""{"type":"req","id":"r{{{number}}}","method":"send","params":{"channel":"bncr","accountId":"Primary","to":"Bncr:lab:u{{{number % lanes}}}","message":"{{{Text}}}","idempotencyKey":"{{{Salt}}}-{{{number}}}"}}""";

    private static readonly string Salt = Guid.NewGuid().ToString("N");

    private static readonly string Text = string.Concat(Enumerable.Repeat("0123456789abcdef", 64));

    private static double Median(List<double> values) => Percentile(values, 0.5);

    private static double Percentile(List<double> values, double share)
    {
        var sorted = values.Order().ToList();
        return sorted[Math.Min(sorted.Count - 1, (int)(sorted.Count * share))];
    }

    private static void Progress(string what) => Console.Error.WriteLine($"… {what}");

    /// <summary>Prints a row at once: whoever stops a long run keeps what there is.</summary>
    private static void Add(string what, List<double> floors, List<double> subjects, string unit) => Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"| {what} | {Median(floors):#,0.#} ({floors.Min():#,0.#} – {floors.Max():#,0.#}) | {Median(subjects):#,0.#} ({subjects.Min():#,0.#} – {subjects.Max():#,0.#}){unit} | {Median(subjects) / Median(floors):0.00} |"));
}
