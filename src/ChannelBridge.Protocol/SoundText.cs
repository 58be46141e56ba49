using System.Globalization;

namespace ChannelBridge.Protocol;

/// <summary>
/// Text that every encoder and every store takes. A cut at a fixed number of characters can leave half an emoji behind, and JSON can carry half of one: neither
/// is valid Unicode, and a database that refuses it refuses the whole batch.
/// </summary>
public static class SoundText
{
    private const char Replacement = '\uFFFD';

    /// <summary>The text with each lone surrogate replaced by U+FFFD; the same instance when there is none.</summary>
    /// <param name="text">Any text.</param>
    public static string Mend(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Replace(text, nul: false);
    }

    /// <summary>The same, and U+0000 is replaced, too: PostgreSQL has no text that holds it.</summary>
    /// <param name="text">Any text.</param>
    public static string Storable(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Replace(text, nul: true);
    }

    /// <summary>At most so many characters of a text, ended between two graphemes and mended.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="longest">The most UTF-16 units that are kept.</param>
    /// <param name="mark">What stands behind a text that was cut, e.g. <c>…</c>; it isn't counted.</param>
    public static string Cut(string text, int longest, string mark = "")
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentOutOfRangeException.ThrowIfNegative(longest);
        return text.Length <= longest ? Mend(text) : Mend(text[..Border(text, longest)]) + mark;
    }

    /// <summary>Where a text may be cut: the last border between graphemes at or before a place.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="longest">The place, in UTF-16 units.</param>
    public static int Border(ReadOnlySpan<char> text, int longest)
    {
        if (longest >= text.Length) return text.Length;
        var end = 0;
        while (end < longest)
        {
            var next = StringInfo.GetNextTextElementLength(text[end..]);
            if (end + next > longest) break;
            end += next;
        }

        if (end > 0 || longest == 0) return end;
        // One grapheme alone is longer (letters under hundreds of accents): between two characters then.
        return longest > 1 && char.IsHighSurrogate(text[longest - 1]) && char.IsLowSurrogate(text[longest]) ? longest - 1 : longest;
    }

    private static string Replace(string text, bool nul)
    {
        var first = FirstWrong(text, 0, nul);
        if (first < 0) return text;
        return string.Create(text.Length, (text, first, nul), static (output, state) =>
        {
            state.text.CopyTo(output);
            for (var i = state.first; i >= 0; i = FirstWrong(state.text, i + 1, state.nul)) output[i] = Replacement;
        });
    }

    private static int FirstWrong(string text, int from, bool nul)
    {
        for (var i = from; i < text.Length; i++)
        {
            var c = text[i];
            if (nul && c == '\0') return i;
            if (!char.IsSurrogate(c)) continue;
            if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1])) i++;
            else return i;
        }

        return -1;
    }
}
