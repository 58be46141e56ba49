using System.Text;

namespace ChannelBridge.Abstractions.Transfers;

/// <summary>
/// Tells what a file is from its first bytes. What a sender says of it counts only where the bytes leave it open: a program called <c>image/png</c> is no
/// image, whatever it is called.
/// </summary>
public static class MimeSniffer
{
    /// <summary>How many bytes of a file's beginning are looked at.</summary>
    public const int HeadBytes = 4096;

    /// <summary>What nobody can say.</summary>
    public const string Unknown = "application/octet-stream";

    /// <summary>The type of a file.</summary>
    /// <param name="head">Its first bytes, up to <see cref="HeadBytes"/>.</param>
    /// <param name="declared">What the sender says, or null.</param>
    public static string Sniff(ReadOnlySpan<byte> head, string? declared)
    {
        declared = Essence(declared);
        var found = Magic(head, declared);
        if (found is not null) return found;
        var isText = IsText(head);
        if (isText && LooksLikeHtml(head)) return "text/html";
        if (isText && LooksLikeSvg(head)) return "image/svg+xml";
        if (declared is null or Unknown) return isText && head.Length > 0 ? "text/plain" : Unknown;
        if (isText) return IsTextual(declared) ? declared : "text/plain";
        // A known magic number that isn't there, and bytes that are no text: the claim is false.
        return HasMagic(declared) || IsTextual(declared) ? Unknown : declared;
    }

    private static string? Essence(string? type)
    {
        if (string.IsNullOrWhiteSpace(type) || type.Length > 127) return null;
        var essence = type.Split(';')[0].Trim().ToLowerInvariant();
        var slash = essence.IndexOf('/', StringComparison.Ordinal);
        return slash > 0 && slash < essence.Length - 1 && essence.All(c => char.IsAsciiLetterOrDigit(c) || "/!#$&-^_.+".Contains(c, StringComparison.Ordinal)) ? essence : null;
    }

    private static string? Magic(ReadOnlySpan<byte> head, string? declared)
    {
        if (head.Length > 7 && head[0] == 0x89 && head[1..].StartsWith("PNG\r\n"u8)) return "image/png";
        if (head.Length > 2 && head[0] == 0xFF && head[1] == 0xD8 && head[2] == 0xFF) return "image/jpeg";
        if (head.StartsWith("GIF87a"u8) || head.StartsWith("GIF89a"u8)) return "image/gif";
        if (head.StartsWith("BM"u8) && head.Length > 14 && declared is "image/bmp") return "image/bmp";
        if (head.StartsWith("RIFF"u8) && head.Length >= 12)
        {
            if (head[8..].StartsWith("WEBP"u8)) return "image/webp";
            if (head[8..].StartsWith("WAVE"u8)) return "audio/wav";
            if (head[8..].StartsWith("AVI "u8)) return "video/x-msvideo";
        }

        if (head.StartsWith("II*\0"u8) || head.StartsWith("MM\0*"u8)) return "image/tiff";
        if (head.Length >= 12 && head[4..].StartsWith("ftyp"u8)) return BaseMedia(head.Slice(8, 4), declared);
        if (head.Length > 4 && head[0] == 0x1A && head[1] == 0x45 && head[2] == 0xDF && head[3] == 0xA3)
            return declared is "audio/webm" or "video/webm" or "video/x-matroska" or "audio/x-matroska" ? declared
                : head[..Math.Min(64, head.Length)].IndexOf("webm"u8) > 0 ? "video/webm" : "video/x-matroska";
        if (head.StartsWith("OggS"u8)) return declared is "audio/opus" or "video/ogg" ? declared : "audio/ogg";
        if (head.StartsWith("fLaC"u8)) return "audio/flac";
        if (head.StartsWith("#!AMR"u8)) return "audio/amr";
        if (head.StartsWith("\u0002#!SILK_V3"u8) || head.StartsWith("#!SILK_V3"u8)) return "audio/silk";
        if (head.StartsWith("ID3"u8) || (head.Length > 3 && head[0] == 0xFF && (head[1] & 0xE6) == 0xE2 && declared is ("audio/mpeg" or "audio/mp3"))) return "audio/mpeg";
        if (head.StartsWith("%PDF-"u8)) return "application/pdf";
        if (head.StartsWith("PK\u0003\u0004"u8) || head.StartsWith("PK\u0005\u0006"u8)) return Zip(declared);
        if (head.Length > 2 && head[0] == 0x1F && head[1] == 0x8B) return "application/gzip";
        if (head.StartsWith("7z"u8) && head.Length > 5 && head[2] == 0xBC && head[3] == 0xAF) return "application/x-7z-compressed";
        if (head.StartsWith("Rar!"u8)) return "application/vnd.rar";
        if (head.Length > 4 && head[0] == 0x7F && head[1..].StartsWith("ELF"u8)) return "application/x-elf";
        if (head.StartsWith("MZ"u8) && head.Length > 64) return "application/vnd.microsoft.portable-executable";
        return null;
    }

