using System.Globalization;

namespace ChannelBridge.Host.Settings;

/// <summary>
/// Reads values from the merged configuration. A value that doesn't fit becomes one line that names the key, says what is wrong and shows a value
/// that works; reading goes on with the default, so that all problems are found in one go.
/// </summary>
internal sealed class SettingsReader(IConfiguration configuration)
{
    private readonly List<string> _problems = [];
    private readonly List<string> _warnings = [];

    /// <summary>What is wrong, one line each.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>What works but shouldn't be, one line each.</summary>
    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>The configuration itself.</summary>
    public IConfiguration Configuration => configuration;

    /// <summary>Adds a problem of a key.</summary>
    public void Problem(string key, string wrong, string example) => _problems.Add($"{key}: {wrong}; example: {example}");

    /// <summary>Adds a problem that is already one such line.</summary>
    public void Problem(string line) => _problems.Add(line);

    /// <summary>Adds a warning.</summary>
    public void Warn(string warning) => _warnings.Add(warning);

    /// <summary>True when the key is there, with a value or as a list.</summary>
    public bool Has(string key) => configuration[key] is not null || configuration[key + ":0"] is not null;

    /// <summary>The text of a key, or null when it isn't there or empty.</summary>
    public string? Text(string key)
    {
        var value = configuration[key];
        return string.IsNullOrWhiteSpace(value) ? null : value.Trim();
    }

    /// <summary>True for an http or https address without a path; <c>*</c> and <c>+</c> stand for every address.</summary>
    public static bool IsListenUrl(string url)
    {
        var plain = url.Replace("://*", "://0.0.0.0", StringComparison.Ordinal).Replace("://+", "://0.0.0.0", StringComparison.Ordinal);
        return Uri.TryCreate(plain, UriKind.Absolute, out var uri) && uri.Scheme is ("http" or "https") && uri.PathAndQuery == "/";
    }

    /// <summary>A list: items <c>key:0</c>, <c>key:1</c> …, or one text with commas or semicolons. Null when the key isn't there.</summary>
    public IReadOnlyList<string>? List(string key)
    {
        var section = configuration.GetSection(key);
        if (section.Value is { } value)
            return value.Split([',', ';'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var items = section.GetChildren().Select(child => child.Value?.Trim()).Where(item => !string.IsNullOrEmpty(item)).ToList();
        return items.Count == 0 ? null : items.ConvertAll(item => item!);
    }

    /// <summary>A whole number.</summary>
    public long Number(string key, long fallback, long minimum, long maximum, string example)
    {
        if (Text(key) is not { } text) return fallback;
        if (!long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value))
        {
            Problem(key, $"{Show(text)} is not a whole number", example);
            return fallback;
        }

        if (value >= minimum && value <= maximum) return value;
        Problem(key, $"{value} is not between {minimum} and {maximum}", example);
        return fallback;
    }

    /// <summary>A number with a fraction, written with a point.</summary>
    public double Fraction(string key, double fallback, double minimum, double maximum, string example)
    {
        if (Text(key) is not { } text) return fallback;
        if (!double.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value))
        {
            Problem(key, $"{Show(text)} is not a number", example);
            return fallback;
        }

        if (value >= minimum && value <= maximum) return value;
        Problem(key, string.Create(CultureInfo.InvariantCulture, $"{value} is not between {minimum} and {maximum}"), example);
        return fallback;
    }

    /// <summary>A length of time: a number with <c>ms</c>, <c>s</c>, <c>m</c>, <c>h</c> or <c>d</c>.</summary>
    public TimeSpan Duration(string key, TimeSpan fallback, TimeSpan minimum, TimeSpan maximum, string example)
    {
        if (Text(key) is not { } text) return fallback;
        if (ParseDuration(text) is not { } value)
        {
            Problem(key, $"{Show(text)} is not a length of time; write a number with ms, s, m, h or d", example);
            return fallback;
        }

        if (value >= minimum && value <= maximum) return value;
        Problem(key, $"{text} is not between {FormatDuration(minimum)} and {FormatDuration(maximum)}", example);
        return fallback;
    }

    /// <summary>A size in bytes: a number alone, or with <c>KiB</c>, <c>MiB</c> or <c>GiB</c>.</summary>
    public long Size(string key, long fallback, long minimum, long maximum, string example)
    {
        if (Text(key) is not { } text) return fallback;
        if (ParseSize(text) is not { } value)
        {
            Problem(key, $"{Show(text)} is not a size; write bytes, or a number with KiB, MiB or GiB", example);
            return fallback;
        }

        if (value >= minimum && value <= maximum) return value;
        Problem(key, $"{text} is not between {minimum} and {maximum} bytes", example);
        return fallback;
    }

