using System.Runtime.InteropServices;
using ChannelBridge.Host.Settings;
using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Host.Composition;

/// <summary>
/// On SIGHUP what can be changed while the host runs is read again: the log's level and the certificate. Whatever is wrong with it, the
/// host goes on as
/// before: the signal never ends it.
/// </summary>
/// <param name="load">Reads the settings again; null where there is nothing to read.</param>
/// <param name="level">The log's level.</param>
/// <param name="logger">The log.</param>
/// <param name="certificate">The certificate, or null.</param>
internal sealed partial class Reloader(SettingsSource load, LogLevelSwitch level, ILogger<Reloader> logger,
    ServerCertificate? certificate = null) : IHostedService, IDisposable
{
    private readonly Lock _gate = new();
    private PosixSignalRegistration? _signal;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _signal = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true;
            Reload();
        });
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public void Dispose() => _signal?.Dispose();

    /// <summary>Reads again what can be.</summary>
    internal void Reload()
    {
        lock (_gate)
        {
            try
            {
                if (load.Load?.Invoke() is { } settings) level.Set(settings.LogLevel);
                var until = certificate?.Reload();
                LogReloaded(level.Level, until is { } end ? $", certificate valid until {end:u}" : "");
            }
            catch (SettingsException fault)
            {
                LogNotReloaded(string.Join("; ", fault.Problems));
            }
            catch (Exception fault) when (ServerCertificate.IsUnusable(fault))
            {
                LogNotReloaded($"the certificate can't be used: {fault.Message}");
            }
        }
    }

    [LoggerMessage(LogEvents.ReloaderReloaded, LogLevel.Information, "Reloaded on SIGHUP: log level {Level}{Certificate}. Other settings take effect at the "
        + "next start")]
    private partial void LogReloaded(LogLevel level, string certificate);

    [LoggerMessage(LogEvents.ReloaderNotReloaded, LogLevel.Warning, "SIGHUP: nothing was changed: {Reason}")]
    private partial void LogNotReloaded(string reason);
}

/// <summary>Where the settings come from, to be read again.</summary>
/// <param name="Load">Reads and checks them; null where that makes no sense.</param>
internal sealed record SettingsSource(Func<HostSettings>? Load);
