using System.Globalization;

namespace ChannelBridge.Host.Terminal;

/// <summary>Sizes, lengths of time and moments as every view writes them.</summary>
internal static class Units
{
    /// <summary>E.g. <c>12.0 MiB</c>: three digits at most before the point, so a terabyte isn't told in megabytes.</summary>
    public static string Bytes(long value)
    {
        ReadOnlySpan<string> names = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
        var (number, unit) = ((double)value, 0);
        while (Math.Abs(number) >= 1024 && unit < names.Length - 1) (number, unit) = (number / 1024, unit + 1);
        return unit == 0 ? string.Create(CultureInfo.InvariantCulture, $"{value} B")
            : string.Create(CultureInfo.InvariantCulture, $"{number:0.0} {names[unit]}");
    }

    /// <summary>E.g. <c>3 min 20 s</c>: the two largest units.</summary>
    public static string Duration(TimeSpan value) => value switch
    {
        { TotalDays: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{(int)value.TotalDays} d {value.Hours} h"),
        { TotalHours: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{(int)value.TotalHours} h {value.Minutes} min"),
        { TotalMinutes: >= 1 } => string.Create(CultureInfo.InvariantCulture, $"{(int)value.TotalMinutes} min {value.Seconds} s"),
        { TotalSeconds: >= 10 } => string.Create(CultureInfo.InvariantCulture, $"{(int)value.TotalSeconds} s"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0, value.TotalSeconds):0.0} s"),
    };

    /// <summary>E.g. <c>3 min 20 s ago</c>; <c>never</c> for null.</summary>
    public static string Ago(long? milliseconds) => milliseconds is { } value ? Duration(TimeSpan.FromMilliseconds(Math.Max(0, value)))
        + " ago" : "never";

    /// <summary>A moment in UTC, from Unix milliseconds.</summary>
    public static string Moment(long milliseconds) =>
        DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
