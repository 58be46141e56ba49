using System.Buffers;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Plugins.Hosting;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Supervision;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Plugins;

/// <summary>A whole host in this process: SQLite, the durable core, the echo agent, and plugins.</summary>
internal sealed class HostedPlugins : IAsyncDisposable
{
    private readonly IHost _host;

    private readonly ErrorLog _log = new();

    private HostedPlugins(string folder, Func<PluginManifest, PluginSettings>? settings, SupervisorTimes? times)
    {
        Folder = folder;
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.SetMinimumLevel(LogLevel.Warning).AddProvider(_log);
        var options = new PluginHostOptions
        {
            DataFolder = folder,
            SettingsOf = settings ?? (_ => new PluginSettings()),
            Times = times ?? new SupervisorTimes
            {
                Handshake = TimeSpan.FromMinutes(2),
                Silence = TimeSpan.FromMinutes(2),
                FirstDelay = TimeSpan.FromMilliseconds(10),
            },
        };
        builder.Services.AddChannelBridge().UseSqlite(store => store.Path = Path.Combine(folder, "messages.db"))
            .AddTransfers(files => files.Folder = Path.Combine(folder, "spool")).AddPlugins(options);
        _host = builder.Build();
    }

    public string Folder { get; }

    /// <summary>What the host has logged as errors.</summary>
    public string Errors => _log.Of(LogLevel.Error);

    /// <summary>What the host has logged as warnings and as errors.</summary>
    public string Warnings => _log.Of(LogLevel.Warning);

    public IServiceProvider Services => _host.Services;

    public PluginRoom Room => Services.GetRequiredService<PluginRoom>();

    public static async Task<HostedPlugins> StartAsync(
        string? folder = null, Func<PluginManifest, PluginSettings>? settings = null, SupervisorTimes? times = null)
    {
        var host = new HostedPlugins(folder ?? Scratch.NewFolder("host"), settings, times);
        await host._host.StartAsync();
        return host;
    }

    /// <summary>Calls a method of the host as an operator does.</summary>
    public async Task<JsonNode> CallAsync(string name, JsonObject parameters)
    {
        var method = Services.GetRequiredService<IRegistry>().Current.Of<IMethodSource>().SelectMany(source => source.Methods)
            .Single(one => one.Name == name);
        var result = new ArrayBufferWriter<byte>();
        await method.InvokeAsync(
            System.Text.Encoding.UTF8.GetBytes(parameters.ToJsonString()), new MethodCall(new Operator()), result, default);
        return JsonNode.Parse(result.WrittenSpan)!;
    }

    /// <summary>Completes when the plugin's process runs; one that isn't <paramref name="not"/>, which has been killed.</summary>
    public async Task<int> RunsAsync(string id, int not = 0)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var supervisor = Room.Units.Single(unit => unit.Manifest.Id == id).Supervisor;
        while (true)
        {
            await supervisor.WaitForAsync(timeout.Token, PluginState.Running);
            if (supervisor.Status.ProcessId is { } process && process != not) return process;
            await Task.Delay(10, timeout.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        if (_host is IAsyncDisposable disposable) await disposable.DisposeAsync();
    }

    private sealed class Operator : IClientConnection
    {
        public string Id => "test";

        public Caller Caller { get; } = new("test", Scopes.All, Door.Local);

        public CancellationToken Closed => default;

        public bool ClosedByClient => false;

        public DateTimeOffset LastReceivedAt => DateTimeOffset.UtcNow;

        public ValueTask<PushOutcome> PushAsync(
            string eventName, ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default) =>
            new(PushOutcome.Flushed);
    }

    private sealed class ErrorLog : ILoggerProvider, ILogger
    {
        private readonly List<(LogLevel Level, string Text)> _lines = [];

        public string Of(LogLevel least)
        {
            lock (_lines) return string.Join('\n', _lines.Where(line => line.Level >= least).Select(line => line.Text));
        }

        public ILogger CreateLogger(string categoryName) => this;

        public void Dispose()
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (_lines) _lines.Add((logLevel, formatter(state, exception)));
        }
    }
}
