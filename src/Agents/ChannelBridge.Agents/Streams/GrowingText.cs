using System.Text;
using ChannelBridge.Protocol;

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

        suffix = SoundText.Mend(suffix);
        _text.Append(suffix);
        return suffix;
    }

    /// <summary>
    /// The provider says the whole text at the end. Returns what is new in it, or null when it doesn't begin with what has come: then it is a rewrite.
    /// </summary>
    public string? Complete(string whole)
    {
        _half = '\0';
        whole = SoundText.Mend(whole);
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
}
