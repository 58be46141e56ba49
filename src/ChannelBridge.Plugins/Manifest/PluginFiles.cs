namespace ChannelBridge.Plugins.Manifest;

/// <summary>Finds the files that a manifest names.</summary>
internal static class PluginFiles
{
    private const UnixFileMode Executable = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>The full path of a file of the folder, or null when there is none, or it leads outside by links.</summary>
    public static string? Resolve(string folder, string relative)
    {
        // A shell completes a folder with a separator at its end.
        var root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        var path = Path.GetFullPath(Path.Combine(root, relative));
        if (!path.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal)) return null;
        var file = new FileInfo(path);
        if (!file.Exists) return null;
        // A link inside the folder is fine as long as it stays inside.
        for (var part = path; part.Length > root.Length; part = Path.GetDirectoryName(part)!)
        {
            if (File.ResolveLinkTarget(part, returnFinalTarget: true) is { } target
                && !target.FullName.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal))
                return null;
        }

        return path;
    }

    /// <summary>The full path of a program of the PATH, or null.</summary>
    public static string? FindOnPath(string program)
    {
        string[] names = OperatingSystem.IsWindows() && !Path.HasExtension(program) ? [program + ".exe", program + ".cmd"] : [program];
        var all = Environment.GetEnvironmentVariable("PATH") ?? "";
        foreach (var folder in all.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
        {
            if (!Path.IsPathRooted(folder)) continue;
            foreach (var name in names)
            {
                var path = Path.Combine(folder, name);
                if (!File.Exists(path)) continue;
                if (OperatingSystem.IsWindows() || (File.GetUnixFileMode(path) & Executable) != UnixFileMode.None)
                    return path;
            }
        }

        return null;
    }
}
