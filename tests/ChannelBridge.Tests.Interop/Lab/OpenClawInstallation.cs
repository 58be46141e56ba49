using System.Diagnostics;

namespace ChannelBridge.Tests.Interop.Lab;

/// <summary>
/// Where OpenClaw is: the folder named by CHANNELBRIDGE_OPENCLAW, made once with <c>npm install node@24 openclaw@2026.9.6</c>. Without it the interop
/// tests are skipped with that reason; in CI (CI=true) they fail, so that they can't go missing unseen.
/// </summary>
public static class OpenClawInstallation
{
    public const string Variable = "CHANNELBRIDGE_OPENCLAW";

    public static string? Folder { get; } = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } folder ? folder : null;

    public static bool InCi { get; } = string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase);

    /// <summary>Why the tests can't run, or null.</summary>
    public static string? Missing =>
        Folder is null ? $"{Variable} isn't set: let it name a folder with node@24 and openclaw@2026.9.6 in node_modules"
        : !File.Exists(Node) ? $"{Variable}: {Node} doesn't exist; run npm install node@24 openclaw@2026.9.6 in {Folder}"
        : !File.Exists(Script) ? $"{Variable}: {Script} doesn't exist; run npm install node@24 openclaw@2026.9.6 in {Folder}"
        : null;

    public static string Node => Path.Combine(Folder!, "node_modules", "node", "bin", "node");

    private static string Script => Path.Combine(Folder!, "node_modules", "openclaw", "openclaw.mjs");

    /// <summary>The repository: where the plugin's files are.</summary>
    public static string Repository { get; } = FindRepository();

    /// <summary>A start of <c>openclaw …</c> with a state folder of its own.</summary>
    public static ProcessStartInfo Start(string state, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(Node) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = state };
        start.ArgumentList.Add(Script);
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        var environment = start.Environment;
        environment["PATH"] = $"{Path.Combine(Folder!, "node_modules", ".bin")}:{environment["PATH"]}";
        environment["HOME"] = Path.Combine(state, "home");
        environment["OPENCLAW_STATE_DIR"] = Path.Combine(state, "openclaw");
        environment["OPENCLAW_CONFIG_PATH"] = Path.Combine(state, "openclaw", "openclaw.json");
        environment["OPENCLAW_GATEWAY_TOKEN"] = GatewayProcess.Token;
        environment["OPENCLAW_DISABLE_BONJOUR"] = "1";
        environment["OPENCLAW_NO_RESPAWN"] = "1";
        environment["OPENCLAW_SKIP_CANVAS_HOST"] = "1";
        environment["NO_COLOR"] = "1";
        return start;
    }

    private static string FindRepository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "ChannelBridge.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("the tests don't run inside the repository");
    }
}

/// <summary>A test that needs OpenClaw.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class OpenClawFactAttribute : FactAttribute
{
    public OpenClawFactAttribute()
    {
        if (!OpenClawInstallation.InCi) Skip = OpenClawInstallation.Missing;
        Timeout = 600_000;
    }
}
