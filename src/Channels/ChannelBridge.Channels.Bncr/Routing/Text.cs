using System.Buffers;
using System.Text;

namespace ChannelBridge.Channels.Bncr.Routing;

/// <summary>Checks on text that comes from outside.</summary>
internal static class Text
{
    /// <summary>True for 1…<paramref name="maxLength"/> characters without control characters and lone surrogates.</summary>
    public static bool IsIdentifier(ReadOnlySpan<char> text, int maxLength)
    {
        if (text.IsEmpty || text.Length > maxLength) return false;
        while (!text.IsEmpty)
        {
            // A lone surrogate has no UTF-8 form: two different ids would share one session key.
            if (Rune.DecodeFromUtf16(text, out var rune, out var used) != OperationStatus.Done || Rune.IsControl(rune)) return false;
            text = text[used..];
        }

        return true;
    }

    /// <summary>True for <c>type/subtype</c> of RFC 6838's characters, with parameters allowed, at most 127 characters.</summary>
    public static bool IsMimeType(ReadOnlySpan<char> text)
    {
        if (text.Length > 127) return false;
        var semicolon = text.IndexOf(';');
        var essence = semicolon < 0 ? text : text[..semicolon].TrimEnd();
        var slash = essence.IndexOf('/');
        if (slash <= 0 || slash == essence.Length - 1) return false;
        for (var i = 0; i < essence.Length; i++)
        {
            if (i == slash) continue;
            var c = essence[i];
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('!' or '#' or '$' or '&' or '-' or '^' or '_' or '.' or '+')) return false;
        }

        foreach (var c in text)
        {
            if (c is < ' ' or > '~') return false;
        }

        return true;
    }
}
