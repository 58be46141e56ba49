using System.Globalization;
using System.Text;

namespace ChannelBridge.Host.Terminal;

/// <summary>
/// How many columns of a terminal a text takes: marks that combine take none, East Asian characters and most emoji take two.
/// </summary>
internal static class TextWidth
{
    /// <summary>The columns of a text of one line.</summary>
    public static int Of(ReadOnlySpan<char> text)
    {
        var width = 0;
        while (!text.IsEmpty)
        {
            var length = StringInfo.GetNextTextElementLength(text);
            width += OfElement(text[..length]);
            text = text[length..];
        }

        return width;
    }

    /// <summary>As much of the text's beginning as fits, whole characters only.</summary>
    public static string Head(string text, int columns)
    {
        var (taken, width) = (0, 0);
        while (taken < text.Length)
        {
            var length = StringInfo.GetNextTextElementLength(text.AsSpan(taken));
            width += OfElement(text.AsSpan(taken, length));
            if (width > columns) break;
            taken += length;
        }

        return text[..taken];
    }

    /// <summary>As much of the text's end as fits, whole characters only; cut text begins with an ellipsis.</summary>
    public static string Tail(string text, int columns)
    {
        if (Of(text) <= columns) return text;
        var starts = StringInfo.ParseCombiningCharacters(text);
        var (from, width) = (text.Length, 1);
        for (var i = starts.Length - 1; i >= 0; i--)
        {
            width += OfElement(text.AsSpan(starts[i], from - starts[i]));
            if (width > columns) break;
            from = starts[i];
        }

        return "…" + text[from..];
    }

    private static int OfElement(ReadOnlySpan<char> element)
    {
        Rune.DecodeFromUtf16(element, out var first, out var used);
        if (Rune.GetUnicodeCategory(first)
            is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format or UnicodeCategory.Control) return 0;
        // U+FE0F asks for the picture, which is wide.
        return IsWide(first.Value) || element[used..].Contains('\uFE0F') ? 2 : 1;
    }

    private static bool IsWide(int c) => c >= 0x1100
        && (c <= 0x115F
            || c is 0x2329 or 0x232A or (>= 0x2E80 and <= 0x303E) or (>= 0x3041 and <= 0xA4CF) or (>= 0xA960 and <= 0xA97F)
                or (>= 0xAC00 and <= 0xD7A3) or (>= 0xF900 and <= 0xFAFF) or (>= 0xFE30 and <= 0xFE6F) or (>= 0xFF00 and <= 0xFF60)
                or (>= 0xFFE0 and <= 0xFFE6) or (>= 0x1F300 and <= 0x1F64F) or (>= 0x1F680 and <= 0x1F6FF)
                or (>= 0x1F900 and <= 0x1FAFF) or (>= 0x20000 and <= 0x3FFFD));
}
