using System.Text.RegularExpressions;
using ChannelBridge.Abstractions.Settings;

namespace ChannelBridge.Host.Settings;

/// <summary>One line of what <c>channelbridge config show</c> shows.</summary>
/// <param name="Key">The key with its names filled in.</param>
/// <param name="Value">The value as it is written; a secret's is masked.</param>
/// <param name="Source"><c>default</c>, <c>file</c>, <c>environment</c> or <c>command line</c>.</param>
/// <param name="Place">The file or the variable; empty for a default and the command line.</param>
/// <param name="Setting">The setting, or null for a key that nobody knows.</param>
internal sealed record SettingsLine(string Key, string Value, string Source, string Place, Setting? Setting);

/// <summary>The effective value of every setting and where it stands.</summary>
internal static partial class SettingsView
{
    private const string Masked = "(set, not shown)";
    private const string Unknown = "(unknown key, not shown)";

    /// <summary>The defaults below a name (an account, an agent, a token) are listed for so many names.</summary>
    private const int MostNames = 50;

    /// <summary>The lines, in the order of the documentation; keys that nobody knows stand last.</summary>
    public static IEnumerable<SettingsLine> Lines(MergedSettings settings, SettingsIndex index)
    {
        var given = new Dictionary<Setting, List<SettingsLine>>();
        var lists = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var unknown = new List<SettingsLine>();
        foreach (var (key, value) in settings.Values)
        {
            var match = index.Find(key);
            if (match.Setting is not { } setting)
            {
                if (value.Value is not null) unknown.Add(new SettingsLine(key, Unknown, value.Source, value.Place, null));
                continue;
            }

            if (match.Fit != SettingsIndex.Fit.Known && !lists.Add(match.Path)) continue;
            if (match.Fit == SettingsIndex.Fit.Known && value.Value is null) continue;
            var text = match.Fit == SettingsIndex.Fit.Known ? value.Value! : Items(settings, match.Path);
            if (!given.TryGetValue(setting, out var lines)) given[setting] = lines = [];
            lines.Add(new SettingsLine(match.Path, Shown(setting, text), value.Source, value.Place, setting));
        }

        foreach (var setting in index.Settings)
        {
            var set = given.GetValueOrDefault(setting) ?? [];
            foreach (var line in set.OrderBy(line => line.Key, StringComparer.OrdinalIgnoreCase)) yield return line;
            var known = set.Select(line => line.Key).ToHashSet(StringComparer.OrdinalIgnoreCase);
            foreach (var key in Instances(settings, setting.Key).Where(key => !known.Contains(key)))
                yield return new SettingsLine(key, setting.Default, "default", "", setting);
        }

        foreach (var line in unknown.OrderBy(line => line.Key, StringComparer.OrdinalIgnoreCase)) yield return line;
    }

    /// <summary>A value as it may be seen: no secret, no password of an address, no query, which may hold a key.</summary>
    internal static string Shown(Setting setting, string value)
    {
        if (setting.IsSecret) return value.Length == 0 ? "" : Masked;
        return Query().Replace(UserInfo().Replace(value, "://***@"), "?***");
    }

    private static string Items(MergedSettings settings, string key)
    {
        var names = settings.Children(key);
        return string.Join(", ", names.Order(Comparer<string>.Create(ByPlace)).Select(name => settings.Get($"{key}:{name}") ?? "…"));

        static int ByPlace(string? left, string? right) =>
            int.TryParse(left, out var one) && int.TryParse(right, out var other) ? one.CompareTo(other) : string.CompareOrdinal(left, right);
    }

    /// <summary>A key with the names filled in that the settings have.</summary>
    private static IEnumerable<string> Instances(MergedSettings settings, string pattern)
    {
        var begin = pattern.IndexOf('<', StringComparison.Ordinal);
        if (begin < 0) return [pattern];
        var end = pattern.IndexOf('>', begin);
        return settings.Children(pattern[..(begin - 1)])
            .Where(name => settings.Children(pattern[..begin] + name).Count > 0 && IsName(pattern[..begin], name))
            .Take(MostNames)
            .SelectMany(name => Instances(settings, pattern[..begin] + name + pattern[(end + 1)..]));
    }

    /// <summary>False for a name that has keys of its own meaning, such as the agent of the gateway among agents behind a URL.</summary>
    private static bool IsName(string prefix, string name) =>
        !(prefix == "Agents:" && string.Equals(name, "openclaw", StringComparison.OrdinalIgnoreCase));

    [GeneratedRegex("://[^/@\\s]*@", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex UserInfo();

    [GeneratedRegex("(?<=://[^\\s?]*)\\?[^\\s,]*", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Query();
}
