using System.Diagnostics;
using System.Runtime.InteropServices;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;

namespace ChannelBridge.Plugins.Supervision;

/// <summary>One process of a plugin, from its start to its end.</summary>
internal sealed partial class PluginProcess : IAsyncDisposable
{
    private const int SigTerm = 15;
    private readonly Process _process;
    private readonly Task _stderr;
    private readonly TimeProvider _time;
    private readonly SupervisorTimes _times;

    private PluginProcess(
        Process process, IPluginHost host, StderrReader stderr, SupervisorTimes times, TimeProvider time, Action<Exception, string> onFault)
    {
        _process = process;
        _time = time;
        _times = times;
        _stderr = Task.Run(() => stderr.ReadAsync(process.StandardError.BaseStream));
        (Connection, Plugin) = PluginConnection.ForHost(
            process.StandardOutput.BaseStream, process.StandardInput.BaseStream, host, PluginLimits.Default, onFault);
    }

    /// <summary>The process's id.</summary>
    public int Id => _process.Id;

    /// <summary>The pipe to it.</summary>
    public PluginConnection Connection { get; }

    /// <summary>What to call in it.</summary>
    public IPluginProcess Plugin { get; }

    /// <summary>Its memory in bytes, 0 when it is gone.</summary>
    public long Memory
    {
        get
        {
            try
            {
                _process.Refresh();
                return _process.HasExited ? 0 : _process.WorkingSet64;
            }
            catch (InvalidOperationException)
            {
                return 0;
            }
        }
    }

    /// <summary>Starts a process and shakes hands with it.</summary>
    /// <exception cref="BridgeException">It can't be started, doesn't answer in time, or isn't what its manifest says.</exception>
    public static async Task<PluginProcess> StartAsync(
        PluginLaunch launch,
        PluginManifest manifest,
        PluginHello hello,
        IPluginHost host,
        StderrReader stderr,
        SupervisorTimes times,
        TimeProvider time,
        Action<Exception, string> onFault,
        CancellationToken cancellationToken)
    {
        var process = new PluginProcess(await ProcessStarter.StartAsync(launch).ConfigureAwait(false), host, stderr, times, time, onFault);
        try
        {
            var offer = await process.WithinAsync(token => process.Plugin.InitializeAsync(hello, token), "initialize", cancellationToken)
                .ConfigureAwait(false);
            if (Difference(manifest, hello, offer) is { } difference) throw new BridgeException(ErrorCodes.Conflict, difference);
            return process;
        }
        catch
        {
            await process.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>A call that must be answered in the time of a handshake.</summary>
    public async Task<T> WithinAsync<T>(Func<CancellationToken, Task<T>> call, string what, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(_times.Handshake, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            // A process that doesn't answer a cancel either is left.
            return await call(both.Token).WaitAsync(both.Token).TranslateAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new BridgeException(ErrorCodes.Timeout, $"it didn't answer {what} within {_times.Handshake.TotalSeconds:0.#} s");
        }
        catch (BridgeException gone) when (gone.Code == ErrorCodes.Unavailable)
        {
            throw new BridgeException(
                ErrorCodes.Unavailable, $"it ended before it had answered {what}{await WhyAsync().ConfigureAwait(false)}", gone);
        }
    }

    /// <summary>Completes when the pipe or the process has ended, with the reason in words.</summary>
    public async Task<string> WaitForEndAsync(CancellationToken cancellationToken)
    {
        var exit = _process.WaitForExitAsync(cancellationToken);
        await (await Task.WhenAny(exit, Connection.Ended).WaitAsync(cancellationToken).ConfigureAwait(false)).ConfigureAwait(false);
        return $"it ended by itself{await WhyAsync().ConfigureAwait(false)}";
    }

    /// <summary>Asks it to stop, then makes it: <c>stop</c>, SIGTERM, SIGKILL. True when asking was enough.</summary>
    public async Task<bool> StopAsync(string reason)
    {
        try
        {
            using var timeout = new CancellationTokenSource(_times.Stop, _time);
            await Plugin.StopAsync(reason, timeout.Token).WaitAsync(timeout.Token).TranslateAsync().ConfigureAwait(false);
            _process.StandardInput.Close();
            await _process.WaitForExitAsync(timeout.Token).ConfigureAwait(false);
            return true;
        }
        catch (Exception fault) when (fault is BridgeException or OperationCanceledException or IOException or InvalidOperationException)
        {
            // It didn't do it by itself.
        }

        if (!OperatingSystem.IsWindows() && !_process.HasExited && Kill(_process.Id, SigTerm) == 0)
        {
            try
            {
                using var timeout = new CancellationTokenSource(_times.Stop, _time);
                await _process.WaitForExitAsync(timeout.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                // DisposeAsync kills it.
            }
        }

        return false;
    }

    /// <summary>Ends it at once, with what it has started.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            if (!_process.HasExited) _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync().ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is InvalidOperationException or System.ComponentModel.Win32Exception or AggregateException)
        {
            // It is gone.
        }

        await Connection.DisposeAsync().ConfigureAwait(false);
        _process.Dispose();
        _ = _stderr;
    }

    private async Task<string> WhyAsync()
    {
        if (Connection.Ended is { IsCompletedSuccessfully: true } ended
            && await ended.ConfigureAwait(false) is BridgeException { Code: ErrorCodes.InvalidRequest or ErrorCodes.Busy } fault)
            return $": {fault.Message}";
        try
        {
            using var shortly = new CancellationTokenSource(TimeSpan.FromSeconds(1), _time);
            await _process.WaitForExitAsync(shortly.Token).ConfigureAwait(false);
            return $" with exit code {_process.ExitCode}";
        }
        catch (Exception still) when (still is OperationCanceledException or InvalidOperationException)
        {
            return ": it has closed its stdout";
        }
    }

    // What a process offers must be what the operator has seen and installed.
    private static string? Difference(PluginManifest manifest, PluginHello hello, PluginOffer offer)
    {
        if (!hello.Protocols.Contains(offer.Protocol))
            return $"it speaks version {offer.Protocol} of the plugin protocol, this host {string.Join(", ", hello.Protocols)}";
        if (offer.Plugin != manifest.Id) return $"it says that it is {offer.Plugin}, the manifest says {manifest.Id}";
        if (offer.Version != manifest.Version) return $"it is version {offer.Version}, the manifest says {manifest.Version}";
        return Compare("channels", manifest.Channels.Select(channel => channel.Id), offer.Channels)
            ?? Compare("methods", manifest.Methods.Select(method => method.Name), offer.Methods)
            ?? Compare("tools", manifest.Tools.Select(tool => tool.Name), offer.Tools)
            ?? Compare("endpoints", PluginNames.OfEndpoints(manifest), offer.Endpoints);
    }

    private static string? Compare(string what, IEnumerable<string> said, IReadOnlyList<string>? offered)
    {
        var manifest = said.ToHashSet(StringComparer.Ordinal);
        var process = (offered ?? []).ToHashSet(StringComparer.Ordinal);
        if (manifest.SetEquals(process)) return null;
        var more = string.Join(", ", process.Except(manifest, StringComparer.Ordinal).Order(StringComparer.Ordinal).Take(5));
        var less = string.Join(", ", manifest.Except(process, StringComparer.Ordinal).Order(StringComparer.Ordinal).Take(5));
        var besides = more.Length > 0 ? $" it offers {more} besides" : "";
        var missing = less.Length > 0 ? $" it doesn't offer {less}" : "";
        return $"its {what} aren't those of its manifest:{besides}{missing}";
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
