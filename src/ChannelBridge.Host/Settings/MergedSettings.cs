using ChannelBridge.Abstractions.Settings;

namespace ChannelBridge.Host.Settings;

/// <summary>
/// The settings of all places together; later places win. A list of a later place replaces that of an earlier one as a whole: two lists that were
/// mixed item by item would let in what neither of them says.
/// </summary>
internal sealed class MergedSettings : ISettingsSource
{
    private readonly Dictionary<string, SettingValue> _values = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, Dictionary<string, string>> _children = new(StringComparer.OrdinalIgnoreCase);

    private MergedSettings()
    {
    }

    /// <summary>Every key that has a value, and where it stands.</summary>
    public IReadOnlyDictionary<string, SettingValue> Values => _values;

    /// <summary>Puts the places together, the last one before all others.</summary>
    public static MergedSettings Merge(IReadOnlyList<SettingsLayer> layers, SettingsIndex index)
    {
        var lists = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);
        for (var i = 0; i < layers.Count; i++)
        {
            foreach (var key in layers[i].Values.Keys)
            {
                if (index.ListOf(key) is { } list) lists[list] = i;
            }
        }

        var result = new MergedSettings();
        for (var i = 0; i < layers.Count; i++)
        {
            foreach (var (key, value) in layers[i].Values)
            {
                if (index.ListOf(key) is { } list && lists[list] != i) continue;
                result._values[key] = value;
            }
        }

        foreach (var key in result._values.Keys) result.AddToParents(key);
        return result;
    }

    /// <inheritdoc/>
    public string? Get(string key) => _values.TryGetValue(key, out var value) ? value.Value : null;

    /// <inheritdoc/>
    public IReadOnlyList<string> Children(string key) => _children.TryGetValue(key, out var names) ? [.. names.Values] : [];

    /// <summary>The same as the framework has it.</summary>
    public IConfiguration ToConfiguration() => new ConfigurationBuilder()
        .AddInMemoryCollection(_values.Select(pair => new KeyValuePair<string, string?>(pair.Key, pair.Value.Value)))
        .Build();

    private void AddToParents(string key)
    {
        for (var end = key.LastIndexOf(':'); ; end = end > 0 ? key.LastIndexOf(':', end - 1) : -1)
        {
            var next = key.IndexOf(':', end + 1);
            var name = next < 0 ? key[(end + 1)..] : key[(end + 1)..next];
            var parent = end < 0 ? "" : key[..end];
            if (!_children.TryGetValue(parent, out var names)) _children[parent] = names = new(StringComparer.OrdinalIgnoreCase);
            if (!names.TryAdd(name, name) || end < 0) return;
        }
    }
}
