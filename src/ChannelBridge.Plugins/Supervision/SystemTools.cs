using System.Diagnostics;
using ChannelBridge.Plugins.Manifest;

namespace ChannelBridge.Plugins.Supervision;

/// <summary>What this system offers to hold a process, found out once.</summary>
internal sealed record SystemTools
{
    private static readonly Lazy<SystemTools> FoundOnce = new(Find);

    /// <summary>What is here.</summary>
    public static SystemTools Found => FoundOnce.Value;

    /// <summary><c>setpriv</c>, or null.</summary>
    public string? SetPriv { get; init; }

    /// <summary><c>setpriv</c> can have a process die with its parent.</summary>
    public bool CanDieWithParent { get; init; }

    /// <summary><c>prlimit</c>, or null.</summary>
    public string? PrLimit { get; init; }

    /// <summary>The .NET runtime's program, or null.</summary>
    public string? Dotnet { get; init; }

    /// <summary>What isn't here, in words for the operator; null when all is.</summary>
    public string? Missing
    {
        get
        {
            List<string> missing = [];
            if (SetPriv is null) missing.Add("setpriv (plugins could gain rights by set-uid programs)");
            else if (!CanDieWithParent) missing.Add("setpriv --pdeathsig (a plugin ends by the end of its stdin)");
            if (PrLimit is null) missing.Add("prlimit (open files and core dumps of plugins aren't bounded)");
            return missing.Count == 0 ? null : string.Join(", ", missing);
        }
    }

    private static SystemTools Find()
    {
        var own = Environment.ProcessPath;
        var root = Environment.GetEnvironmentVariable("DOTNET_ROOT");
        var name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        var dotnet = own is not null && Path.GetFileName(own) == name ? own
            : root is not null && File.Exists(Path.Combine(root, name)) ? Path.Combine(root, name)
            : PluginFiles.FindOnPath("dotnet");
        if (!OperatingSystem.IsLinux()) return new SystemTools { Dotnet = dotnet };
        var setPriv = PluginFiles.FindOnPath("setpriv");
        return new SystemTools
        {
            Dotnet = dotnet,
            SetPriv = setPriv,
            CanDieWithParent = setPriv is not null && Works(setPriv, "--no-new-privs", "--pdeathsig", "KILL", "--", "true"),
            PrLimit = PluginFiles.FindOnPath("prlimit"),
        };
    }

    private static bool Works(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(
                new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true, UseShellExecute = false })!;
            return process.WaitForExit(TimeSpan.FromSeconds(10)) && process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
