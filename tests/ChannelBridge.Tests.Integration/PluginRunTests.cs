using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
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

    /// <summary>Guards that an author can try endpoints: a listener whose address is told at the start, and the token of the data folder.</summary>
    [Fact]
    public async Task Endpoint_AnswersAtTheAddressThatIsTold()
    {
        var data = Scratch.NewFolder("cbrun");
        using var process = HostProcess.Launch(["plugin", "run", PluginEndpointTests.BuiltSample(), "--data", data]);
        using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        try
        {
            string? told = null;
            while (await process.StandardOutput.ReadLineAsync(timeout.Token) is { } line)
            {
                const string Endpoint = "endpoint: POST ", Access = "/folder/{name} (operator.write)";
                if (!line.StartsWith(Endpoint, StringComparison.Ordinal)) continue;
                Assert.EndsWith(Access, line, StringComparison.Ordinal);
                told = line[Endpoint.Length..^Access.Length];
                break;
            }

            _ = process.StandardOutput.ReadToEndAsync(timeout.Token);
            while (await process.StandardError.ReadLineAsync(timeout.Token) is { } line && !line.Contains("runs as process", StringComparison.Ordinal)) { }
            _ = process.StandardError.ReadToEndAsync(timeout.Token);
            using var client = new HttpClient { BaseAddress = new Uri(told!) };
            Assert.True(client.BaseAddress.IsLoopback);
            using var refused = await client.PostAsync("/folder/ann", new StringContent("hello"), timeout.Token);
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue(
                "Bearer", (await File.ReadAllTextAsync(Path.Combine(data, "token"), timeout.Token)).Trim());
            using var accepted = await client.PostAsync("/folder/ann", new StringContent("hello"), timeout.Token);
            Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }

    private static string Samples([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "samples"));
}
