using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace ChannelBridge.Client.Internal;

/// <summary>The SHA-256 of a certificate, by which one is pinned.</summary>
internal static class Fingerprint
{
    private const string Prefix = "sha256:";

    /// <summary>Reads 64 hex digits, with or without colons, with or without <c>sha256:</c> in front.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out byte[]? fingerprint)
    {
        fingerprint = null;
        if (text is null) return false;
        text = text.Trim();
        if (text.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)) text = text[Prefix.Length..];
        text = text.Replace(":", "", StringComparison.Ordinal);
        if (text.Length != SHA256.HashSizeInBytes * 2 || !text.All(char.IsAsciiHexDigit)) return false;
        fingerprint = Convert.FromHexString(text);
        return true;
    }

    /// <summary>True when <paramref name="certificate"/> is the pinned one.</summary>
    public static bool Matches(X509Certificate certificate, ReadOnlySpan<byte> fingerprint) =>
        certificate.GetCertHash(HashAlgorithmName.SHA256).AsSpan().SequenceEqual(fingerprint);
}
