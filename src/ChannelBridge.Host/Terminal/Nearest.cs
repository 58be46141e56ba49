namespace ChannelBridge.Host.Terminal;

/// <summary>How far a word is from those that are known.</summary>
internal static class Nearest
{
    /// <summary>Longer words are cut: a word from outside must not cost more than a moment.</summary>
    private const int Longest = 120;

    /// <summary>Levenshtein's distance.</summary>
    public static int Distance(string left, string right)
    {
        if (left.Length > Longest) left = left[..Longest];
        if (right.Length > Longest) right = right[..Longest];
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
