using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace ChannelBridge.Tests.Integration;

/// <summary><c>plugin run</c> as an author has it in a terminal.</summary>
public sealed class PluginRunTests
{
    [Fact]
    public async Task Signal_EndsTheHostAndItsPlugin()
    {
        using var process = HostProcess.Launch(["plugin", "run", Path.Combine(Samples(), "plugin-python"), "--data", Scratch.NewFolder("cbrun")]);
        using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        try
        {
            // Read to its end: a full pipe would hold the process up.
            _ = process.StandardOutput.ReadToEndAsync(timeout.Token);
            while (await process.StandardError.ReadLineAsync(timeout.Token) is { } line && !line.Contains("runs as process", StringComparison.Ordinal)) { }
            var errors = process.StandardError.ReadToEndAsync(timeout.Token);
            using var kill = Process.Start("kill", ["-TERM", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
            await kill.WaitForExitAsync(timeout.Token);
            await process.WaitForExitAsync(timeout.Token);
            Assert.Equal(0, process.ExitCode);
            Assert.Contains("stopped", await errors, StringComparison.Ordinal);
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }

    private static string Samples([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "samples"));
}
