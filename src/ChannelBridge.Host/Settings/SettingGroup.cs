using System.Globalization;

namespace ChannelBridge.Host.Settings;

/// <summary>
/// The keys of one options class: how each is read, checked and set. The default in the documentation is the one that a new instance has, so that
/// the two can't disagree.
/// </summary>
/// <param name="prefix">What the keys begin with, e.g. <c>Limits:</c>; may contain <c>&lt;id&gt;</c>.</param>
/// <param name="standard">What stands for the default in the documentation where another group's value is it; null: the default itself.</param>
internal sealed class SettingGroup<T>(string prefix, string? standard = null)
    where T : class, new()
{
    private readonly List<(Setting Setting, string Name, Action<SettingsReader, string, T> Read)> _keys = [];
    private readonly T _defaults = new();

    /// <summary>The keys.</summary>
    public IEnumerable<Setting> Settings => _keys.Select(key => key.Setting);

    /// <summary>Reads every key into <paramref name="target"/>.</summary>
    /// <param name="reader">Where from.</param>
    /// <param name="target">What is set; keys that aren't there leave it as it is.</param>
    /// <param name="concretePrefix">The prefix with its <c>&lt;id&gt;</c> filled in; null: as it stands.</param>
    public void Apply(SettingsReader reader, T target, string? concretePrefix = null)
    {
        foreach (var (_, name, read) in _keys)
        {
            var key = (concretePrefix ?? prefix) + name;
            if (reader.Has(key)) read(reader, key, target);
        }
    }

    public SettingGroup<T> Number(string name, long minimum, long maximum, Func<T, long> get, Action<T, long> set, string summary)
    {
        string Default() => get(_defaults).ToString(CultureInfo.InvariantCulture);
        return Add(name, () => (Default(), $"{summary} ({minimum}…{maximum})", Default()),
            (reader, key, target) => set(target, reader.Number(key, get(target), minimum, maximum, Default())));
    }

    public SettingGroup<T> Fraction(string name, double minimum, double maximum, Func<T, double> get, Action<T, double> set, string summary)
    {
        string Default() => get(_defaults).ToString(CultureInfo.InvariantCulture);
        string Range() => string.Create(CultureInfo.InvariantCulture, $"({minimum}…{maximum})");
        return Add(name, () => (Default(), $"{summary} {Range()}", Default()),
            (reader, key, target) => set(target, reader.Fraction(key, get(target), minimum, maximum, Default())));
    }

    public SettingGroup<T> Duration(string name, TimeSpan minimum, TimeSpan maximum, Func<T, TimeSpan> get, Action<T, TimeSpan> set, string summary)
    {
        string Default() => SettingsReader.FormatDuration(get(_defaults));
        return Add(name, () => (Default(), $"{summary} ({SettingsReader.FormatDuration(minimum)}…{SettingsReader.FormatDuration(maximum)})", Default()),
            (reader, key, target) => set(target, reader.Duration(key, get(target), minimum, maximum, Default())));
    }

    public SettingGroup<T> Size(string name, long minimum, long maximum, Func<T, long> get, Action<T, long> set, string summary)
    {
        string Default() => SettingsReader.FormatSize(get(_defaults));
        return Add(name, () => (Default(), $"{summary} ({SettingsReader.FormatSize(minimum)}…{SettingsReader.FormatSize(maximum)})", Default()),
            (reader, key, target) => set(target, reader.Size(key, get(target), minimum, maximum, Default())));
    }

    public SettingGroup<T> Flag(string name, Func<T, bool> get, Action<T, bool> set, string summary)
    {
        string Default() => get(_defaults) ? "true" : "false";
        return Add(name, () => (Default(), summary, Default()), (reader, key, target) => set(target, reader.Flag(key, get(target))));
    }

    public SettingGroup<T> Text(string name, Func<T, string?> get, Action<T, string> set, string summary, string example) =>
        Add(name, () => (get(_defaults) is { Length: > 0 } text ? text : "none", summary, example), (reader, key, target) =>
        {
            if (reader.Text(key) is { } value) set(target, value);
        });

    public SettingGroup<T> List(string name, Action<T, IReadOnlyList<string>> set, string summary, string example) =>
        Add(name, () => ("none", summary, example), (reader, key, target) =>
        {
            if (reader.List(key) is { } items) set(target, items);
        });

    /// <summary>One of the words of an enumeration, compared without case.</summary>
    public SettingGroup<T> Choice<TEnum>(string name, Func<T, TEnum?> get, Action<T, TEnum> set, string summary)
        where TEnum : struct, Enum
    {
        string[] Words() => Array.ConvertAll(Enum.GetNames<TEnum>(), word => word.ToLowerInvariant());
        return Add(
            name,
            () => (get(_defaults) is { } value ? value.ToString().ToLowerInvariant() : "as the channel", $"{summary} ({string.Join(", ", Words())})", Words()[0]),
            (reader, key, target) =>
            {
                if (reader.Text(key) is not null) set(target, Enum.Parse<TEnum>(reader.Choice(key, Words()[0], Words()), ignoreCase: true));
            });
    }

    private SettingGroup<T> Add(string name, Func<(string Default, string Summary, string Example)> describe, Action<SettingsReader, string, T> read)
    {
        var words = standard is null ? describe : () => describe() with { Default = standard };
        _keys.Add((new Setting(prefix + name, words), name, read));
        return this;
    }
}
