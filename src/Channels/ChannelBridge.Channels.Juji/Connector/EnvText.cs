using System.Text;

namespace ChannelBridge.Channels.Juji.Connector;

/// <summary>
/// The text of an <c>.env</c> file as the community's own script reads and writes it. One difference: a key without a value is none, where the script takes the next line for its
/// value and would send a private key as the agent's name.
/// </summary>
internal static class EnvText
{
    /// <summary>The value of a key: the first line that has it and a value; quotes around it are no part of it. Null: none.</summary>
    public static string? Read(string text, string key)
    {
        foreach (var line in WithoutReturns(text).Split('\n'))
        {
            var rest = Trim(line);
            if (!rest.StartsWith(key, StringComparison.Ordinal)) continue;
            rest = TrimStart(rest[key.Length..]);
            if (rest.IsEmpty || rest[0] != '=') continue;
            var value = TrimStart(rest[1..]);
            if (value.IsEmpty) continue;
            return value.Trim('"').Trim('\'').ToString();
        }

        return null;
    }

    /// <summary>
    /// The text with some values changed: every <c>KEY=VALUE</c> with a key of capitals, digits and underscores, sorted by key; other lines, comments among them,
    /// go, as they do when the
    /// script writes. The last one of several lines of a key stays.
    /// </summary>
    public static string Write(string text, IReadOnlyDictionary<string, string> values)
    {
        var all = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in Lines(WithoutReturns(text)))
        {
            var rest = Trim(line);
            var length = 0;
            while (length < rest.Length && rest[length] is (>= 'A' and <= 'Z') or (>= '0' and <= '9') or '_') length++;
            var behind = TrimStart(rest[length..]);
            if (length == 0 || behind.IsEmpty || behind[0] != '=') continue;
            all[rest[..length].ToString()] = TrimStart(behind[1..]).ToString();
        }

        foreach (var (key, value) in values) all[key] = value;
        var result = new StringBuilder();
        foreach (var (key, value) in all) result.Append(key).Append('=').Append(value).Append('\n');
        return all.Count == 0 ? "\n" : result.ToString();
    }

    /// <summary>True for a value that stands in one line, and is read again as it was written.</summary>
    public static bool IsPlain(string value) => value.Length > 0 && value.All(static c => c is > ' ' and < '\x7f' and not ('"' or '\''));

    // Python opens text with universal newlines.
    private static string WithoutReturns(string text) => text.Contains('\r') ? text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n') : text;

    /// <summary>The ends of lines that Python's <c>splitlines</c> knows.</summary>
    private static string[] Lines(string text) => text.Split('\n', '\v', '\f', '\x1c', '\x1d', '\x1e', '\x85', '\u2028', '\u2029');

    private static ReadOnlySpan<char> Trim(ReadOnlySpan<char> text)
    {
        text = TrimStart(text);
        while (text.Length > 0 && IsSpace(text[^1])) text = text[..^1];
        return text;
    }

    private static ReadOnlySpan<char> TrimStart(ReadOnlySpan<char> text)
    {
        var start = 0;
        while (start < text.Length && IsSpace(text[start])) start++;
        return text[start..];
    }

    // Python counts the four separators of ASCII as space, .NET doesn't.
    private static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';
}
