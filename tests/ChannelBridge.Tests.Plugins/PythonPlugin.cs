using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Streams;
using ChannelBridge.Plugins.Supervision;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Plugins;

/// <summary>A plugin of a few lines of Python, in a folder of its own, under a supervisor with short times.</summary>
internal sealed class PythonPlugin : IAsyncDisposable, ILogger, IPluginSide
{
    /// <summary>A whole plugin that behaves.</summary>
    public const string Good = """
        from channelbridge import Plugin
        plugin = Plugin("test", "1.0.0", channels=["chat"])
        plugin.run()
        """;

    private readonly List<string> _log = [];
    private TaskCompletionSource _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public PythonPlugin(string script, PluginOptions? options = null, SupervisorTimes? times = null, string settings = "{}")
    {
        Folder = Scratch.NewFolder("plugin");
        File.WriteAllText(Path.Combine(Folder, "main.py"), script);
        File.Copy(Path.Combine(Samples(), "plugin-python", "channelbridge.py"), Path.Combine(Folder, "channelbridge.py"));
        File.WriteAllText(Path.Combine(Folder, PluginManifest.FileName), """
            {"id":"test","version":"1.0.0","protocol":1,"channels":[{"id":"chat"}],"run":{"command":["python3","main.py"]},
             "settings":{"type":"object","properties":{"password":{"type":"string","secret":true}}}}
            """);
        using var document = JsonDocument.Parse(settings);
        Supervisor = new PluginSupervisor(
            ManifestReader.ReadFolder(Folder), Folder, Path.Combine(Folder, "data"), options ?? new PluginOptions(),
            new PluginStart { Settings = document.RootElement.Clone() }, this, this, TimeProvider.System,
            times ?? new SupervisorTimes { Handshake = TimeSpan.FromMinutes(1), FirstDelay = TimeSpan.FromMilliseconds(1) });
    }

    public string Folder { get; }

    public PluginSupervisor Supervisor { get; }

    public FakeHost Host { get; } = new();

    IPluginHost IPluginSide.Host => Host;

    public IPluginProcess? Plugin { get; private set; }

    public string Log
    {
        get
        {
            lock (_log) return string.Join('\n', _log);
        }
    }

    public async Task<PluginStatus> RunsAsync() => await ReachesAsync(PluginState.Running);

    public async Task<PluginStatus> ReachesAsync(PluginState state)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        await Supervisor.WaitForAsync(timeout.Token, state);
        return Supervisor.Status;
    }

    /// <summary>Completes when a process has ended; take it before that happens.</summary>
    public Task Gone()
    {
        lock (_log) return _gone.Task.WaitAsync(TimeSpan.FromMinutes(2));
    }

    public static bool IsAlive(int process)
    {
        try
        {
            using var found = Process.GetProcessById(process);
            // One that ended and that nobody has asked about since is dead, too.
            return !found.HasExited
                && !(OperatingSystem.IsLinux() && File.ReadAllText($"/proc/{process}/stat").Split(") ")[^1].StartsWith('Z'));
        }
        catch (Exception gone) when (gone is ArgumentException or IOException)
        {
            return false;
        }
    }

    public ValueTask DisposeAsync() => Supervisor.DisposeAsync();

    void IPluginSide.OnConnected(IPluginProcess plugin, PluginStreams streams) => Plugin = plugin;

    ValueTask IPluginSide.OnStartedAsync(PluginStarted started, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    void IPluginSide.OnGone()
    {
        TaskCompletionSource gone;
        lock (_log)
        {
            gone = _gone;
            _gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        gone.SetResult();
    }

    IDisposable? ILogger.BeginScope<TState>(TState state) => null;

    bool ILogger.IsEnabled(LogLevel logLevel) => true;

    void ILogger.Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        lock (_log) _log.Add($"{logLevel}: {formatter(state, exception)}");
    }

    internal static string Samples([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "samples");
}
