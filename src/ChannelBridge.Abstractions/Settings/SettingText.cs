using System.Globalization;

namespace ChannelBridge.Abstractions.Settings;

/// <summary>How values of settings are read and written.</summary>
public static class SettingText
{
    private const string Letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ";

    /// <summary>Reads <c>250ms</c>, <c>10s</c>, <c>5m</c>, <c>2h</c>, <c>30d</c>; null when it is none.</summary>
    public static TimeSpan? ParseDuration(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var digits = text.AsSpan().TrimEnd(Letters);
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
    public static long? ParseSize(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var digits = text.AsSpan().TrimEnd(Letters);
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

    /// <summary>Reads yes or no in the words that people use for it; null when it is none.</summary>
    public static bool? ParseFlag(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.ToLowerInvariant() switch
        {
            "true" or "yes" or "on" or "1" => true,
            "false" or "no" or "off" or "0" => false,
            _ => null,
        };
    }

    /// <summary>A length of time as <see cref="ParseDuration"/> reads it.</summary>
    public static string FormatDuration(TimeSpan value) => value switch
    {
        { TotalDays: >= 1 } when value.Ticks % TimeSpan.TicksPerDay == 0 => $"{value.TotalDays:0}d",
        { TotalHours: >= 1 } when value.Ticks % TimeSpan.TicksPerHour == 0 => $"{value.TotalHours:0}h",
        { TotalMinutes: >= 1 } when value.Ticks % TimeSpan.TicksPerMinute == 0 => $"{value.TotalMinutes:0}m",
        { TotalSeconds: >= 1 } when value.Ticks % TimeSpan.TicksPerSecond == 0 => $"{value.TotalSeconds:0}s",
        _ => $"{value.TotalMilliseconds:0}ms",
    };

    /// <summary>A size as <see cref="ParseSize"/> reads it.</summary>
    public static string FormatSize(long value) => value switch
    {
        > 0 when value % (1L << 30) == 0 => $"{value >> 30}GiB",
        > 0 when value % (1L << 20) == 0 => $"{value >> 20}MiB",
        > 0 when value % (1L << 10) == 0 => $"{value >> 10}KiB",
        _ => value.ToString(CultureInfo.InvariantCulture),
    };

    /// <summary>A value in quotes, cut to what fits a line.</summary>
    public static string Show(string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        return $"'{Protocol.SoundText.Cut(value, 80, "…").ReplaceLineEndings(" ")}'";
    }

    /// <summary>A path as the user wrote it, absolute; a leading <c>~</c> is the user's home, as in a shell.</summary>
    public static string FullPath(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (path == "~" || path.StartsWith("~/", StringComparison.Ordinal))
            path = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) + path[1..];
        return Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
    }
}
