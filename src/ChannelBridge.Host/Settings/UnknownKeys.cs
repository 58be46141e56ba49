using ChannelBridge.Host.Terminal;
using ChannelBridge.Protocol;

namespace ChannelBridge.Host.Settings;

/// <summary>Warns about keys that nobody knows, with the nearest one that is known. Values aren't shown: they may be secrets.</summary>
internal static class UnknownKeys
{
    /// <summary>So many are told one by one; a file that has more is of another program.</summary>
    private const int MostTold = 40;

    /// <summary>Sections that others read: the framework, and plugins, which may be installed later than the host is started.</summary>
    private static readonly string[] OfOthers = ["Logging", "Kestrel", "Plugins"];

    /// <summary>The warnings.</summary>
    public static IEnumerable<string> Find(MergedSettings settings, SettingsIndex index)
    {
        var told = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var left = 0;
        foreach (var (key, value) in settings.Values)
        {
            if (index.Find(key) is not { Fit: SettingsIndex.Fit.Unknown } match || OfOthers.Contains(match.Path.Split(':')[0], StringComparer.OrdinalIgnoreCase)) continue;
            if (value.Value is null && match.Path.Length == key.Length && settings.Children(key).Count > 0) continue;
            if (!told.Add(match.Path)) continue;
            if (told.Count > MostTold)
            {
                left++;
                continue;
            }

            var where = value.Place.Length > 0 ? $" ({value.Place})" : "";
            var isSection = match.Path.Length < key.Length || value.Value is null;
            var nearest = match.Path.Contains(':', StringComparison.Ordinal)
                ? index.Settings.MinBy(setting => Nearest.Distance(setting.Key.ToUpperInvariant(), key.ToUpperInvariant()))!.Key
                : index.Sections.MinBy(section => Nearest.Distance(section.ToUpperInvariant(), match.Path.ToUpperInvariant()))!;
            yield return $"{Shown(match.Path)}: unknown {(isSection ? "section" : "key")}, ignored; did you mean {nearest}?{where}";
        }

        if (left > 0) yield return $"{left} more unknown keys, ignored";
    }

    private static string Shown(string key) => SoundText.Cut(key, 120, "…");
}
