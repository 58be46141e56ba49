using System.Buffers;
using System.Text;

namespace ChannelBridge.Abstractions.Transfers;

/// <summary>Makes a file name from outside fit to be shown and to be used by who saves the file. The host itself never makes a path of one.</summary>
public static class FileNames
{
    private const int MaxBytes = 180;
    private const int MaxCharacters = 120;
    private static readonly SearchValues<char> NotInNames = SearchValues.Create("/\\:*?\"<>|");
    private static readonly HashSet<string> Reserved = new(StringComparer.OrdinalIgnoreCase)
    {
        "CON", "PRN", "AUX", "NUL", "CLOCK$", "CONIN$", "CONOUT$",
        "COM0", "COM1", "COM2", "COM3", "COM4", "COM5", "COM6", "COM7", "COM8", "COM9", "COM¹", "COM²", "COM³",
        "LPT0", "LPT1", "LPT2", "LPT3", "LPT4", "LPT5", "LPT6", "LPT7", "LPT8", "LPT9", "LPT¹", "LPT²", "LPT³",
    };

    /// <summary>
    /// The last part of what was given, without control and direction-changing characters, in one Unicode form (so that look-alikes of <c>/</c>, <c>\</c>,
    /// <c>.</c> and <c>:</c> become themselves and are then replaced), neither hidden nor reserved, at most 120 characters. Null when nothing is left.
    /// </summary>
    public static string? Sanitize(string? name)
    {
        if (string.IsNullOrWhiteSpace(name)) return null;
        // A name of megabytes is cut before anything else is done with it; its end holds the extension.
        if (name.Length > 8192) name = name[^8192..];
        name = Normalize(name);
        var cut = name.LastIndexOfAny(['/', '\\']);
        if (cut >= 0 && cut < name.Length - 1) name = name[(cut + 1)..];
        var result = new StringBuilder(Math.Min(name.Length, 256));
        var runes = name.EnumerateRunes().ToArray();
        for (var i = 0; i < runes.Length; i++)
        {
            var rune = runes[i];
            if (IsJoiner(rune) ? i == 0 || i == runes.Length - 1 || !Joins(runes[i - 1]) || !Joins(runes[i + 1]) : IsInvisible(rune)) continue;
            if (rune.IsBmp && NotInNames.Contains((char)rune.Value)) result.Append('_');
            else result.Append(rune);
        }

        var text = Shorten(result.ToString().Trim().TrimStart('.').TrimEnd('.', ' '));
        if (text.Length == 0 || text.All(c => c is '_' or '.' or ' ')) return null;
        var dot = text.IndexOf('.', StringComparison.Ordinal);
        var stem = (dot < 0 ? text : text[..dot]).TrimEnd();
        return Reserved.Contains(stem) ? "_" + text : text;
    }

    private static string Normalize(string name)
    {
        var mapped = new StringBuilder(name.Length);
        foreach (var rune in name.EnumerateRunes())
        {
            mapped.Append(rune.Value switch
            {
                0x2044 or 0x2215 or 0x29F8 or 0xFF0F => "/",
                0x29F5 or 0x29F9 or 0xFE68 or 0xFF3C or 0x2216 => "\\",
                0x2024 or 0xFE52 or 0xFF0E => ".",
                0x2025 => "..",
                0x2026 => "...",
                0xFF1A or 0xFE55 or 0x2236 or 0xA789 => ":",
                _ => rune.ToString(),
            });
        }

        return mapped.ToString();
    }

    /// <summary>Without them a family of emoji falls apart, and words of Persian and of India's scripts are spelled wrong.</summary>
    private static bool IsJoiner(Rune rune) => rune.Value is 0x200C or 0x200D;

    /// <summary>What may stand beside a joiner: something that is seen, and not what separates a name from its extension.</summary>
    private static bool Joins(Rune rune) => !IsInvisible(rune) && !Rune.IsWhiteSpace(rune) && rune.Value is not ('.' or '_')
        && !(rune.IsBmp && NotInNames.Contains((char)rune.Value));

    private static bool IsInvisible(Rune rune) => Rune.IsControl(rune)
        || Rune.GetUnicodeCategory(rune) is System.Globalization.UnicodeCategory.Format or System.Globalization.UnicodeCategory.LineSeparator
            or System.Globalization.UnicodeCategory.ParagraphSeparator
        || rune.Value is 0xFFFD or 0x115F or 0x1160 or 0x3164 or 0xFFA0;

    /// <summary>Cuts the stem, not the extension.</summary>
    private static string Shorten(string text)
    {
        if (text.Length <= MaxCharacters && Encoding.UTF8.GetByteCount(text) <= MaxBytes) return text;
        var dot = text.LastIndexOf('.');
        var extension = dot > 0 && text.Length - dot <= 16 ? text[dot..] : "";
        var stem = text[..(text.Length - extension.Length)];
        var result = new StringBuilder();
        var bytes = Encoding.UTF8.GetByteCount(extension);
        for (var at = 0; at < stem.Length;)
        {
            var element = stem.AsSpan(at, System.Globalization.StringInfo.GetNextTextElementLength(stem.AsSpan(at)));
            bytes += Encoding.UTF8.GetByteCount(element);
            if (bytes > MaxBytes || result.Length + element.Length + extension.Length > MaxCharacters) break;
            result.Append(element);
            at += element.Length;
        }

        return result.ToString().TrimEnd() + extension;
    }
}
