using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Host.Chat;

/// <summary>
/// An answer while it grows: lines that are whole are written once and stay, the last one is shown until it is whole, too. A text that
/// doesn't go on where it was (the agent began anew) is written again from its beginning.
/// </summary>
internal sealed class GrowingAnswer(int columns)
{
    private string _written = "";

    /// <summary>What of the text isn't written yet.</summary>
    public string Open { get; private set; } = "";

    /// <summary>True when nothing of it was written.</summary>
    public bool IsFresh => _written.Length == 0;

    /// <summary>Takes the whole text so far; gives the lines to write now.</summary>
    /// <param name="text">The text, cleaned.</param>
    /// <param name="ended">True: nothing comes after it.</param>
    /// <param name="anew">True: what was written is void, and these lines are the text from its beginning.</param>
    public IReadOnlyList<string> Take(string text, bool ended, out bool anew)
    {
        anew = !text.StartsWith(_written, StringComparison.Ordinal);
        if (anew) _written = "";
        var lines = new List<string>();
        var rest = text.AsSpan(_written.Length);
        while (NextLine(rest, out var length))
        {
            lines.Add(rest[..length].TrimEnd('\n').ToString());
            rest = rest[length..];
        }

        if (ended && (rest.Length > 0 || (lines.Count == 0 && text.Length == 0)))
        {
            lines.Add(rest.ToString());
            rest = [];
        }

        _written = text[..^rest.Length];
        Open = rest.ToString();
        return lines;
    }

    /// <summary>The attempt failed: what was written is void.</summary>
    public void Forget() => (_written, Open) = ("", "");

    /// <summary>A whole line: up to its end, or as many words as fit into the terminal.</summary>
    private bool NextLine(ReadOnlySpan<char> text, out int length)
    {
        var end = text.IndexOf('\n');
        length = end + 1;
        if (end >= 0) return true;
        if (TextWidth.Of(text) <= columns) return false;
        var fits = TextWidth.Head(text.ToString(), columns).Length;
        var space = text[..fits].LastIndexOf(' ');
        length = space > 0 ? space + 1 : Math.Max(1, fits);
        return true;
    }
}
