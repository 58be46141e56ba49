using System.Globalization;
using ChannelBridge.Abstractions.Settings;

namespace ChannelBridge.Host.Settings;

/// <summary>Finds the setting that a key belongs to, in a time that doesn't grow with the number of settings.</summary>
internal sealed class SettingsIndex
{
    private readonly Node _root = new();

    /// <summary>An index of settings.</summary>
    public SettingsIndex(IReadOnlyList<Setting> settings)
    {
        Settings = settings;
        foreach (var setting in settings)
        {
            var node = _root;
            foreach (var part in setting.Key.Split(':')) node = node.Add(part);
            node.Setting = setting;
        }
    }

    /// <summary>The settings.</summary>
    public IReadOnlyList<Setting> Settings { get; }

    /// <summary>The sections: the first parts of all keys.</summary>
    public IEnumerable<string> Sections => _root.Names;

    /// <summary>Where a key leads.</summary>
    public Match Find(string key)
    {
        var node = _root;
        var rest = key.AsSpan();
        var depth = 0;
        while (true)
        {
            if (node.Setting is { Kind: SettingKind.Open }) return new Match(node.Setting, Fit.Known, key);
            if (rest.IsEmpty && depth > 0)
            {
                // A section without keys, or with a value where its keys should be.
                return node.Setting is { } setting ? new Match(setting, Fit.Known, key) : new Match(null, Fit.Section, key);
            }

            var end = rest.IndexOf(':');
            var part = end < 0 ? rest : rest[..end];
            depth += part.Length + 1;
            var path = depth - 1 < key.Length ? key[..(depth - 1)] : key;
            if (node.Setting is { } above)
            {
                var isItem = above.Kind == SettingKind.List && end < 0 && int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out _);
                return new Match(above, isItem ? Fit.Item : Fit.Below, key[..Math.Max(0, path.Length - part.Length - 1)]);
            }

            if (node.Next(part) is not { } next) return new Match(null, Fit.Unknown, path);
            node = next;
            rest = end < 0 ? [] : rest[(end + 1)..];
        }
    }

    /// <summary>The list that a key or its parent is, or null when it is none.</summary>
    public string? ListOf(string key) => Find(key) switch
    {
        { Setting.Kind: SettingKind.List, Fit: Fit.Known } => key,
        { Setting.Kind: SettingKind.List, Fit: Fit.Item or Fit.Below } match => match.Path,
        _ => null,
    };

    /// <summary>Tells the reader of values that stand where keys should, and of keys that stand where a value should.</summary>
    public void CheckShapes(MergedSettings settings, SettingsReader reader)
    {
        foreach (var (key, value) in settings.Values)
        {
            var match = Find(key);
            if (match is { Fit: Fit.Section } && value.Value is not null)
            {
                var example = Settings.First(setting => Covers(setting.Key, key));
                reader.Problem(key, "this is a section with keys of its own, not a value", $"{example.Key}={example.Example}");
            }
            else if (match is { Fit: Fit.Below, Setting.Kind: not SettingKind.List })
            {
                reader.Text(match.Path);
            }
            else if (match is { Setting.Kind: SettingKind.List })
            {
                reader.List(match.Fit == Fit.Known ? key : match.Path);
            }
        }
    }

    private static bool Covers(string pattern, string key)
    {
        var parts = pattern.Split(':');
        var given = key.Split(':');
        if (parts.Length <= given.Length) return false;
        for (var i = 0; i < given.Length; i++)
        {
            if (parts[i][0] != '<' && !string.Equals(parts[i], given[i], StringComparison.OrdinalIgnoreCase)) return false;
        }

        return true;
    }

    /// <summary>How a key fits a setting.</summary>
    public enum Fit
    {
        /// <summary>It is one.</summary>
        Known,

        /// <summary>It is an item of one.</summary>
        Item,

        /// <summary>It stands below one that has a value and no keys.</summary>
        Below,

        /// <summary>It is a section of some.</summary>
        Section,

        /// <summary>Nothing knows it.</summary>
        Unknown,
    }

    /// <summary>Where a key leads.</summary>
    /// <param name="Setting">The setting, or null.</param>
    /// <param name="Fit">How the key fits it.</param>
    /// <param name="Path">The setting's key with its names filled in; for an unknown one, as far as it is read to be unknown.</param>
    public sealed record Match(Setting? Setting, Fit Fit, string Path);

    private sealed class Node
    {
        private readonly Dictionary<string, Node> _named = new(StringComparer.OrdinalIgnoreCase);
        private Node? _any;

        public Setting? Setting { get; set; }

        public IEnumerable<string> Names => _named.Keys;

        public Node Add(string part)
        {
            if (part.StartsWith('<')) return _any ??= new Node();
            if (!_named.TryGetValue(part, out var node)) _named[part] = node = new Node();
            return node;
        }

        public Node? Next(ReadOnlySpan<char> part) =>
            _named.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(part, out var node) ? node : _any;
    }
}
