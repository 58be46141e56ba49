using System.Diagnostics;

namespace ChannelBridge.Tests.Interop.Lab;

/// <summary>
/// The JavaScript SDK of A2A in two versions: folders made once with <c>npm install @a2a-js/sdk@VERSION express@5.1.0</c>, beside each
/// other in the folder that CHANNELBRIDGE_A2A names as <c>a2a-VERSION</c>. Without them the tests are skipped with that reason; in CI they
/// fail.
/// </summary>
public sealed class A2ASdk : IAsyncDisposable
{
    public const string Variable = "CHANNELBRIDGE_A2A";

    private readonly Process _process;

    private A2ASdk(Process process, int port)
    {
        _process = process;
        Url = new Uri($"http://127.0.0.1:{port}/");
    }

    public static string? Folder { get; } = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } folder ? folder : null;

    /// <summary>Why the tests can't run, or null.</summary>
    public static string? Missing => OpenClawInstallation.Missing
        ?? (Folder is null ? $"{Variable} isn't set: let it name a folder with a2a-0.3.14 and a2a-1.3.0"
        : !Directory.Exists(Modules("0.3")) || !Directory.Exists(Modules("1.0")) ? $"{Variable}: {Folder} hasn't both a2a-0.3.14 and a2a-1.3.0"
        : null);

    public Uri Url { get; }

    /// <summary>The folder of the SDK that speaks a version of the protocol.</summary>
    public static string Modules(string version) => Path.Combine(Folder!, version == "0.3" ? "a2a-0.3.14" : "a2a-1.3.0");

    /// <summary>Starts a server of the SDK.</summary>
    public static async Task<A2ASdk> StartAsync(string version)
    {
        var script = Path.Combine(OpenClawInstallation.Repository, "tests", "ChannelBridge.Tests.Interop", "clients", "a2a-server.mjs");
        var start = new ProcessStartInfo(OpenClawInstallation.Node, [script, version, "--modules", Modules(version)])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        var process = Process.Start(start)!;
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("listening ", StringComparison.Ordinal)) return new A2ASdk(process, int.Parse(line["listening ".Length..]));
        }

        process.Dispose();
        throw new InvalidOperationException("The SDK's server did not start.");
    }

    public async ValueTask DisposeAsync()
    {
        // It ends with its input.
        _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}

/// <summary>A test that needs the JavaScript SDK of A2A.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class A2ATheoryAttribute : TheoryAttribute
{
    public A2ATheoryAttribute()
    {
        if (!OpenClawInstallation.InCi) Skip = A2ASdk.Missing;
        Timeout = 120_000;
    }
}
