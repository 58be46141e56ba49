using System.Security.Cryptography;

namespace ChannelBridge.Identity.Formats;

/// <summary>PEM: blocks between dashes, in any text.</summary>
internal static class Pem
{
    /// <summary>The first block whose label is one of <paramref name="labels"/>; null when there is none.</summary>
    public static (string Label, byte[] Content)? Find(string text, params ReadOnlySpan<string> labels)
    {
        var rest = text.AsSpan();
        while (PemEncoding.TryFind(rest, out var fields))
        {
            var label = rest[fields.Label].ToString();
            if (labels.Contains(label)) return (label, Convert.FromBase64String(rest[fields.Base64Data].ToString()));
            rest = rest[fields.Location.End..];
        }

        return null;
    }

    /// <summary>The first label in a text, for messages; null when there is none.</summary>
    public static string? FirstLabel(string text) => PemEncoding.TryFind(text, out var fields) ? text[fields.Label] : null;

    /// <summary>One block, lines end with LF: the gateway refuses CRLF.</summary>
    public static string Write(string label, ReadOnlySpan<byte> content) => PemEncoding.WriteString(label, content) + "\n";
}
