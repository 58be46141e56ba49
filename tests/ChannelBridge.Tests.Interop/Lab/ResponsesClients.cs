using System.Diagnostics;
using System.Security.Cryptography;

namespace ChannelBridge.Tests.Interop.Lab;

/// <summary>
/// Clients of Open Responses from npm, in the folder named by CHANNELBRIDGE_CLIENTS, which <c>npm install</c> made of <c>clients/responses/package.json</c>. Their
/// scripts run in a copy inside it, so that they find their packages. In CI a missing folder is a failure.
/// </summary>
internal static class ResponsesClients
{
    public const string Variable = "CHANNELBRIDGE_CLIENTS";

    private static readonly string Scripts = Path.Combine(OpenClawInstallation.Repository, "tests", "ChannelBridge.Tests.Interop", "clients", "responses");

    public static string? Folder { get; } = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } folder ? folder : null;

    /// <summary>Why the tests can't run, or null.</summary>
    public static string? Missing =>
        OpenClawInstallation.Missing ?? (Folder is null || !Directory.Exists(Path.Combine(Folder, "node_modules"))
            ? $"{Variable} isn't set: let it name a folder where npm has installed clients/responses/package.json"
            : null);

    /// <summary>Copies the scripts to where they find their packages; the folder is the caller's to delete.</summary>
    public static string CopyScripts()
    {
        if (Missing is { } reason) Assert.Fail(reason);
        var folder = Path.Combine(Folder!, "run-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6)));
        Directory.CreateDirectory(folder);
        foreach (var script in Directory.EnumerateFiles(Scripts, "*.mjs")) File.Copy(script, Path.Combine(folder, Path.GetFileName(script)));
        return folder;
    }

    /// <summary>Starts a script.</summary>
    public static Process Start(string script, params string[] arguments) => Process.Start(new ProcessStartInfo(OpenClawInstallation.Node, [script, .. arguments])
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        Environment = { ["NO_COLOR"] = "1", ["AI_SDK_LOG_WARNINGS"] = "false" },
    })!;
}

/// <summary>A test that needs the clients.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ResponsesClientsFactAttribute : TheoryAttribute
{
    public ResponsesClientsFactAttribute()
    {
        if (!OpenClawInstallation.InCi) Skip = ResponsesClients.Missing;
        Timeout = 600_000;
    }
}
