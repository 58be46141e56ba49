namespace ChannelBridge.Plugins.Packages;

/// <summary>Compares versions as semantic versioning does: 1.0.0-beta.2 is before 1.0.0-beta.11, and both before 1.0.0.</summary>
internal static class PluginVersion
{
    /// <summary>Below 0: the first is older.</summary>
    public static int Compare(string first, string second)
    {
        var (left, leftPre) = Split(first);
        var (right, rightPre) = Split(second);
        for (var i = 0; i < 3; i++)
        {
            if (left[i].CompareTo(right[i]) is not 0 and var order) return order;
        }

        if (leftPre is null || rightPre is null) return (leftPre is null ? 1 : 0) - (rightPre is null ? 1 : 0);
        var leftParts = leftPre.Split('.');
        var rightParts = rightPre.Split('.');
        for (var i = 0; i < Math.Min(leftParts.Length, rightParts.Length); i++)
        {
            var leftIsNumber = long.TryParse(leftParts[i], out var leftNumber);
            var rightIsNumber = long.TryParse(rightParts[i], out var rightNumber);
            var order = (leftIsNumber, rightIsNumber) switch
            {
                (true, true) => leftNumber.CompareTo(rightNumber),
                (true, false) => -1,
                (false, true) => 1,
                _ => string.CompareOrdinal(leftParts[i], rightParts[i]),
            };
            if (order != 0) return order;
        }

        return leftParts.Length.CompareTo(rightParts.Length);
    }

    private static (long[] Numbers, string? Pre) Split(string version)
    {
        var dash = version.IndexOf('-');
        var numbers = (dash < 0 ? version : version[..dash]).Split('.');
        return (
            [.. numbers.Select(number => long.Parse(number, System.Globalization.CultureInfo.InvariantCulture))],
            dash < 0 ? null : version[(dash + 1)..]);
    }
}
