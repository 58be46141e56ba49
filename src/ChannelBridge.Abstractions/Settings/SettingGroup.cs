using System.Globalization;

namespace ChannelBridge.Abstractions.Settings;

/// <summary>
/// The keys of one options class: how each is read, checked and set. The default in the documentation is the one that a new instance has, so that
/// the two can't disagree.
/// </summary>
/// <param name="prefix">What the keys begin with, e.g. <c>Limits:</c>; may contain <c>&lt;id&gt;</c>.</param>
/// <param name="standard">What stands for the default in the documentation where another group's value is it; null: the default itself.</param>
public sealed class SettingGroup<T>(string prefix, string? standard = null)
    where T : class, new()
{
    private readonly List<Entry> _keys = [];
    private readonly T _defaults = new();

    /// <summary>What the keys begin with.</summary>
    public string Prefix => prefix;

    /// <summary>The keys.</summary>
    public IEnumerable<Setting> Settings => _keys.Select(key => key.Setting);

    /// <summary>Reads every key into <paramref name="target"/>.</summary>
    /// <param name="reader">Where from.</param>
    /// <param name="target">What is set; keys that aren't there leave it as it is.</param>
    /// <param name="concretePrefix">The prefix with its <c>&lt;id&gt;</c> filled in; null: as it stands.</param>
    public void Apply(SettingsReader reader, T target, string? concretePrefix = null)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ArgumentNullException.ThrowIfNull(target);
        foreach (var entry in _keys)
        {
            var key = (concretePrefix ?? prefix) + entry.Name;
            if (reader.Has(key, entry.Setting.Kind)) entry.Read(reader, key, target);
        }
    }

    /// <summary>A whole number.</summary>
    public SettingGroup<T> Number(string name, long minimum, long maximum, Func<T, long> get, Action<T, long> set, string summary)
    {
        static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
        return Add(
            name,
            SettingKind.Number,
            () => Ranged(Text(get(_defaults)), summary, Text(minimum), Text(maximum)),
            (reader, key, target) => set(target, reader.Number(key, get(target), minimum, maximum, Text(get(_defaults)))));
    }

    /// <summary>A number with a fraction.</summary>
    public SettingGroup<T> Fraction(string name, double minimum, double maximum, Func<T, double> get, Action<T, double> set, string summary)
    {
        static string Text(double value) => value.ToString(CultureInfo.InvariantCulture);
        return Add(
            name,
            SettingKind.Fraction,
            () => Ranged(Text(get(_defaults)), summary, Text(minimum), Text(maximum)),
            (reader, key, target) => set(target, reader.Fraction(key, get(target), minimum, maximum, Text(get(_defaults)))));
    }

    /// <summary>A length of time.</summary>
    public SettingGroup<T> Duration(
        string name, TimeSpan minimum, TimeSpan maximum, Func<T, TimeSpan> get, Action<T, TimeSpan> set, string summary)
    {
        return Add(
            name,
            SettingKind.Duration,
            () => Ranged(
                SettingText.FormatDuration(get(_defaults)), summary, SettingText.FormatDuration(minimum), SettingText.FormatDuration(maximum)),
            (reader, key, target) =>
                set(target, reader.Duration(key, get(target), minimum, maximum, SettingText.FormatDuration(get(_defaults)))));
    }

    /// <summary>A size in bytes.</summary>
    public SettingGroup<T> Size(string name, long minimum, long maximum, Func<T, long> get, Action<T, long> set, string summary)
    {
        return Add(
            name,
            SettingKind.Size,
            () => Ranged(SettingText.FormatSize(get(_defaults)), summary, SettingText.FormatSize(minimum), SettingText.FormatSize(maximum)),
            (reader, key, target) => set(target, reader.Size(key, get(target), minimum, maximum, SettingText.FormatSize(get(_defaults)))));
    }

    /// <summary>Yes or no.</summary>
    public SettingGroup<T> Flag(string name, Func<T, bool> get, Action<T, bool> set, string summary)
    {
        string Default() => get(_defaults) ? "true" : "false";
        return Add(
            name,
            SettingKind.Flag,
            () => new SettingWords(Default(), summary, Default()),
            (reader, key, target) => set(target, reader.Flag(key, get(target))));
    }

    /// <summary>A text.</summary>
    public SettingGroup<T> Text(string name, Func<T, string?> get, Action<T, string> set, string summary, string example, bool isSecret = false) =>
        Add(
            name,
            SettingKind.Text,
            () => new SettingWords(get(_defaults) is { Length: > 0 } text ? text : "none", summary, example),
            (reader, key, target) =>
            {
                if (reader.Text(key) is { } value) set(target, value);
            },
            isSecret);

    /// <summary>A text that names one of the host's agents.</summary>
    /// <param name="name">The key's name.</param>
    /// <param name="set">Sets it.</param>
    /// <param name="summary">What it does.</param>
    /// <param name="fallback">What stands for the default in the documentation.</param>
    public SettingGroup<T> Agent(string name, Action<T, string> set, string summary, string fallback = "Agents:Default") =>
        Add(
            name,
            SettingKind.Text,
            () => new SettingWords(fallback, summary, "openclaw"),
            (reader, key, target) =>
            {
                if (reader.Agent(key, null) is { } value) set(target, value);
            });

    /// <summary>A list of texts. An empty one is set as such.</summary>
    public SettingGroup<T> List(string name, Action<T, IReadOnlyList<string>> set, string summary, string example) =>
        Add(
            name,
            SettingKind.List,
            () => new SettingWords("none", summary, example),
            (reader, key, target) =>
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
            SettingKind.Choice,
            () => new SettingWords(
                get(_defaults) is { } value ? value.ToString().ToLowerInvariant() : "as the channel",
                $"{summary} ({string.Join(", ", Words())})",
                Words()[0])
            {
                Choices = Words(),
            },
            (reader, key, target) =>
            {
                if (reader.Choice(key, "", Words()) is { Length: > 0 } word) set(target, Enum.Parse<TEnum>(word, ignoreCase: true));
            });
    }

    private static SettingWords Ranged(string value, string summary, string minimum, string maximum) =>
        new(value, $"{summary} ({minimum}…{maximum})", value) { Minimum = minimum, Maximum = maximum };

    private SettingGroup<T> Add(
        string name, SettingKind kind, Func<SettingWords> describe, Action<SettingsReader, string, T> read, bool isSecret = false)
    {
        var words = standard is null ? describe : () => describe() with { Default = standard };
        _keys.Add(new Entry(new Setting(prefix + name, kind, words) { IsSecret = isSecret }, name, read));
        return this;
    }

    private sealed record Entry(Setting Setting, string Name, Action<SettingsReader, string, T> Read);
}
