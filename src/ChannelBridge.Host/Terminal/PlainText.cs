using System.Buffers;

namespace ChannelBridge.Host.Terminal;

/// <summary>
/// The one cleaner for everything that a terminal or a log shows and that may come from outside: messages, names, ids, errors. Control
/// characters (C0 and C1) could steer a terminal, bidirectional marks could show a line in another order than it has.
/// </summary>
internal static class PlainText
{
    private static readonly SearchValues<char> Unsafe = SearchValues.Create(
        [.. Enumerable.Range(0, 0x10000).Select(code => (char)code).Where(IsUnsafe)]);

    private static readonly SearchValues<char> UnsafeInLines = SearchValues.Create(
        [.. Enumerable.Range(0, 0x10000).Select(code => (char)code).Where(c => IsUnsafe(c) && c is not ('\n' or '\t'))]);

    /// <summary>The text without such characters; line feeds and tabs stay.</summary>
    public static string Clean(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.AsSpan().ContainsAny(UnsafeInLines) ? string.Concat(text.Where(c => !UnsafeInLines.Contains(c))) : text;
    }

    /// <summary>The text as one line: line breaks and tabs become spaces.</summary>
    public static string Line(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.AsSpan().ContainsAny(Unsafe) ? Clean(text.ReplaceLineEndings(" ").Replace('\t', ' ')).Replace('\n', ' ') : text;
    }

    private static bool IsUnsafe(char c) =>
        char.IsControl(c)
            || c is '\u061C' or '\u200E' or '\u200F' or (>= '\u2028' and <= '\u202E') or (>= '\u2066' and <= '\u2069') or '\uFEFF';
}
