using System.Buffers.Text;
using System.Security.Cryptography;

namespace ChannelBridge.Channels.Aun.Sealing;

/// <summary>The one curve of the protocol, with the forms in which its keys travel.</summary>
internal static class P256
{
    /// <summary>The bytes of a coordinate, and of what two keys agree on.</summary>
    public const int Length = 32;

    /// <summary>The bytes of a point that isn't compressed.</summary>
    public const int PointLength = 65;

    private static readonly string NistOid = ECCurve.NamedCurves.nistP256.Oid.Value!;

    /// <summary>A new pair for agreement.</summary>
    public static ECDiffieHellman NewPair() => ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);

    /// <summary>A public key from its SPKI.</summary>
    /// <exception cref="CryptographicException">It isn't one of this curve.</exception>
    public static ECDiffieHellman ReadSpki(ReadOnlySpan<byte> spki)
    {
        var key = ECDiffieHellman.Create();
        try
        {
            key.ImportSubjectPublicKeyInfo(spki, out var read);
            if (read != spki.Length || !IsCurve(key.ExportParameters(false).Curve)) throw new CryptographicException("not a key of P-256");
            return key;
        }
        catch
        {
            key.Dispose();
            throw;
        }
    }

    /// <summary>True when an SPKI is a public key of this curve.</summary>
    public static bool IsPublicKey(ReadOnlySpan<byte> spki)
    {
        try
        {
            using var key = ReadSpki(spki);
            return true;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    /// <summary>A public key from its point.</summary>
    /// <exception cref="CryptographicException">It isn't a point of this curve.</exception>
    public static ECDiffieHellman ReadPoint(ReadOnlySpan<byte> point)
    {
        if (point.Length != PointLength || point[0] != 4) throw new CryptographicException("not a point of P-256");
        return ECDiffieHellman.Create(new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new ECPoint { X = point.Slice(1, Length).ToArray(), Y = point.Slice(1 + Length, Length).ToArray() },
        });
    }

    /// <summary>A public key's point.</summary>
    public static byte[] WritePoint(ECDiffieHellman key)
    {
        var point = key.ExportParameters(false).Q;
        var bytes = new byte[PointLength];
        bytes[0] = 4;
        point.X!.CopyTo(bytes.AsSpan(1));
        point.Y!.CopyTo(bytes.AsSpan(1 + Length));
        return bytes;
    }

    /// <summary>The fingerprint of a public key, or of a certificate: of the bytes of its DER.</summary>
    public static string Fingerprint(ReadOnlySpan<byte> der)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(der, hash);
        return "sha256:" + Convert.ToHexStringLower(hash);
    }

    /// <summary>
    /// Reads base64 that is written in the one way in which it can be: bits that mean nothing, and spaces, would be places where an envelope may be changed without a trace.
    /// </summary>
    public static bool TryReadBase64(string? text, int longest, out byte[] bytes)
    {
        bytes = [];
        if (text is null || text.Length > Base64.GetMaxEncodedToUtf8Length(longest)) return false;
        var buffer = new byte[Base64.GetMaxDecodedFromUtf8Length(text.Length)];
        if (!Convert.TryFromBase64String(text, buffer, out var written) || written > longest) return false;
        bytes = buffer.AsSpan(0, written).ToArray();
        return Convert.ToBase64String(bytes) == text;
    }

    /// <summary>True when a key's curve is this one.</summary>
    public static bool IsCurve(ECCurve curve) => curve.IsNamed && (curve.Oid.Value == NistOid || curve.Oid.FriendlyName is "nistP256" or "ECDSA_P256");
}
