using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Interop.Lab;

/// <summary>A real OpenClaw gateway with a state folder of its own. It can be killed and started again on the same state.</summary>
public sealed class GatewayProcess : IAsyncDisposable
{
    /// <summary>The gateway's shared token.</summary>
    public const string Token = "interop-gateway-token-0123456789";

    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(100);
    private const int StartAttempts = 4;

    private readonly StringBuilder _log = new();
    private Process? _process;

    private GatewayProcess(string state, int port)
    {
        State = state;
        Port = port;
    }

    public string State { get; }

    public int Port { get; }

    public Uri Url => new($"ws://127.0.0.1:{Port}/");

    /// <summary>What it said so far.</summary>
    public string Log
    {
        get
        {
            lock (_log) return _log.ToString();
        }
    }

    /// <summary>Writes a configuration with the plugin in it.</summary>
    /// <param name="state">A new folder.</param>
    /// <param name="model">The model server's port.</param>
    /// <param name="plugin">The plugin's folder, or null for none.</param>
    /// <param name="pluginConfig">plugins.entries.channelbridge.config.</param>
    /// <param name="channel">channels.bncr.</param>
    /// <param name="responses">True: its own /v1/responses is open, too.</param>
    /// <param name="commandOwner">The only sender whose commands count, as <c>commands.ownerAllowFrom</c> has it; null: everybody's, until a pairing is approved.</param>
    public static GatewayProcess Configure(string state, int model, string? plugin, JsonObject pluginConfig, JsonObject channel, bool responses = false,
        string? commandOwner = null)
    {
        var gateway = new GatewayProcess(state, FreePort());
        var config = new JsonObject
        {
            ["gateway"] = new JsonObject
            {
                ["mode"] = "local",
                ["port"] = gateway.Port,
                ["bind"] = "loopback",
                ["auth"] = new JsonObject { ["mode"] = "token", ["token"] = Token },
                ["controlUi"] = new JsonObject { ["enabled"] = false },
                // For those who come through a proxy of a test; who calls directly is local as ever.
                ["trustedProxies"] = new JsonArray("127.0.0.1"),
            },
            ["agents"] = new JsonObject
            {
                ["defaults"] = new JsonObject
                {
                    ["workspace"] = Path.Combine(state, "workspace"),
                    ["model"] = new JsonObject { ["primary"] = "lab/fake" },
                    ["skipBootstrap"] = true,
                    // Tool results are shown.
                    ["verboseDefault"] = "full",
                    ["heartbeat"] = new JsonObject { ["every"] = "0m" },
                },
            },
            ["models"] = new JsonObject
            {
                ["mode"] = "replace",
                ["providers"] = new JsonObject
                {
                    ["lab"] = new JsonObject
                    {
                        ["baseUrl"] = $"http://127.0.0.1:{model}/v1",
                        ["apiKey"] = "none-needed",
                        ["api"] = "openai-completions",
                        ["models"] = new JsonArray(new JsonObject
                        {
                            ["id"] = "fake",
                            ["name"] = "Fake",
                            ["reasoning"] = false,
                            ["input"] = new JsonArray("text"),
                            ["cost"] = new JsonObject { ["input"] = 0, ["output"] = 0, ["cacheRead"] = 0, ["cacheWrite"] = 0 },
                            ["contextWindow"] = 100_000,
                            ["maxTokens"] = 4096,
                        }),
                    },
                },
            },
            ["update"] = new JsonObject { ["checkOnStart"] = false },
            ["discovery"] = new JsonObject { ["mdns"] = new JsonObject { ["mode"] = "off" } },
            ["tools"] = new JsonObject { ["profile"] = "minimal" },
        };
        if (commandOwner is not null) config["commands"] = new JsonObject { ["ownerAllowFrom"] = new JsonArray(commandOwner) };
        if (responses)
            config["gateway"]!["http"] = new JsonObject { ["endpoints"] = new JsonObject { ["responses"] = new JsonObject { ["enabled"] = true } } };
        if (plugin is not null)
        {
            config["plugins"] = new JsonObject
            {
                ["load"] = new JsonObject { ["paths"] = new JsonArray(plugin) },
                ["entries"] = new JsonObject { ["channelbridge"] = new JsonObject { ["enabled"] = true, ["config"] = pluginConfig } },
            };
            config["channels"] = new JsonObject { ["bncr"] = channel };
        }

        foreach (var folder in new[] { "home", "openclaw", "workspace" }) Directory.CreateDirectory(Path.Combine(state, folder));
        File.WriteAllText(Path.Combine(state, "openclaw", "openclaw.json"), config.ToJsonString());
        return gateway;
    }

