using System.Diagnostics;

namespace ChannelBridge.Tests.Interop.Lab;

/// <summary>Runs a script of the <c>clients</c> folder with the gateway's node. It must end with exit code 0 and the line <c>all well</c>.</summary>
internal static class NodeScript
{
    public static async Task<string> RunAsync(string name, TimeSpan limit, params string[] arguments)
    {
        if (OpenClawInstallation.Missing is { } reason) Assert.Fail(reason);
        var script = Path.Combine(OpenClawInstallation.Repository, "tests", "ChannelBridge.Tests.Interop", "clients", name);
        var start = new ProcessStartInfo(OpenClawInstallation.Node, [script, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        using var timeout = new CancellationTokenSource(limit);
        var output = process.StandardOutput.ReadToEndAsync(timeout.Token);
        var errors = process.StandardError.ReadToEndAsync(timeout.Token);
        try
        {
            await process.WaitForExitAsync(timeout.Token);
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }

        Assert.True(process.ExitCode == 0, await output + await errors);
        Assert.EndsWith("all well", (await output).Trim(), StringComparison.Ordinal);
        return await output;
    }
}
