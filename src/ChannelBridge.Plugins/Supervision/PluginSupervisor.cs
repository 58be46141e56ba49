using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Plugins.Supervision;

/// <summary>
/// Keeps one plugin's process running: starts it, watches it, starts it again when it ends, and gives it up for a while when it ends too
/// often.
/// </summary>
public sealed class PluginSupervisor : IAsyncDisposable
{
    private readonly PluginManifest _manifest;
    private readonly string _folder;
    private readonly string _dataFolder;
    private readonly PluginOptions _options;
    private readonly PluginStart _start;
    private readonly IPluginSide _side;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly SupervisorTimes _times;
    private readonly string[] _secrets;
    private readonly PluginLines _lines;
    private readonly DiskUse _disk;
    private readonly Queue<DateTimeOffset> _starts = new();
    private readonly Lock _lock = new();
    private readonly PluginStarts? _turns;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private CancellationTokenSource _stop = new();
    private Task _running = Task.CompletedTask;
    private PluginProcess? _process;
    private bool _disposed;
    private PluginState _state;
    private int _count;
    private string? _lastEnd;
    private string? _detail;

    /// <summary>Creates the supervisor of a plugin; <see cref="Start"/> starts it.</summary>
    /// <param name="manifest">The checked manifest.</param>
    /// <param name="folder">The folder of this version.</param>
    /// <param name="dataFolder">Where the plugin may keep files; made when it isn't there.</param>
    /// <param name="options">The operator's settings.</param>
    /// <param name="start">The settings that the process gets.</param>
    /// <param name="side">The host's side.</param>
    /// <param name="logger">Gets the plugin's stderr, too.</param>
    /// <param name="time">The clock.</param>
    /// <param name="times">The times; null for the product's.</param>
    public PluginSupervisor(
        PluginManifest manifest, string folder, string dataFolder, PluginOptions options, PluginStart start, IPluginSide side,
        ILogger logger, TimeProvider time, SupervisorTimes? times = null)
        : this(manifest, folder, dataFolder, options, start, side, logger, time, times, new PluginLines(time))
    {
    }

