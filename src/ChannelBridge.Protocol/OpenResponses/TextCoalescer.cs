using System.Globalization;
using System.Text;

namespace ChannelBridge.Protocol.OpenResponses;

/// <summary>
/// Cuts a text that grows into pieces for the wire: at most so many graphemes each, and only between graphemes, so that no emoji, accent or conjunct comes in
/// two halves. A grapheme that the next letters may still belong to is held back.
/// </summary>
/// <param name="size">Graphemes of a piece, at least 1.</param>
/// <param name="tail">Graphemes that are held back in any case, for a source that may correct itself.</param>
public sealed class TextCoalescer(int size = 50, int tail = 0)
{
    private readonly StringBuilder _pending = new();
    private readonly List<int> _ends = [];
    private bool _sawMarks;

    /// <summary>Takes a piece.</summary>
    public delegate void PieceSink(ReadOnlySpan<char> piece);

    /// <summary>True when nothing is held.</summary>
    public bool IsEmpty => _pending.Length == 0;

    /// <summary>How much is held, in UTF-16 units.</summary>
    public int PendingLength => _pending.Length;

    /// <summary>More text.</summary>
    public void Append(ReadOnlySpan<char> suffix)
    {
        _pending.Append(suffix);
        _sawMarks = _sawMarks || HasMarks(suffix);
    }

    /// <summary>Forgets what is held.</summary>
    public void Clear() => _pending.Clear();

    /// <summary>Gives what may go.</summary>
    /// <param name="all">True at the text's end: nothing is held back.</param>
    /// <param name="sink">Gets the pieces in order.</param>
    public void Flush(bool all, PieceSink sink)
    {
        ArgumentNullException.ThrowIfNull(sink);
        if (_pending.Length == 0) return;
        // Nearly always one chunk of the builder; the copy is paid for large texts only.
        var chunks = _pending.GetChunks();
        _ = chunks.MoveNext();
        var text = chunks.Current.Length == _pending.Length ? chunks.Current.Span : _pending.ToString();
        // Half of a letter says nothing about where the grapheme before it ends.
        var half = !all && char.IsHighSurrogate(text[^1]);
        if (half) text = text[..^1];
        if (text.IsEmpty) return;
        var sent = Ascii.IsValid(text) && !text.Contains('\r') ? FlushAscii(text, all, half, sink) : FlushGraphemes(text, all, sink);
        if (sent == _pending.Length) _pending.Clear();
        else if (sent > 0) _pending.Remove(0, sent);
    }

    private static bool HasMarks(ReadOnlySpan<char> text) =>
        text.IndexOfAnyInRange('\u0300', '\u036F') >= 0 || text.IndexOfAnyInRange('\u20D0', '\u20FF') >= 0 || text.IndexOfAnyInRange('\uFE00', '\uFE0F') >= 0;

    private int FlushAscii(ReadOnlySpan<char> text, bool all, bool half, PieceSink sink)
    {
        // A letter can get an accent; whoever writes accents that way has shown it before.
        var end = all ? text.Length : Math.Max(0, text.Length - Math.Max(tail, _sawMarks || half ? 1 : 0));
        for (var at = 0; at < end; at += size) sink(text[at..Math.Min(at + size, end)]);
        return end;
    }

    private int FlushGraphemes(ReadOnlySpan<char> text, bool all, PieceSink sink)
    {
        _ends.Clear();
        for (var at = 0; at < text.Length;)
        {
            at += StringInfo.GetNextTextElementLength(text[at..]);
            _ends.Add(at);
        }

        var count = _ends.Count;
        if (!all)
        {
            var mayGrow = !char.IsAscii(text[^1]) || text[^1] == '\r' || _sawMarks;
            count = Math.Max(0, count - Math.Max(tail, mayGrow ? 1 : 0));
        }

        var begin = 0;
        for (var first = 0; first < count; first += size)
        {
            var end = _ends[Math.Min(first + size, count) - 1];
            sink(text[begin..end]);
            begin = end;
        }

        return begin;
    }
}
