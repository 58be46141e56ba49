using System.Collections;
using System.Globalization;
using ChannelBridge.Plugins.Manifest;

namespace ChannelBridge.Plugins.Supervision;

/// <summary>How a process is started: program, arguments, folder and the whole environment.</summary>
internal sealed record PluginLaunch(
    string Program, IReadOnlyList<string> Arguments, string Folder, IReadOnlyDictionary<string, string> Environment)
{
    private static readonly string[] Kept = ["PATH", "HOME", "TMPDIR", "TEMP", "TMP", "LANG", "TZ", "DOTNET_ROOT", "SystemRoot"];

    /// <summary>Makes it of the manifest and the operator's settings.</summary>
    /// <param name="manifest">The checked manifest.</param>
    /// <param name="folder">The plugin's folder of this version.</param>
    /// <param name="dataFolder">Where it may keep files.</param>
    /// <param name="options">The operator's settings.</param>
    /// <param name="tools">What the system offers to hold a process.</param>
    /// <exception cref="BridgeException">What it runs isn't there.</exception>
    public static PluginLaunch Create(PluginManifest manifest, string folder, string dataFolder, PluginOptions options, SystemTools tools)
    {
        List<string> command = [];
        if (tools.SetPriv is { } setPriv)
        {
            command.AddRange([setPriv, "--no-new-privs"]);
            // Without it the end of stdin ends a process, as it does where there is no such program.
            if (tools.CanDieWithParent) command.AddRange(["--pdeathsig", "KILL"]);
            command.Add("--");
        }

        if (tools.PrLimit is { } prLimit) command.AddRange([prLimit, "--core=0", $"--nofile={options.MaxFiles}", "--"]);
        command.AddRange(options.Command);
        command.AddRange(Own(manifest, folder, tools));
        return new PluginLaunch(command[0], command[1..], folder, MakeEnvironment(manifest, dataFolder, options));
    }

    private static IEnumerable<string> Own(PluginManifest manifest, string folder, SystemTools tools)
    {
        if (manifest.Run.Dotnet is { } assembly)
        {
            var path = PluginFiles.Resolve(folder, assembly) ?? throw Missing(assembly);
            return [tools.Dotnet ?? throw Missing("dotnet"), path, .. manifest.Run.Arguments];
        }

        var command = manifest.Run.Command!;
        var program = command[0].Contains('/') || command[0].Contains('\\') ? PluginFiles.Resolve(folder, command[0])
            : PluginFiles.FindOnPath(command[0]);
        return [program ?? throw Missing(command[0]), .. command.Skip(1)];
    }

    private static Dictionary<string, string> MakeEnvironment(PluginManifest manifest, string dataFolder, PluginOptions options)
    {
        var environment = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (DictionaryEntry variable in System.Environment.GetEnvironmentVariables())
        {
            var name = (string)variable.Key;
            if (Kept.Contains(name, StringComparer.OrdinalIgnoreCase) || options.Environment.Contains(name, StringComparer.Ordinal))
                environment[name] = (string)variable.Value!;
        }

        environment["CHANNELBRIDGE_PLUGIN_DATA"] = dataFolder;
        // Python would write into the plugin's folder, and what is there is what was installed, and signed.
        environment["PYTHONDONTWRITEBYTECODE"] = "1";
        if (manifest.Run.Dotnet is not null)
        {
            // The runtime would rather collect than be ended.
            environment["DOTNET_GCHeapHardLimit"] = (options.MaxMemory / 4 * 3).ToString("x", CultureInfo.InvariantCulture);
        }

        return environment;
    }

    private static BridgeException Missing(string what) => new(ErrorCodes.NotFound, $"{what}, which the plugin runs, isn't there");
}
