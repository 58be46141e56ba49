using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Tools;
using ChannelBridge.Channels.InstaClaw;
using ChannelBridge.Channels.InstaClaw.Connection;
using ChannelBridge.Core.Hosting;
using ChannelBridge.Core.Net;
using ChannelBridge.Tests.Platform;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Tests.Unit.InstaClaw;

/// <summary>The channel in this process before the simulated platform, with scripted runs. <see cref="RestartAsync"/> begins anew on the same store and folder.</summary>
public sealed class ChannelLab : IAsyncDisposable
{
    private readonly List<string> _log = [];
    private readonly InstaClawOptions _options;
    private InstaClawChannel _channel = null!;

    private ChannelLab(InstaClawPlatform platform, InstaClawOptions options)
    {
        Platform = platform;
        _options = options;
    }

    public static TimeSpan Patience => TimeSpan.FromSeconds(60);

    public InstaClawPlatform Platform { get; }

    public string Folder { get; } = Scratch.NewFolder("cbinsta");

    public string ProfilePath => Path.Combine(Folder, ".insta", "config", "profile.json");

    public MemoryStore Store { get; } = new();

    internal FakeRuns Runs { get; private set; } = new();

    public IReadOnlyList<string> Log
    {
        get { lock (_log) return [.. _log]; }
    }

    /// <summary>Starts the channel; registered unless told otherwise.</summary>
    public static async Task<ChannelLab> StartAsync(Action<InstaClawOptions>? configure = null, bool registered = true)
    {
        var platform = await InstaClawPlatform.StartAsync();
        var options = new InstaClawOptions
        {
            WsUrl = platform.WsUrl.ToString(),
            ProfilePollInterval = TimeSpan.FromMilliseconds(100),
            ReconnectBaseDelay = TimeSpan.FromMilliseconds(20),
            ReconnectMaxDelay = TimeSpan.FromMilliseconds(100),
            ReproposeDelay = TimeSpan.FromMilliseconds(300),
        };
        var lab = new ChannelLab(platform, options);
        options.BaseFolder = lab.Folder;
        configure?.Invoke(options);
        if (registered) lab.WriteProfile("key-0", "secret-0");
        await lab.BeginAsync();
        return lab;
    }

    public void WriteProfile(string key, string secret)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(ProfilePath)!);
        File.WriteAllText(ProfilePath + ".new", new JsonObject { ["app_key"] = key, ["app_secret"] = secret, ["name"] = "Tester", ["claw_id"] = "claw-0" }.ToJsonString());
        File.Move(ProfilePath + ".new", ProfilePath, overwrite: true);
    }

    /// <summary>Ends the channel in the middle of whatever it does, and starts another one. Runs keep their events, as the host's do.</summary>
    public async Task RestartAsync()
    {
        await _channel.StopAsync(CancellationToken.None);
        _channel.Dispose();
        await BeginAsync();
    }

    public Task<BrokerSide> ConnectedAsync() => Platform.NextConnectionAsync();

    /// <summary>Calls a gateway method as an operator does.</summary>
    public async Task<JsonObject> CallAsync(string method, JsonObject parameters)
    {
        var found = _channel.Methods.Single(one => one.Name == method);
        return await InvokeAsync((output, call) => found.InvokeAsync(JsonSerializer.SerializeToUtf8Bytes(parameters), call, output, CancellationToken.None));
    }

    /// <summary>Calls a tool as the agent does.</summary>
    public async Task<JsonObject> ToolAsync(string tool, JsonObject arguments, string? sessionKey = null)
    {
        var found = _channel.Tools.Single(one => one.Name == tool);
        return await InvokeAsync((output, call) => found.RunAsync(
            JsonSerializer.SerializeToUtf8Bytes(arguments), new ToolCall(sessionKey, call), output, CancellationToken.None));
    }

    public async Task<JsonObject> DiagnosticsAsync() =>
        (await _channel.CollectAsync(CancellationToken.None))["accounts"]![0]!.AsObject();

    /// <summary>Waits until diagnostics fulfil a condition.</summary>
    public async Task UntilAsync(Func<JsonObject, bool> condition)
    {
        using var timeout = new CancellationTokenSource(Patience);
        while (!condition(await DiagnosticsAsync())) await Task.Delay(10, timeout.Token);
    }

    public IEnumerable<string> ToolNames => _channel.Tools.Select(tool => tool.Name);

    public IEnumerable<RpcMethod> Methods => _channel.Methods;

    public async ValueTask DisposeAsync()
    {
        await _channel.StopAsync(CancellationToken.None);
        _channel.Dispose();
        await Platform.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    private static async Task<JsonObject> InvokeAsync(Func<System.Buffers.IBufferWriter<byte>, MethodCall, ValueTask> invoke)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        await invoke(output, new MethodCall(new NobodyInParticular()));
        return JsonNode.Parse(output.WrittenSpan)!.AsObject();
    }

    private async Task BeginAsync()
    {
        var loggers = LoggerFactory.Create(builder => builder.SetMinimumLevel(LogLevel.Trace).AddProvider(new Lines(_log)));
        _channel = new InstaClawChannel(
            Options.Create(_options), new BrokerDialer(new WebSocketDialer(), _options.MaxMessageBytes), Store, Runs, TimeProvider.System,
            new Random(1), new SingleHost(), loggers);
        await _channel.StartAsync(CancellationToken.None);
    }

    private sealed class NobodyInParticular : IClientConnection
    {
        public string Id => "test";

        public Caller Caller { get; } = new("test", Scopes.All, Door.Local);

        public CancellationToken Closed => CancellationToken.None;

        public bool ClosedByClient => false;

        public DateTimeOffset LastReceivedAt => default;

        public ValueTask<PushOutcome> PushAsync(string eventName, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default) =>
            ValueTask.FromResult(PushOutcome.Flushed);
    }

    private sealed class Lines(List<string> lines) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (lines) lines.Add(formatter(state, exception) + exception);
        }

        public void Dispose()
        {
        }
    }
}
