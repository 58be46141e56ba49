using ChannelBridge.Plugins.Manifest;

namespace ChannelBridge.Plugins.Packages;

/// <summary>What files a plugin may consist of: names that mean the same on every system, bounded in number and size.</summary>
internal sealed class PackageRules
{
    /// <summary>The most files.</summary>
    public const int MaxFiles = 5000;

    /// <summary>The most bytes of all files together.</summary>
    public const long MaxBytes = 512L * 1024 * 1024;

    private const int MaxName = 300;
    private const int MaxDepth = 16;
    private static readonly string[] Devices =
        ["CON", "PRN", "AUX", "NUL", .. Enumerable.Range(1, 9).SelectMany(n => new[] { $"COM{n}", $"LPT{n}" })];

    private readonly HashSet<string> _files = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, string> _folders = new(StringComparer.OrdinalIgnoreCase);
    private long _bytes;

    /// <summary>Takes one more file, or says why not.</summary>
    /// <param name="name">Its name, with / between its parts.</param>
    public SchemaFault? Add(string name)
    {
        if (_files.Count >= MaxFiles) return new SchemaFault(name, $"a plugin has at most {MaxFiles} files");
        if (name.Length is 0 or > MaxName)
            return new SchemaFault(name[..Math.Min(name.Length, 80)], $"a file's name has 1 to {MaxName} characters");
        var parts = name.Split('/');
        if (parts.Length > MaxDepth) return new SchemaFault(name, $"folders are nested deeper than {MaxDepth}");
        foreach (var part in parts)
        {
            if (Fault(part) is { } fault) return new SchemaFault(Show(name), fault);
        }

        // A file named like a folder, or two that differ by case, are one on some systems.
        var folder = "";
        foreach (var part in parts[..^1])
        {
            folder = folder.Length == 0 ? part : $"{folder}/{part}";
            if (_files.Contains(folder)) return new SchemaFault(name, "a file has the name of one of its folders");
            if (_folders.TryAdd(folder, folder) || _folders[folder] == folder) continue;
            return new SchemaFault(name, $"differs from {_folders[folder]} by case only");
        }

        if (_folders.ContainsKey(name)) return new SchemaFault(name, "a folder has the same name");
        return _files.Add(name) ? null : new SchemaFault(name, "stands there twice, or differs from another by case only");
    }

    /// <summary>Counts bytes that were read of a file, or says that they are too many.</summary>
    public SchemaFault? Count(string name, long bytes)
    {
        _bytes += bytes;
        return _bytes > MaxBytes ? new SchemaFault(name, $"the files have more than {MaxBytes / (1024 * 1024)} MiB together") : null;
    }

    private static string? Fault(string part)
    {
        if (part.Length == 0) return "an absolute name, or an empty part in it";
        if (part is "." or "..") return "leads outside";
        if (part.Any(character => character is '\\' or ':' or '*' or '?' or '"' or '<' or '>' or '|' || char.IsControl(character)))
            return "has characters that not every system takes";
        if (part[^1] is '.' or ' ') return "ends with a dot or a space";
        var stem = part.Split('.')[0];
        return Devices.Contains(stem, StringComparer.OrdinalIgnoreCase) ? "is the name of a device on some systems" : null;
    }

    private static string Show(string name) => new([.. name.Select(character => char.IsControl(character) ? '?' : character)]);
}