    /// <summary>Yes or no.</summary>
    public bool Flag(string key, bool fallback)
    {
        if (Text(key) is not { } text) return fallback;
        switch (text.ToLowerInvariant())
        {
            case "true" or "yes" or "on" or "1":
                return true;
            case "false" or "no" or "off" or "0":
                return false;
            default:
                Problem(key, $"{Show(text)} is neither true nor false", "true");
                return fallback;
        }
    }

    /// <summary>One of a few words, compared without case; given back in the case of the list.</summary>
    public string Choice(string key, string fallback, params string[] choices)
    {
        if (Text(key) is not { } text) return fallback;
        var found = Array.Find(choices, choice => string.Equals(choice, text, StringComparison.OrdinalIgnoreCase));
        if (found is not null) return found;
        Problem(key, $"{Show(text)} is none of {string.Join(", ", choices)}", choices[0]);
        return fallback;
    }

    /// <summary>Keys of our sections that no setting knows, each with the nearest one that is known.</summary>
    public IEnumerable<string> FindUnknown(IReadOnlyList<Setting> known, IReadOnlyCollection<string> sections)
    {
        foreach (var (key, value) in configuration.AsEnumerable())
        {
            if (value is null || !sections.Contains(key.Split(':')[0], StringComparer.OrdinalIgnoreCase)) continue;
            if (known.Any(setting => setting.Matches(key))) continue;
            var nearest = known.MinBy(setting => Distance(setting.Key.ToUpperInvariant(), key.ToUpperInvariant()))!;
            yield return $"{key}: unknown key, ignored; did you mean {nearest.Key}?";
        }
    }

    /// <summary>Reads <c>250ms</c>, <c>10s</c>, <c>5m</c>, <c>2h</c>, <c>30d</c>; null when it is none.</summary>
    internal static TimeSpan? ParseDuration(string text)
    {
        var digits = text.AsSpan().TrimEnd("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ");
        if (!double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)) return null;
        double? milliseconds = text[digits.Length..].Trim().ToLowerInvariant() switch
        {
            "ms" => number,
            "s" => number * 1000,
            "m" or "min" => number * 60_000,
            "h" => number * 3_600_000,
            "d" => number * 86_400_000,
            _ => null,
        };
        return milliseconds is { } value && value < TimeSpan.MaxValue.TotalMilliseconds ? TimeSpan.FromMilliseconds(value) : null;
    }

    /// <summary>Reads <c>4096</c>, <c>64 KiB</c>, <c>25 MiB</c>, <c>1 GiB</c>; null when it is none.</summary>
    internal static long? ParseSize(string text)
    {
        var digits = text.AsSpan().TrimEnd("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ");
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return null;
        long? unit = text[digits.Length..].Trim().ToLowerInvariant() switch
        {
            "" or "b" => 1,
            "kib" or "k" => 1L << 10,
            "mib" or "m" => 1L << 20,
            "gib" or "g" => 1L << 30,
            _ => null,
        };
        return unit is { } factor && number <= long.MaxValue / factor ? number * factor : null;
    }

    /// <summary>A length of time as <see cref="ParseDuration"/> reads it.</summary>
    internal static string FormatDuration(TimeSpan value) => value switch
    {
        { TotalDays: >= 1 } when value.Ticks % TimeSpan.TicksPerDay == 0 => $"{value.TotalDays:0}d",
        { TotalHours: >= 1 } when value.Ticks % TimeSpan.TicksPerHour == 0 => $"{value.TotalHours:0}h",
        { TotalMinutes: >= 1 } when value.Ticks % TimeSpan.TicksPerMinute == 0 => $"{value.TotalMinutes:0}m",
        { TotalSeconds: >= 1 } when value.Ticks % TimeSpan.TicksPerSecond == 0 => $"{value.TotalSeconds:0}s",
        _ => $"{value.TotalMilliseconds:0}ms",
    };

    /// <summary>A size as <see cref="ParseSize"/> reads it.</summary>
    internal static string FormatSize(long value) => value switch
    {
        > 0 when value % (1L << 30) == 0 => $"{value >> 30}GiB",
        > 0 when value % (1L << 20) == 0 => $"{value >> 20}MiB",
        > 0 when value % (1L << 10) == 0 => $"{value >> 10}KiB",
        _ => value.ToString(CultureInfo.InvariantCulture),
    };

    /// <summary>A value in quotes, cut to what fits a line.</summary>
    internal static string Show(string value) => $"'{(value.Length <= 80 ? value : value[..80] + "…").ReplaceLineEndings(" ")}'";

    /// <summary>Levenshtein's distance; the keys are short and it runs only for a key that is wrong.</summary>
    internal static int Distance(string left, string right)
    {
        var row = new int[right.Length + 1];
        for (var j = 0; j < row.Length; j++) row[j] = j;
        for (var i = 1; i <= left.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= right.Length; j++)
            {
                var cost = Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (left[i - 1] == right[j - 1] ? 0 : 1));
                diagonal = row[j];
                row[j] = cost;
            }
        }

        return row[^1];
    }
}
