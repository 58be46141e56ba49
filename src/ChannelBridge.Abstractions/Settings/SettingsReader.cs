using System.Globalization;

namespace ChannelBridge.Abstractions.Settings;

/// <summary>
/// Reads values of settings. A value that doesn't fit becomes one line that names the key, says what is wrong and shows a value that works; reading goes
/// on with the default, so that all problems are found in one go.
/// </summary>
/// <param name="source">Where they stand.</param>
/// <param name="facts">What defaults depend on; null: nothing is known.</param>
public sealed class SettingsReader(ISettingsSource source, HostFacts? facts = null)
{
    private readonly List<string> _problems = [];
    private readonly HashSet<string> _told = new(StringComparer.Ordinal);
    private readonly List<string> _warnings = [];

    /// <summary>What is wrong, one line each.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>What works but shouldn't be, one line each.</summary>
    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>Where the settings stand.</summary>
    public ISettingsSource Source => source;

    /// <summary>What defaults depend on.</summary>
    public HostFacts Facts { get; set; } = facts ?? new HostFacts();

    /// <summary>The agent that answers where nothing else is said.</summary>
    public string DefaultAgent => Text("Agents:Default") ?? "echo";

    /// <summary>Adds a problem of a key.</summary>
    public void Problem(string key, string wrong, string example) => Problem($"{key}: {wrong}; example: {example}");

    /// <summary>Adds a problem that is already one such line. What was told once isn't told again.</summary>
    public void Problem(string line)
    {
        if (_told.Add(line)) _problems.Add(line);
    }

    /// <summary>Adds a warning.</summary>
    public void Warn(string warning) => _warnings.Add(warning);

    /// <summary>True when the key is there: with a value, or, for a list, with items. What has the wrong shape is told and counts as not there.</summary>
    public bool Has(string key, SettingKind kind)
    {
        if (kind == SettingKind.List) return source.Get(key) is not null || source.Children(key).Count > 0;
        return HasShape(key) && source.Get(key) is not null;
    }

    /// <summary>True when a key has a value, whatever it is.</summary>
    public bool IsSet(string key) => source.Get(key) is not null;

    /// <summary>The text of a key, or null when it isn't there or empty.</summary>
    public string? Text(string key)
    {
        if (!HasShape(key)) return null;
        var value = source.Get(key);
        return string.IsNullOrWhiteSpace(value) ? null : value.Trim();
    }

    /// <summary>A list: items <c>key:0</c>, <c>key:1</c> …, or one text with commas or semicolons. Null when the key isn't there.</summary>
    public IReadOnlyList<string>? List(string key)
    {
        if (source.Get(key) is { } value)
            return value.Split([',', ';'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var names = source.Children(key);
        if (names.Count == 0) return null;
        var items = new List<(int Place, string Value)>(names.Count);
        foreach (var name in names)
        {
            if (!int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var place))
            {
                Problem(key, $"a list has no keys of its own, such as {SettingText.Show(name)}; write an array, or one text with commas", "[\"one\", \"two\"]");
                return null;
            }

            if (source.Children($"{key}:{name}").Count > 0 || source.Get($"{key}:{name}") is not { } item || string.IsNullOrWhiteSpace(item))
            {
                Problem($"{key}:{name}", "an item of a list is one text that isn't empty", "[\"one\", \"two\"]");
                return null;
            }

            items.Add((place, item.Trim()));
        }

        return [.. items.OrderBy(item => item.Place).Select(item => item.Value)];
    }

    /// <summary>The name of an agent, in the case in which the agent has it.</summary>
    /// <param name="key">The key.</param>
    /// <param name="fallback">What it is when the key isn't there.</param>
    public string? Agent(string key, string? fallback)
    {
        if (Text(key) is not { } text) return fallback;
        return Facts.Agents is { } known ? Choice(key, fallback ?? known.First(), [.. known]) : text;
    }

    /// <summary>A whole number.</summary>
    public long Number(string key, long fallback, long minimum, long maximum, string example)
    {
        if (Given(key, example) is not { } text) return fallback;
        if (!long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value))
        {
            Problem(key, $"{SettingText.Show(text)} is not a whole number", example);
            return fallback;
        }

        if (value >= minimum && value <= maximum) return value;
        Problem(key, $"{value} is not between {minimum} and {maximum}", example);
        return fallback;
    }

