using System.Diagnostics;
using System.Globalization;

namespace ChannelBridge.Bench;

/// <summary>A server process under measurement: the host, or the floor.</summary>
internal sealed class Subject : IAsyncDisposable
{
    private readonly Process _process;

    private bool _keep;

    private Subject(Process process, Uri url, string? data)
    {
        _process = process;
        Url = url;
        Data = data;
    }

    public Uri Url { get; }

    public string? Data { get; }

    /// <summary>The process's id.</summary>
    public int ProcessId => _process.Id;

    public string Token => Data is null ? "" : File.ReadAllText(Path.Combine(Data, "token")).Trim();

    /// <summary>How long it took from the start of the process until it said that it is ready.</summary>
    public TimeSpan StartUp { get; private init; }

    public static Task<Subject> FloorAsync()
    {
        var port = FreePort();
        return StartAsync("channelbridge-bench.dll", ["floor-server", port.ToString(CultureInfo.InvariantCulture)], new Uri($"ws://127.0.0.1:{port}/"), null);
    }

    /// <summary>What files are measured beside.</summary>
    public static Task<Subject> FileFloorAsync()
    {
        var port = FreePort();
        return StartAsync("channelbridge-bench.dll", ["file-floor", port.ToString(CultureInfo.InvariantCulture)], new Uri($"ws://127.0.0.1:{port}/"), null);
    }

    /// <summary>A provider of an agent, beside which the host is measured.</summary>
    public static Task<Subject> ProviderAsync()
    {
        var port = FreePort();
        return StartAsync("channelbridge-bench.dll", ["provider-server", port.ToString(CultureInfo.InvariantCulture)], new Uri($"http://127.0.0.1:{port}/"), null);
    }

    /// <summary>Bare Kestrel with an endpoint that answers nothing.</summary>
    public static Task<Subject> BareEndpointAsync()
    {
        var port = FreePort();
        return StartAsync("channelbridge-bench.dll", ["endpoint-floor", port.ToString(CultureInfo.InvariantCulture)], new Uri($"http://127.0.0.1:{port}/"), null);
    }

    /// <summary>A host whose channel contributes that endpoint.</summary>
    public static Task<Subject> EndpointHostAsync()
    {
        var port = FreePort();
        var data = Directory.CreateTempSubdirectory("cbbench").FullName;
        return StartAsync(
            "channelbridge-bench.dll", ["endpoint-host", port.ToString(CultureInfo.InvariantCulture), data], new Uri($"http://127.0.0.1:{port}/"), data);
    }

    /// <summary>A host with an A2A endpoint and an agent of its own.</summary>
    public static Task<Subject> A2AHostAsync(string? build = null)
    {
        var port = FreePort();
        var data = Directory.CreateTempSubdirectory("cbbench").FullName;
        return StartAsync(
            build ?? "channelbridge-bench.dll", ["a2a-host", port.ToString(CultureInfo.InvariantCulture), data], new Uri($"http://127.0.0.1:{port}/"), data);
    }

    /// <summary>A community that tells all its members something when one of them asks, or the same without a host.</summary>
    public static Task<Subject> TellingAsync(bool bare)
    {
        var port = FreePort();
        var url = new Uri($"http://127.0.0.1:{port}/");
        if (bare) return StartAsync("channelbridge-bench.dll", ["juji-floor", port.ToString(CultureInfo.InvariantCulture)], url, null);
        var data = Directory.CreateTempSubdirectory("cbbench").FullName;
        return StartAsync("channelbridge-bench.dll", ["juji-host", port.ToString(CultureInfo.InvariantCulture), data], url, data);
    }

    /// <summary>A host with the channel of the rows about plugins, inside or as so many plugins.</summary>
    public static async Task<Subject> WorkHostAsync(bool inside, int plugins)
    {
        var port = FreePort();
        // Beside this program's own files, which are linked into it.
        var data = Path.Combine(AppContext.BaseDirectory, "..", $"cbbench-{Guid.NewGuid():N}");
        data = Directory.CreateDirectory(Path.GetFullPath(data)).FullName;
        for (var index = 0; index < (inside ? 0 : plugins); index++) await PluginServer.InstallAsync(data, WorkId(index));
        return await StartAsync(
            "channelbridge-bench.dll", [inside ? "work-inside" : "work-host", port.ToString(CultureInfo.InvariantCulture), data], new Uri($"http://127.0.0.1:{port}/"), data);
    }

    /// <summary>The plugins of such a host, by number.</summary>
    public static string WorkId(int index) => index == 0 ? PluginServer.Name : $"{PluginServer.Name}{index}";