    private static string BaseMedia(ReadOnlySpan<byte> brand, string? declared)
    {
        if (brand.SequenceEqual("heic"u8) || brand.SequenceEqual("heix"u8) || brand.SequenceEqual("mif1"u8)) return "image/heic";
        if (brand.SequenceEqual("avif"u8)) return "image/avif";
        if (brand.SequenceEqual("M4A "u8)) return "audio/mp4";
        if (brand.SequenceEqual("qt  "u8)) return "video/quicktime";
        if (brand.StartsWith("3gp"u8)) return "video/3gpp";
        return declared is "audio/mp4" ? declared : "video/mp4";
    }

    private static string Zip(string? declared) => declared is not null
        && (declared.StartsWith("application/vnd.openxmlformats", StringComparison.Ordinal) || declared.StartsWith("application/vnd.oasis", StringComparison.Ordinal)
            || declared is "application/epub+zip" or "application/java-archive" or "application/vnd.android.package-archive")
            ? declared
            : "application/zip";

    private static bool HasMagic(string type) => type is "image/png" or "image/jpeg" or "image/gif" or "image/webp" or "image/tiff" or "image/heic" or "image/avif"
        or "image/bmp" or "application/pdf" or "application/zip" or "application/gzip" or "audio/wav" or "audio/ogg" or "audio/flac" or "video/mp4" or "video/webm"
        or "video/quicktime" or "video/x-matroska";

    private static bool IsTextual(string type) => type.StartsWith("text/", StringComparison.Ordinal)
        || type is "application/json" or "application/xml" or "application/javascript" or "application/x-sh" or "application/yaml" or "application/x-yaml"
            or "application/toml" or "application/sql" or "application/x-ndjson" or "application/jsonl" or "message/rfc822"
        || type.EndsWith("+json", StringComparison.Ordinal) || type.EndsWith("+xml", StringComparison.Ordinal);

    private static bool IsText(ReadOnlySpan<byte> head)
    {
        foreach (var c in head)
        {
            if (c < 0x20 && c is not ((byte)'\t' or (byte)'\n' or (byte)'\r' or 0x0C or 0x1B)) return false;
        }

        // The last character may be cut off.
        for (var cut = 0; cut < 4 && cut <= head.Length; cut++)
        {
            if (System.Text.Unicode.Utf8.IsValid(head[..(head.Length - cut)])) return true;
        }

        return false;
    }

    private static bool LooksLikeHtml(ReadOnlySpan<byte> head)
    {
        var text = Encoding.Latin1.GetString(head[..Math.Min(512, head.Length)]).TrimStart('\u00ef', '\u00bb', '\u00bf', ' ', '\t', '\r', '\n');
        return text.StartsWith("<!doctype html", StringComparison.OrdinalIgnoreCase) || text.StartsWith("<html", StringComparison.OrdinalIgnoreCase)
            || text.StartsWith("<script", StringComparison.OrdinalIgnoreCase);
    }

    private static bool LooksLikeSvg(ReadOnlySpan<byte> head)
    {
        var text = Encoding.Latin1.GetString(head[..Math.Min(1024, head.Length)]);
        return text.TrimStart().StartsWith('<') && text.Contains("<svg", StringComparison.OrdinalIgnoreCase);
    }
}