    /// <summary>A number with a fraction, written with a point.</summary>
    public double Fraction(string key, double fallback, double minimum, double maximum, string example)
    {
        if (Given(key, example) is not { } text) return fallback;
        if (!double.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value))
        {
            Problem(key, $"{SettingText.Show(text)} is not a number", example);
            return fallback;
        }

        if (value >= minimum && value <= maximum) return value;
        Problem(key, string.Create(CultureInfo.InvariantCulture, $"{value} is not between {minimum} and {maximum}"), example);
        return fallback;
    }

    /// <summary>A length of time: a number with <c>ms</c>, <c>s</c>, <c>m</c>, <c>h</c> or <c>d</c>.</summary>
    public TimeSpan Duration(string key, TimeSpan fallback, TimeSpan minimum, TimeSpan maximum, string example)
    {
        if (Given(key, example) is not { } text) return fallback;
        if (SettingText.ParseDuration(text) is not { } value)
        {
            Problem(key, $"{SettingText.Show(text)} is not a length of time; write a number with ms, s, m, h or d", example);
            return fallback;
        }

        if (value >= minimum && value <= maximum) return value;
        Problem(key, $"{text} is not between {SettingText.FormatDuration(minimum)} and {SettingText.FormatDuration(maximum)}", example);
        return fallback;
    }

    /// <summary>A size in bytes: a number alone, or with <c>KiB</c>, <c>MiB</c> or <c>GiB</c>.</summary>
    public long Size(string key, long fallback, long minimum, long maximum, string example)
    {
        if (Given(key, example) is not { } text) return fallback;
        if (SettingText.ParseSize(text) is not { } value)
        {
            Problem(key, $"{SettingText.Show(text)} is not a size; write bytes, or a number with KiB, MiB or GiB", example);
            return fallback;
        }

        if (value >= minimum && value <= maximum) return value;
        Problem(key, $"{text} is not between {minimum} and {maximum} bytes", example);
        return fallback;
    }

    /// <summary>Yes or no.</summary>
    public bool Flag(string key, bool fallback)
    {
        if (Given(key, "true") is not { } text) return fallback;
        if (SettingText.ParseFlag(text) is { } value) return value;
        Problem(key, $"{SettingText.Show(text)} is neither true nor false", "true");
        return fallback;
    }

    /// <summary>One of a few words, compared without case; given back in the case of the list.</summary>
    public string Choice(string key, string fallback, params string[] choices)
    {
        ArgumentNullException.ThrowIfNull(choices);
        if (Given(key, choices[0]) is not { } text) return fallback;
        var found = Array.Find(choices, choice => string.Equals(choice, text, StringComparison.OrdinalIgnoreCase));
        if (found is not null) return found;
        Problem(key, $"{SettingText.Show(text)} is not one of {string.Join(", ", choices)}", choices[0]);
        return fallback;
    }

    /// <summary>
    /// Tells when one time isn't less than another that must outlast it: a problem where the shorter one is set, a warning where only the longer one is.
    /// </summary>
    /// <param name="shorter">The key of the shorter one.</param>
    /// <param name="shorterValue">Its value.</param>
    /// <param name="longer">The key of the longer one.</param>
    /// <param name="longerValue">Its value.</param>
    public void MustBeLess(string shorter, TimeSpan shorterValue, string longer, TimeSpan longerValue)
    {
        if (shorterValue < longerValue) return;
        var wrong = $"{SettingText.FormatDuration(shorterValue)} is not less than {longer}, {SettingText.FormatDuration(longerValue)}";
        if (source.Get(shorter) is not null)
            Problem(shorter, wrong, SettingText.FormatDuration(TimeSpan.FromMilliseconds(Math.Floor(longerValue.TotalMilliseconds * 0.9))));
        else if (source.Get(longer) is not null)
            Warn($"{shorter}: its default {wrong}; set it, too");
    }

    /// <summary>The text of a key that can't be empty: leaving a policy or a bound empty must not mean the default.</summary>
    private string? Given(string key, string example)
    {
        if (Text(key) is { } text) return text;
        if (source.Get(key) is not null && HasShape(key)) Problem(key, "the value is empty; leave the key out for the default", example);
        return null;
    }

    private bool HasShape(string key)
    {
        if (source.Children(key) is not [var first, ..]) return true;
        var what = int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out _) ? "a list" : $"keys of its own, such as {SettingText.Show(first)}";
        Problem(key, $"this key has one value, not {what}", $"\"{key[(key.LastIndexOf(':') + 1)..]}\": \"…\"");
        return false;
    }
}