    /// <summary>The JavaScript SDK's server of A2A 0.3, as the interop tests set it up.</summary>
    public static async Task<Subject> A2AFloorAsync()
    {
        var cache = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "channelbridge");
        var modules = Path.Combine(Environment.GetEnvironmentVariable("CHANNELBRIDGE_A2A") ?? cache, "a2a-0.3.14");
        var script = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../../tests/ChannelBridge.Tests.Interop/clients/a2a-server.mjs"));
        var start = new ProcessStartInfo("node", [script, "0.3", "--modules", modules]) { RedirectStandardOutput = true, RedirectStandardInput = true };
        var process = Process.Start(start)!;
        const string Listening = "listening ";
        var line = await process.StandardOutput.ReadLineAsync();
        if (line?.StartsWith(Listening, StringComparison.Ordinal) is not true) throw new InvalidOperationException($"the SDK's server didn't start: {line}");
        return new Subject(process, new Uri($"http://127.0.0.1:{line[Listening.Length..]}/"), null);
    }

    /// <summary>Makes a peer's token at a running host.</summary>
    public async Task<string> PeerTokenAsync(string name)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "channelbridge.dll"), "peers", "add", name, "--data", Data!])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        _ = process.StandardError.ReadToEndAsync();
        var token = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? token.Trim() : throw new InvalidOperationException("the peer's token couldn't be made");
    }

    /// <summary>The host as a user starts it.</summary>
    /// <param name="data">A folder that another host has left, or null for a new one.</param>
    /// <param name="store">A PostgreSQL connection string, or null for the folder's own SQLite file.</param>
    /// <param name="agent">Who answers.</param>
    /// <param name="environment">Settings, <c>NAME=VALUE</c>.</param>
    /// <param name="host">Another build's <c>channelbridge.dll</c>, or null for this one's.</param>
    public static Task<Subject> HostAsync(string? data = null, string? store = null, string agent = "echo", string[]? environment = null, string? host = null)
    {
        var port = FreePort();
        data ??= Directory.CreateTempSubdirectory("cbbench").FullName;
        string[] arguments = ["serve", "--urls", $"http://127.0.0.1:{port}", "--data", data, "--agent", agent, .. store is null ? (string[])[] : ["--store", store]];
        return StartAsync(host ?? "channelbridge.dll", arguments, new Uri($"ws://127.0.0.1:{port}/"), data, environment);
    }

    /// <summary>Ends the host in good order and leaves its data for another one.</summary>
    public async Task<string> StopAsync()
    {
        _keep = true;
        using var stop = Process.Start("kill", ["-TERM", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await _process.WaitForExitAsync();
        return Data!;
    }

    /// <summary>Resident memory, in MiB.</summary>
    public double ResidentMiB()
    {
        _process.Refresh();
        return _process.WorkingSet64 / 1048576.0;
    }

    /// <summary>Bytes that the process has had written to the disk.</summary>
    public long WrittenBytes() => long.Parse(
        File.ReadLines($"/proc/{_process.Id}/io").First(line => line.StartsWith("write_bytes:", StringComparison.Ordinal))["write_bytes:".Length..], CultureInfo.InvariantCulture);

    public double CpuSeconds()
    {
        _process.Refresh();
        return _process.TotalProcessorTime.TotalSeconds;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        if (Data is not null && !_keep) Directory.Delete(Data, recursive: true);
    }

    private static async Task<Subject> StartAsync(string assembly, string[] arguments, Uri url, string? data, string[]? environment = null)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, assembly));
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        if (data is not null)
        {
            // A host that is a role of this program runs as the product's does; see ChannelBridge.Host.csproj.
            start.Environment["DOTNET_TieredPGO"] = "0";
            start.Environment["DOTNET_ThreadPool_UnfairSemaphoreSpinLimit"] = "0";
        }

        foreach (var setting in environment ?? []) start.Environment[setting.Split('=')[0]] = setting.Split('=')[1];
        var clock = Stopwatch.StartNew();
        var process = Process.Start(start)!;
        _ = process.StandardError.ReadToEndAsync();
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line != "ready") continue;
            var startUp = clock.Elapsed;
            _ = process.StandardOutput.ReadToEndAsync();
            return new Subject(process, url, data) { StartUp = startUp };
        }

        throw new InvalidOperationException($"{assembly} ended before it was ready");
    }

    /// <summary>A port of loopback that is free now.</summary>
    public static int FreePort()
    {
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }
}
