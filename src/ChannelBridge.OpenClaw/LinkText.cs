using System.Globalization;
using System.Text;

namespace ChannelBridge.OpenClaw;

/// <summary>
/// What the plugin says of itself and of its accounts ends up in log lines, terminals and pages: it is cleaned once, where it comes in.
/// </summary>
internal static class LinkText
{
    private const int Longest = 200;

    /// <summary>
    /// The text without control characters (C0, C1), without marks that turn the direction of writing, and not longer than 200 characters.
    /// </summary>
    public static string Clean(string? text)
    {
        if (string.IsNullOrEmpty(text)) return "";
        var clean = new StringBuilder(Math.Min(text.Length, Longest));
        foreach (var rune in text.EnumerateRunes())
        {
            if (clean.Length + rune.Utf16SequenceLength > Longest) break;
            if (Rune.IsControl(rune) || IsDirection(rune) || Rune.GetUnicodeCategory(rune) is UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator) continue;
            clean.Append(rune);
        }

        return clean.ToString();
    }

    /// <summary>The same, where there is a text.</summary>
    public static string? CleanOrNull(string? text) => text is null ? null : Clean(text);

    private static bool IsDirection(Rune rune) => rune.Value is 0x061C or 0x200E or 0x200F or (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069);
}
