using System.Diagnostics;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Host.Commands;

/// <summary>The steps by which a gateway gets a package, in their order, and their doing by the gateway's own command.</summary>
/// <param name="file">The package's file.</param>
/// <param name="gone">Channels that the package before had and this one hasn't.</param>
/// <param name="fresh">Channels that it has newly.</param>
internal sealed class OpenClawSteps(string file, IReadOnlyList<string> gone, IReadOnlyList<string> fresh)
{
    // The gateway fetches what its package manager lacks.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);
    private static readonly string[] Restart = ["gateway", "restart"];

    /// <summary>Prints them for the operator.</summary>
    public void Print()
    {
        Console.WriteLine("next:");
        foreach (var step in Commands()) Console.WriteLine($"  openclaw {string.Join(' ', step)}");
        Console.WriteLine("  restart the gateway, and this host, which then knows the package as its own");
    }

    /// <summary>Does them. What can't be done here, because somebody else runs the gateway, is said.</summary>
    /// <param name="program">The gateway's command.</param>
    /// <param name="cancellationToken">Ends the step that runs.</param>
    /// <exception cref="BridgeException">A step failed; those behind it weren't done.</exception>
    public async Task RunAsync(string program, CancellationToken cancellationToken)
    {
        foreach (var step in Commands())
        {
            Console.WriteLine($"openclaw {string.Join(' ', step)}");
            var (exit, said) = await RunAsync(program, step, cancellationToken).ConfigureAwait(false);
            if (exit == 0) continue;
            // A channel that was never set up has no settings to unset.
            if (step is ["config", "unset", ..] && said.Contains("Config path not found", StringComparison.Ordinal)) continue;
            throw new BridgeException(
                ErrorCodes.Unavailable, $"'openclaw {string.Join(' ', step)}' ended with exit code {exit}; the steps behind it weren't done, the next try does them:\n{said}");
        }

        Console.WriteLine($"openclaw {string.Join(' ', Restart)}");
        var (restarted, why) = await RunAsync(program, Restart, cancellationToken).ConfigureAwait(false);
        if (restarted != 0) Console.WriteLine($"  that didn't do it: {Last(why)}\n  restart the gateway the way you start it");
        Console.WriteLine("restart this host, too: it then knows the package as its own");
    }

    // A key that no channel has is an error of the gateway's configuration: it goes before its channel does.
    private IEnumerable<string[]> Commands() =>
    [
        .. gone.Select(channel => (string[])["config", "unset", $"channels.{channel}"]),
        ["plugins", "install", $"npm-pack:{file}", "--force", "--accept-capabilities"],
        .. fresh.Select(channel => (string[])["config", "set", $"channels.{channel}.enabled", "true"]),
    ];

    private static string Last(string said) => said.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault() ?? "it said nothing";

    private static async Task<(int Exit, string Said)> RunAsync(string program, string[] arguments, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        using var process = Start(start);
        // It asks nobody: what it would ask is given by its arguments.
        process.StandardInput.Close();
        using var timeout = new CancellationTokenSource(Patience);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(both.Token);
            var errors = process.StandardError.ReadToEndAsync(both.Token);
            await process.WaitForExitAsync(both.Token).ConfigureAwait(false);
            return (process.ExitCode, (await output.ConfigureAwait(false) + await errors.ConfigureAwait(false)).Trim());
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            throw new BridgeException(ErrorCodes.Timeout, $"'openclaw {string.Join(' ', arguments)}' didn't end within {Patience.TotalMinutes:0} minutes");
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception fault)
        {
            throw new BridgeException(ErrorCodes.Unavailable, $"{start.FileName} can't be started: {fault.Message}", fault);
        }
    }
}
