using System.Diagnostics;
using System.Runtime.Versioning;
using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>Managed mode's own file, without a gateway: what it refuses to start, restarts, gives up, and that no host outlives its parent.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class ManagedHostTests
{
    [OpenClawFact]
    public async Task ManagedHost_RealHostAndMisbehavingPrograms_IsSafeAndLeavesNoOrphan()
    {
        if (OpenClawInstallation.Missing is { } reason) Assert.Fail(reason);
        var folder = Directory.CreateTempSubdirectory("cbmanaged").FullName;
        // The tests' output folder may belong to a group; a copy of the host in a folder of one's own is what an operator would have.
        var host = HostCopy.In(folder);
        var script = Path.Combine(OpenClawInstallation.Repository, "tests", "ChannelBridge.Tests.Interop", "clients", "managed.mjs");
        var start = new ProcessStartInfo(OpenClawInstallation.Node, [script, OpenClawInstallation.Repository, host, folder])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(180));
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
    }
}