    internal PluginSupervisor(
        PluginManifest manifest, string folder, string dataFolder, PluginOptions options, PluginStart start, IPluginSide side,
        ILogger logger, TimeProvider time, SupervisorTimes? times, PluginLines lines, PluginStarts? starts = null)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(start);
        _manifest = manifest;
        _folder = folder;
        _dataFolder = dataFolder;
        _options = options;
        _start = start;
        _side = side;
        _logger = logger;
        _time = time;
        _times = times ?? new SupervisorTimes();
        _lines = lines;
        _turns = starts;
        _disk = new DiskUse(dataFolder, time);
        _secrets = [.. Secrets.Find(manifest, start)];
    }

    /// <summary>The plugin now.</summary>
    public PluginStatus Status
    {
        get
        {
            lock (_lock)
            {
                var traffic = _process?.Connection.Traffic;
                return new PluginStatus
                {
                    Id = _manifest.Id,
                    Version = _manifest.Version,
                    State = _state,
                    ProcessId = _process?.Id,
                    Memory = _process?.Memory ?? 0,
                    Disk = _disk.Bytes,
                    Starts = _count,
                    LastEnd = _lastEnd,
                    Detail = _detail,
                    Refused = traffic?.Refused ?? 0,
                    Dropped = (traffic?.Strays ?? 0) + (traffic?.Dropped ?? 0),
                };
            }
        }
    }

    /// <summary>Starts it, or starts it anew out of quarantine. Does nothing when it is to run anyway.</summary>
    public void Start()
    {
        lock (_lock)
        {
            if (_disposed || !_running.IsCompleted) return;
            _starts.Clear();
            _stop.Dispose();
            _stop = new CancellationTokenSource();
            _running = Task.Run(() => RunAsync(_stop.Token));
        }
    }

    /// <summary>Stops it. Completes when the process is gone.</summary>
    public async Task StopAsync()
    {
        Task running;
        lock (_lock)
        {
            running = _running;
            if (!_disposed) _stop.Cancel();
        }

        await running.ConfigureAwait(false);
        Set(PluginState.Stopped);
    }

    /// <summary>Completes when it runs, or when it is in one of the given states.</summary>
    public async Task<PluginState> WaitForAsync(CancellationToken cancellationToken, params PluginState[] states)
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (states.Contains(_state)) return _state;
                changed = _changed.Task;
            }

            await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Stops it.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync().ConfigureAwait(false);
        lock (_lock)
        {
            if (_disposed) return;
            _disposed = true;
            _stop.Cancel();
        }

        // A start may have come in between.
        await StopAsync().ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task RunAsync(CancellationToken stop)
    {
        var failures = 0;
        while (!stop.IsCancellationRequested)
        {
            var begun = _time.GetUtcNow();
            End end;
            try
            {
                end = await RunOnceAsync(stop).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                break;
            }
            catch (Exception fault)
            {
                end = new End(Secrets.Mask(fault is BridgeException ? fault.Message : $"it can't be started: {fault.Message}", _secrets));
            }

            if (stop.IsCancellationRequested) break;
            // Whatever has run for a while begins anew with short waits.
            if (_time.GetUtcNow() - begun > _times.LongestDelay) failures = 0;
            if (!await WaitAsync(end, failures++, stop).ConfigureAwait(false)) return;
        }
    }

    // One process from its start to its end; says why it ended.
    private async Task<End> RunOnceAsync(CancellationToken stop)
    {
        Set(PluginState.Starting);
        Directory.CreateDirectory(_dataFolder);
        if (IsFull(now: true) is { } full) return full;
        using var turn = _turns is null ? null : await _turns.EnterAsync(stop).ConfigureAwait(false);
        lock (_lock)
        {
            _count++;
            _starts.Enqueue(_time.GetUtcNow());
        }

        var launch = PluginLaunch.Create(_manifest, _folder, _dataFolder, _options, SystemTools.Found);
        var hello = new PluginHello
        {
            Protocols = [PluginProtocol.Version],
            Plugin = _manifest.Id,
            Version = _manifest.Version,
            Host = $"ChannelBridge {typeof(PluginSupervisor).Assembly.GetName().Version?.ToString(3)}",
            DataFolder = _dataFolder,
            MaxOpenRequests = PluginLimits.Default.MaxOpenRequests,
        };
        var stderr = new StderrReader(_time, _secrets, line =>
        {
            _lines.Add(line);
            SupervisorLog.Stderr(_logger, _manifest.Id, line);
        });
        var process = await PluginProcess.StartAsync(
            launch, _manifest, hello, _side.Host, stderr, _times, _time,
            (fault, method) => SupervisorLog.CallFailed(_logger, fault, _manifest.Id, method), stop).ConfigureAwait(false);
        try
        {
            lock (_lock)
            {
                _process = process;
            }

            _side.OnConnected(process.Plugin, process.Connection.Streams);
            var started = await process.WithinAsync(token => process.Plugin.StartAsync(_start, token), "start", stop).ConfigureAwait(false);
            await _side.OnStartedAsync(started, stop).ConfigureAwait(false);
            SupervisorLog.Running(_logger, _manifest.Id, _manifest.Version, process.Id);
            turn?.Dispose();
            Set(PluginState.Running);
            var end = await WatchAsync(process, stop).ConfigureAwait(false);
            // Nothing is wrong with the process itself: it may put its things in order.
            if (end.IsFull && !await process.StopAsync(end.Reason).ConfigureAwait(false)) SupervisorLog.Killed(_logger, _manifest.Id);
            return end;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Set(PluginState.Stopping);
            if (!await process.StopAsync("the host stops this plugin").ConfigureAwait(false)) SupervisorLog.Killed(_logger, _manifest.Id);
            SupervisorLog.Stopped(_logger, _manifest.Id);
            throw;
        }
        finally
        {
            lock (_lock)
            {
                _process = null;
                _detail = null;
            }

            // It runs no more, whatever comes then: whoever waits until it runs waits for the next one.
            Set(PluginState.Stopping);
            // First nothing is sent to it any more, then it is ended.
            _side.OnGone();
            await process.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task<End> WatchAsync(PluginProcess process, CancellationToken stop)
    {
        using var watching = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var end = WaitForEndAsync(process, watching.Token);
        var sick = WaitForSicknessAsync(process, watching.Token);
        var first = await Task.WhenAny(end, sick).ConfigureAwait(false);
        await watching.CancelAsync().ConfigureAwait(false);
        await ((Task)Task.WhenAll(end, sick)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stop.ThrowIfCancellationRequested();
        return await first.ConfigureAwait(false);
    }

    private static async Task<End> WaitForEndAsync(PluginProcess process, CancellationToken cancellationToken) =>
        new(await process.WaitForEndAsync(cancellationToken).ConfigureAwait(false));

    private End? IsFull(bool now = false) => _disk.Count(now) is var bytes && bytes <= _options.MaxDisk ? null : new End(
        $"its data folder holds {Size(bytes)}, and {Size(_options.MaxDisk)} are allowed (Plugins:{_manifest.Id}:MaxDisk)", IsFull: true);

    private static string Size(long bytes) => bytes < 10 * 1024 * 1024 ? $"{bytes / 1024} KiB" : $"{bytes / (1024 * 1024)} MiB";

    private async Task<End> WaitForSicknessAsync(PluginProcess process, CancellationToken cancellationToken)
    {
        while (true)
        {
            await Task.Delay(_times.Heartbeat, _time, cancellationToken).ConfigureAwait(false);
            if (process.Memory is var memory && memory > _options.MaxMemory)
            {
                return new End($"it took {memory / (1024 * 1024)} MiB of memory, and {_options.MaxMemory / (1024 * 1024)} MiB are allowed "
                    + $"(Plugins:{_manifest.Id}:MaxMemory)");
            }

            if (IsFull() is { } full) return full;

            try
            {
                var health = await process.Plugin.CheckHealthAsync(cancellationToken)
                    .WaitAsync(_times.Silence, _time, cancellationToken).TranslateAsync().ConfigureAwait(false);
                lock (_lock)
                {
                    _detail = health is { Ok: true, Detail: null } ? null
                        : PluginText.Cut(Secrets.Mask($"{(health.Ok ? "" : "not well: ")}{health.Detail}", _secrets), 300);
                }
            }
            catch (TimeoutException)
            {
                return new End($"it didn't answer for {_times.Silence.TotalSeconds:0.#} s");
            }
            catch (BridgeException answered) when (answered.Code != ErrorCodes.Unavailable)
            {
                lock (_lock)
                {
                    _detail = PluginText.Cut(Secrets.Mask($"not well: {answered.Message}", _secrets), 300);
                }
            }
            catch (BridgeException)
            {
                // The pipe is gone: the other watcher says how it ended.
                await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    // False when it is in quarantine.
    private async Task<bool> WaitAsync(End end, int failures, CancellationToken stop)
    {
        int starts;
        var reason = end.Reason;
        lock (_lock)
        {
            _lastEnd = PluginText.Cut(reason, 500);
            while (_starts.TryPeek(out var oldest) && _time.GetUtcNow() - oldest > _times.QuarantineWindow) _starts.Dequeue();
            starts = _starts.Count;
        }

        if (end.IsFull)
        {
            // Another start makes no room.
            SupervisorLog.Full(_logger, _manifest.Id, reason);
            Set(PluginState.Quarantined);
            return false;
        }

        if (starts >= _times.QuarantineStarts)
        {
            SupervisorLog.Quarantined(_logger, _manifest.Id, reason, starts, _times.QuarantineWindow.TotalMinutes);
            Set(PluginState.Quarantined);
            return false;
        }

        var wait = TimeSpan.FromTicks(Math.Min(_times.LongestDelay.Ticks, _times.FirstDelay.Ticks << Math.Min(failures, 16)));
        SupervisorLog.Ended(_logger, _manifest.Id, reason, wait.TotalSeconds);
        Set(PluginState.Waiting);
        await Task.Delay(wait, _time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return true;
    }

    private void Set(PluginState state)
    {
        lock (_lock)
        {
            _state = state;
            var changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            changed.TrySetResult();
        }
    }

    // Why a process ended; full: an operator has to make room first.
    private readonly record struct End(string Reason, bool IsFull = false);
}
