using System.Net.Sockets;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Host.Composition;

/// <summary>Runs a host from its settings to its end.</summary>
internal static class HostRunner
{
    /// <summary>Runs until a signal comes (or <paramref name="body"/> ends, where there is one) and gives the exit code.</summary>
    /// <param name="settings">The validated settings.</param>
    /// <param name="output">For what the operator reads; never a log.</param>
    /// <param name="body">What to do while the host runs; its end stops the host. Null: run until told to stop.</param>
    /// <exception cref="HostStartException">The start can't go on; the message says why.</exception>
    public static async Task<int> RunAsync(HostSettings settings, TextWriter output, Func<WebApplication, CancellationToken, Task<int>>? body = null)
    {
        OwnerOnly.RestrictNewFiles();
        using var folder = DataFolder.Open(settings.DataDirectory);
        var token = folder.TakeToken(settings.FirstToken, out var made);
        var app = HostComposition.Build(settings, folder, token);
        await using (app.ConfigureAwait(false))
        {
            await StartAsync(app, settings).ConfigureAwait(false);
            app.Services.GetRequiredService<HostState>().Listening();
            // A managed host's output is somebody's log.
            if (made && body is null && !settings.Managed)
                await output.WriteLineAsync($"made a token, shown this once and kept in {folder.TokenPath}: {token}").ConfigureAwait(false);
            HostFile.Write(folder.Path, new HostFile(Environment.ProcessId, Listener.Addresses(app, settings).FirstOrDefault(), settings.Socket));
            if (body is null)
            {
                Banner.Write(output, settings, folder, app.Services.GetRequiredService<IStore>().Description, Listener.Addresses(app, settings), Listener.OwnAddresses(app, settings));
                await app.WaitForShutdownAsync().ConfigureAwait(false);
                return ExitCodes.Ok;
            }

            var result = await body(app, app.Lifetime.ApplicationStopping).ConfigureAwait(false);
            await app.StopAsync().ConfigureAwait(false);
            return result;
        }
    }

    private static async Task StartAsync(WebApplication app, HostSettings settings)
    {
        try
        {
            await app.StartAsync().ConfigureAwait(false);
        }
        catch (Exception fault)
        {
            // What has started is stopped in order; the store must not be left half open.
            using var timeout = new CancellationTokenSource(settings.StopTimeout);
            await app.StopAsync(timeout.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (fault is BridgeException { Code: var code } && code.StartsWith("STORE", StringComparison.Ordinal))
                throw new HostStartException(ExitCodes.Store, $"the store can't be opened: {fault.Message} ({code})", fault);
            if (fault is IOException or SocketException)
            {
                throw new HostStartException(
                    ExitCodes.Listen, $"can't listen: {fault.Message.ReplaceLineEndings(" ")}\nanother program may use the address; choose another one with --urls, e.g. --urls http://127.0.0.1:7789", fault);
            }

            throw;
        }
    }
}
