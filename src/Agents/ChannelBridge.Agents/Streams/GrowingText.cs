using System.Text;

namespace ChannelBridge.Agents.Streams;

/// <summary>A text that grows by deltas. What it gives out is always whole: half a surrogate pair waits for its other half.</summary>
internal sealed class GrowingText
{
    private readonly StringBuilder _text = new();
    private char _half;

    /// <summary>True when nothing has come.</summary>
    public bool IsEmpty => _text.Length == 0;

    /// <summary>Adds a delta and returns what may be shown of it, possibly nothing.</summary>
    public string Add(string? delta)
    {
        if (string.IsNullOrEmpty(delta)) return "";
        var suffix = _half == 0 ? delta : _half + delta;
        _half = '\0';
        if (char.IsHighSurrogate(suffix[^1]))
        {
            _half = suffix[^1];
            suffix = suffix[..^1];
        }

        suffix = Mend(suffix);
        _text.Append(suffix);
        return suffix;
    }

    /// <summary>
    /// The provider says the whole text at the end. Returns what is new in it, or null when it doesn't begin with what has come: then it is a rewrite.
    /// </summary>
    public string? Complete(string whole)
    {
        _half = '\0';
        whole = Mend(whole);
        if (_text.Length > whole.Length || !_text.Equals(whole.AsSpan(0, _text.Length)))
        {
            _text.Clear().Append(whole);
            return null;
        }

        var rest = whole[_text.Length..];
        _text.Append(rest);
        return rest;
    }

    public override string ToString() => _text.ToString();

    /// <summary>Lone surrogates become U+FFFD: they can't be written as UTF-8, and some encoder later would replace them silently, or throw.</summary>
    private static string Mend(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i])) continue;
            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1])) i++;
            else return Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
        }

        return text;
    }
}
