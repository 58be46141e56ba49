using System.Runtime.InteropServices;
using ChannelBridge.Core.Access;
using ChannelBridge.Host.Settings;
using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Host.Composition;

/// <summary>
/// On SIGHUP what can be changed while the host runs is read again: the log's level and the access tokens of the settings. (A renewed certificate is taken
/// without it.) Whatever is wrong with them, the host goes on as before: the signal never ends it.
/// </summary>
internal sealed partial class Reloader(SettingsSource source, LogLevelSwitch level, TokenAuthority tokens, ILogger<Reloader> logger)
    : IHostedService, IDisposable
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
                if (source.Load?.Invoke() is not { } settings) return;
                // The first token has a file of its own and stays; one that can't be taken leaves all as they are.
                var ended = tokens.Replace([source.First, .. settings.Tokens]);
                level.Set(settings.LogLevel);
                LogReloaded(level.Level, settings.Tokens.Count, ended);
            }
            catch (SettingsException fault)
            {
                LogNotReloaded(string.Join("; ", fault.Problems));
            }
            catch (ArgumentException fault)
            {
                LogNotReloaded(fault.Message);
            }
        }
    }

    [LoggerMessage(
        LogEvents.ReloaderReloaded, LogLevel.Information,
        "Reloaded on SIGHUP: log level {Level}, {Tokens} tokens of the settings ({Ended} former ones ended). Other settings take effect at the next start")]
    private partial void LogReloaded(LogLevel level, int tokens, int ended);

    [LoggerMessage(LogEvents.ReloaderNotReloaded, LogLevel.Warning, "SIGHUP: nothing was changed: {Reason}")]
    private partial void LogNotReloaded(string reason);
}

/// <summary>Where the settings come from, to be read again.</summary>
/// <param name="Load">Reads and checks them; null where that makes no sense.</param>
/// <param name="First">The first token.</param>
internal sealed record SettingsSource(Func<HostSettings>? Load, AccessToken First);
