namespace ChannelBridge.Abstractions.Transfers;

/// <summary>Where a path really leads: for everything that opens files by names which somebody else has chosen.</summary>
public static class FilePaths
{
    private const int MaxLinks = 40;

    /// <summary>A path with every link in it followed. What doesn't exist stays as it is written.</summary>
    /// <param name="path">A full path.</param>
    /// <exception cref="IOException">The links lead in a circle.</exception>
    public static string Resolve(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        path = Path.GetFullPath(path);
        var root = Path.GetPathRoot(path)!;
        var real = root;
        var rest = new Stack<string>(Parts(path[root.Length..]).Reverse());
        var links = 0;
        while (rest.TryPop(out var part))
        {
            if (part == ".") continue;
            if (part == "..")
            {
                real = Path.GetDirectoryName(real) ?? root;
                continue;
            }

            var next = Path.Combine(real, part);
            if (new FileInfo(next).LinkTarget is not { } target)
            {
                real = next;
                continue;
            }

            if (++links > MaxLinks) throw new IOException("too many links");
            var rooted = Path.IsPathRooted(target);
            if (rooted) real = root;
            foreach (var piece in Parts(rooted ? target[Path.GetPathRoot(target)!.Length..] : target).Reverse()) rest.Push(piece);
        }

        return real;
    }

    /// <summary>True for the folder itself and for what is below it; both are full paths whose links were followed.</summary>
    /// <param name="path">The path.</param>
    /// <param name="folder">The folder, or a file.</param>
    public static bool IsWithin(string path, string folder)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(folder);
        var comparison = OperatingSystem.IsWindows() || OperatingSystem.IsMacOS() ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;
        folder = Path.TrimEndingDirectorySeparator(folder);
        return path.StartsWith(folder, comparison)
            && (path.Length == folder.Length || Path.EndsInDirectorySeparator(folder) || path[folder.Length] == Path.DirectorySeparatorChar);
    }

    private static string[] Parts(string path) =>
        path.Split([Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar], StringSplitOptions.RemoveEmptyEntries);
}
