using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;

namespace ChannelBridge.Tests.Integration;

/// <summary>
/// The built host as a process of its own: started on a free port with a data folder of its own, stopped, killed, started again on the same folder.
/// Waits for what the host says, never for time to pass.
/// </summary>
public sealed class HostProcess : IAsyncDisposable
{
    /// <summary>How long anything may take before a test gives up.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _output = new();
    private readonly ConcurrentQueue<string> _errors = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _reading;

    private HostProcess(Process process, string data)
    {
        _process = process;
        Data = data;
        _reading = Task.WhenAll(ReadAsync(process.StandardOutput, _output), ReadAsync(process.StandardError, _errors));
    }

    /// <summary>The data folder.</summary>
    public string Data { get; }

    /// <summary>The process id.</summary>
    public int Id => _process.Id;

    /// <summary>The address of the own listener, e.g. <c>http://127.0.0.1:43211</c>.</summary>
    public Uri Url { get; private set; } = null!;

    /// <summary>The same for WebSocket clients.</summary>
    public Uri WebSocketUrl => new UriBuilder(Url) { Scheme = "ws", Path = "/" }.Uri;

    /// <summary>The Unix socket.</summary>
    public string Socket => Path.Combine(Data, "channelbridge.sock");

    /// <summary>The first token.</summary>
    public string Token => File.ReadAllText(Path.Combine(Files, "token")).Trim();

    /// <summary>The data folder as this process sees it: the host may have mounted something there for itself.</summary>
    public string Files { get; private init; } = "";

    /// <summary>Standard output so far.</summary>
    public string Output => string.Join('\n', _output);

    /// <summary>Standard error so far: the log.</summary>
    public string Errors => string.Join('\n', _errors);

    /// <summary>The exit code; -1 while it runs.</summary>
    public int ExitCode => _process.HasExited ? _process.ExitCode : -1;

    /// <summary>A data folder of a test's own.</summary>
    public static string NewDataFolder() => Scratch.NewFolder("cbtest");

    /// <summary>Starts <c>serve</c> and returns when it says that it is ready.</summary>
    /// <param name="data">The data folder; null makes one.</param>
    /// <param name="arguments">Further arguments.</param>
    /// <param name="url">The address; port 0 is a free one.</param>
    /// <param name="environment">Further environment variables.</param>
    /// <param name="through">A command that becomes the host, given the host's own as its last arguments.</param>
    public static async Task<HostProcess> StartAsync(
        string? data = null,
        IEnumerable<string>? arguments = null,
        string url = "http://127.0.0.1:0",
        IReadOnlyDictionary<string, string>? environment = null,
        IReadOnlyList<string>? through = null)
    {
        data ??= NewDataFolder();
        var process = Launch(["serve", "--urls", url, "--data", data, .. arguments ?? []], environment, through);
        var host = new HostProcess(process, data) { Files = through is null ? data : $"/proc/{process.Id}/root{data}" };
        try
        {
            await host._ready.Task.WaitAsync(Timeout);
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }

        var line = host._output.First(text => text.StartsWith("listening: http", StringComparison.Ordinal));
        host.Url = new Uri(line.Split(' ')[1]);
        return host;
    }

    /// <summary>Runs a command to its end.</summary>
    public static async Task<CommandResult> RunAsync(
        IEnumerable<string> arguments, string? input = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        using var process = Launch(arguments, environment);
        using var timeout = new CancellationTokenSource(Timeout);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(timeout.Token);
            var errors = process.StandardError.ReadToEndAsync(timeout.Token);
            if (input is not null) await process.StandardInput.WriteAsync(input.AsMemory(), timeout.Token);
            process.StandardInput.Close();
            await process.WaitForExitAsync(timeout.Token);
            return new CommandResult(process.ExitCode, await output, await errors);
        }
        finally
        {
            if (!process.HasExited) process.Kill();
        }
    }

    /// <summary>Starts a command without waiting for anything; standard input, output and error are the caller's.</summary>
    public static Process Launch(
        IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null, IReadOnlyList<string>? through = null)
    {
        var program = Environment.ProcessPath is { } self && Path.GetFileNameWithoutExtension(self) == "dotnet" ? self : "dotnet";
        var start = new ProcessStartInfo(through?[0] ?? program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
            UseShellExecute = false,
        };
        if (through is not null)
        {
            foreach (var argument in through.Skip(1).Append(program)) start.ArgumentList.Add(argument);
        }

        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "channelbridge.dll"));
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("CHANNELBRIDGE", StringComparison.Ordinal)).ToArray())
            start.Environment.Remove(name);
        // A slow machine isn't what these tests are about: no word of a delay between the answers, unless a test asks for it.
        start.Environment["CHANNELBRIDGE__Limits__DelayNotice"] = "0s";
        foreach (var (name, value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        return Process.Start(start) ?? throw new InvalidOperationException("the host didn't start");
    }

    /// <summary>
    /// Reads what a started host tells its operator (standard error with <c>--stdio</c>) up to and with the line <c>ready</c>. Its doors answer a moment
    /// before it has started: a test that stops the host and then wants to read the banner waits for it.
    /// </summary>
    public static async Task<string> ReadBannerAsync(StreamReader lines, CancellationToken cancellationToken)
    {
        var banner = new StringBuilder();
        while (await lines.ReadLineAsync(cancellationToken) is { } line)
        {
            banner.AppendLine(line);
            if (line == "ready") return banner.ToString();
        }

        throw new InvalidOperationException($"the host ended before it was ready:\n{banner}");
    }

    /// <summary>kill −9: the process gets no chance to finish anything.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await WaitForExitAsync();
    }

    /// <summary>SIGTERM: a graceful stop. Gives the exit code.</summary>
    public async Task<int> StopAsync()
    {
        if (!_process.HasExited)
        {
            using var kill = Process.Start("kill", ["-TERM", _process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
            await kill.WaitForExitAsync();
        }

        await WaitForExitAsync();
        return _process.ExitCode;
    }

    /// <summary>Waits until the process has ended and all it said was read.</summary>
    public async Task WaitForExitAsync()
    {
        using var timeout = new CancellationTokenSource(Timeout);
        await _process.WaitForExitAsync(timeout.Token);
        await _reading.WaitAsync(Timeout);
    }

    /// <summary>Ends the process if it still runs. The data folder stays.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private async Task ReadAsync(StreamReader reader, ConcurrentQueue<string> lines)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            lines.Enqueue(line);
            if (lines == _output && line == "ready") _ready.TrySetResult();
        }

        // The end of a stream is the end of the process: whoever waits for readiness waits in vain.
        if (lines == _output)
        {
            await _process.WaitForExitAsync();
            _ready.TrySetException(new InvalidOperationException($"the host ended with {_process.ExitCode} before it was ready:\n{Output}\n{Errors}"));
        }
    }
}

/// <summary>What a command said.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Output">Its standard output.</param>
/// <param name="Errors">Its standard error.</param>
public sealed record CommandResult(int ExitCode, string Output, string Errors);
