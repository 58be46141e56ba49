using System.Net.Sockets;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Bncr;
using ChannelBridge.Host.Settings;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Host.Composition;

/// <summary>Runs a host from its settings to its end.</summary>
internal static class HostRunner
{
    private const string OtherUrl = "--urls, e.g. --urls http://127.0.0.1:7789";

    /// <summary>Runs until a signal comes (or <paramref name="body"/> ends, where there is one) and gives the exit code.</summary>
    /// <param name="settings">The validated settings.</param>
    /// <param name="output">For what the operator reads; never a log.</param>
    /// <param name="body">What to do while the host runs; its end stops the host. Null: run until told to stop.</param>
    /// <param name="reload">Reads the settings again, for SIGHUP; null: only the certificate is read again.</param>
    /// <exception cref="HostStartException">The start can't go on; the message says why.</exception>
    public static async Task<int> RunAsync(
        HostSettings settings, TextWriter output, Func<WebApplication, CancellationToken, Task<int>>? body = null,
            Func<HostSettings>? reload = null)
    {
        OwnerOnly.RestrictNewFiles();
        using var folder = DataFolder.Open(settings.DataDirectory);
        var token = folder.TakeToken(settings.FirstToken, out var made);
        var app = HostComposition.Build(settings, folder, token, reload);
        await using (app.ConfigureAwait(false))
        {
            try
            {
                await StartAsync(app, settings.StopTimeout, OtherUrl).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (body is null && app.Lifetime.ApplicationStopping.IsCancellationRequested)
            {
                // Told to stop while it was starting, by a signal or the end of standard input: it has stopped, which is what was asked.
                return ExitCodes.Ok;
            }

            app.Services.GetRequiredService<HostState>().Listening();
            if (made && body is null) await output.WriteLineAsync(TellToken(folder.TokenPath, token, settings)).ConfigureAwait(false);
            HostFile.Write(folder.Path, new HostFile(Environment.ProcessId, Listener.Addresses(app, settings) is [var first, ..] ? first : null, settings.Socket));
            if (body is null)
            {
                Banner.Write(
                    output,
                    settings,
                    folder,
                    app.Services.GetRequiredService<IStore>().Description,
                    Listener.Addresses(app, settings),
                    Listener.OwnAddresses(app, settings),
                    app.Services.GetRequiredService<IOptions<BncrOptions>>().Value);
                await app.WaitForShutdownAsync().ConfigureAwait(false);
                return ExitCodes.Ok;
            }

            try
            {
                return await body(app, app.Lifetime.ApplicationStopping).ConfigureAwait(false);
            }
            finally
            {
                await app.StopAsync().ConfigureAwait(false);
            }
        }
    }

    /// <summary>The token is shown to a person at a terminal only: any other output may be a journal that many can read.</summary>
    private static string TellToken(string path, string token, HostSettings settings)
    {
        var atTerminal = settings.Stdio ? !Console.IsErrorRedirected : !Console.IsOutputRedirected;
        return atTerminal && !settings.Managed ? $"made a token, shown this once and kept in {path}: {token}"
            : $"made a token; it is in {path}";
    }

    /// <summary>Starts a host; what has started is stopped again when the rest can't.</summary>
    /// <param name="app">The host.</param>
    /// <param name="stopTimeout">How long stopping may take then.</param>
    /// <param name="otherAddress">The option that gives it another address, as it is typed.</param>
    /// <exception cref="HostStartException">The start can't go on; the message says why.</exception>
    public static async Task StartAsync(WebApplication app, TimeSpan stopTimeout, string otherAddress)
    {
        try
        {
            await app.StartAsync().ConfigureAwait(false);
        }
        catch (Exception fault)
        {
            // What has started is stopped in order; the store must not be left half open.
            using var timeout = new CancellationTokenSource(stopTimeout);
            await app.StopAsync(timeout.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (fault is BridgeException { Code: var code } && code.StartsWith("STORE", StringComparison.Ordinal))
                throw new HostStartException(ExitCodes.Store, $"the store can't be opened: {fault.Message} ({code})", fault);
            if (fault is IOException or SocketException)
            {
                throw new HostStartException(
                    ExitCodes.Listen, $"can't listen: {fault.Message.ReplaceLineEndings(" ")}\n{AdviceOn(fault, otherAddress)}", fault);
            }

            throw;
        }
    }

    private static string AdviceOn(Exception fault, string otherAddress)
    {
        for (Exception? cause = fault; cause is not null; cause = cause.InnerException)
        {
            switch (cause)
            {
                case SocketException { SocketErrorCode: SocketError.AccessDenied }:
                    return $"this user may not listen there: ports below 1024 need a right of their own; choose another one with {otherAddress}";
                case SocketException { SocketErrorCode: SocketError.AddressNotAvailable }:
                    return $"this machine has no such address; choose one of its own with {otherAddress}";
                case SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse }:
                    return $"another program uses the address; choose another one with {otherAddress}";
            }
        }

        return $"choose another address with {otherAddress}";
    }
}