    /// <summary>True from its start to its end, whoever ended it.</summary>
    public bool Running => _process is { HasExited: false };

    /// <summary>
    /// Starts it and returns when it answers. That takes some 15 s of processor time, more after a kill, when it repairs its state first. One that isn't ready
    /// in time is started again, as whoever supervises a gateway would do; all attempts together last longer than the five minutes of <see cref="KillAsync"/>.
    /// </summary>
    public async Task StartAsync()
    {
        for (var attempt = 1; ; attempt++)
        {
            lock (_log) _log.AppendLine("--- start");
            _process = Process.Start(OpenClawInstallation.Start(State, ["gateway", "run", "--port", $"{Port}"]))!;
            var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _ = ReadAsync(_process.StandardOutput, ready);
            _ = ReadAsync(_process.StandardError, ready);
            var exited = _process.WaitForExitAsync();
            await Task.WhenAny(ready.Task, exited, Task.Delay(StartTimeout));
            if (ready.Task.IsCompleted) return;
            var how = exited.IsCompleted ? $"ended with {_process.ExitCode}" : $"wasn't ready after {StartTimeout.TotalSeconds} s";
            await KillAsync();
            if (attempt == StartAttempts) throw new InvalidOperationException($"the gateway {how}, {attempt} times:\n{Log}");
        }
    }

    /// <summary>
    /// kill −9 to it and, unless told otherwise, to what it has started. Not for a gateway whose configuration was just written: while it reloads it holds a lease
    /// (<c>core:plugin-lifecycle</c>) that doesn't name its holder, and the next one waits without a word until that has run out, five minutes later.
    /// </summary>
    public async Task KillAsync(bool withChildren = true)
    {
        if (_process is not { } process) return;
        process.Kill(withChildren);
        await process.WaitForExitAsync();
        process.Dispose();
        _process = null;
    }

    /// <summary>SIGTERM, and its end.</summary>
    public async Task StopAsync()
    {
        if (_process is not { } process) return;
        using (var kill = Process.Start("kill", ["-TERM", $"{process.Id}"])) await kill.WaitForExitAsync();
        using var timeout = new CancellationTokenSource(StartTimeout);
        await process.WaitForExitAsync(timeout.Token);
        process.Dispose();
        _process = null;
    }

    /// <summary>Runs <c>openclaw …</c> against its state and gives what it said.</summary>
    public async Task<(int ExitCode, string Output)> CommandAsync(params string[] arguments)
    {
        using var process = Process.Start(OpenClawInstallation.Start(State, arguments))!;
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        var output = process.StandardOutput.ReadToEndAsync(timeout.Token);
        var errors = process.StandardError.ReadToEndAsync(timeout.Token);
        try
        {
            await process.WaitForExitAsync(timeout.Token);
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }

        return (process.ExitCode, await output + await errors);
    }

    public async ValueTask DisposeAsync() => await KillAsync();

    private async Task ReadAsync(StreamReader reader, TaskCompletionSource ready)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            lock (_log) _log.AppendLine(line);
            if (line.Contains("[gateway] ready", StringComparison.Ordinal)) ready.TrySetResult();
        }
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
