using System.Diagnostics.CodeAnalysis;
using ChannelBridge.Identity.Formats;
using NSec.Cryptography;

namespace ChannelBridge.Identity;

/// <summary>A public Ed25519 key, and the check of signatures by it. Safe for any number of threads.</summary>
public sealed class IdentityVerifier
{
    /// <summary>The length of a public key in bytes.</summary>
    public const int KeyLength = 32;

    /// <summary>The length of a signature in bytes.</summary>
    public const int SignatureLength = 64;

    private readonly byte[] _raw;
    private readonly PublicKey _key;

    private IdentityVerifier(byte[] raw, PublicKey key)
    {
        _raw = raw;
        _key = key;
    }

    /// <summary>The key's 32 bytes.</summary>
    public ReadOnlyMemory<byte> PublicKey => _raw;

    /// <summary>Takes a key as its 32 bytes.</summary>
    /// <returns>
    /// False when it isn't one, or one that must not be trusted: of small order, for which signatures can be made without any private key, or not the
    /// one way of writing its point, so that one key would have two names.
    /// </returns>
    /// <exception cref="IdentityException"><see cref="IdentityFault.LibraryMissing"/>.</exception>
    public static bool TryCreate(ReadOnlySpan<byte> publicKey, [NotNullWhen(true)] out IdentityVerifier? verifier)
    {
        verifier = null;
        if (publicKey.Length != KeyLength || !PointRules.IsTrustworthy(publicKey)) return false;
        if (!NSec.Cryptography.PublicKey.TryImport(Ed25519Library.Algorithm, publicKey, KeyBlobFormat.RawPublicKey, out var key)) return false;
        verifier = new IdentityVerifier(publicKey.ToArray(), key!);
        return true;
    }

    /// <summary>Takes a key as its 32 bytes.</summary>
    /// <exception cref="IdentityException">It isn't one, or must not be trusted; see <see cref="TryCreate"/>.</exception>
    public static IdentityVerifier Create(ReadOnlySpan<byte> publicKey)
    {
        if (publicKey.Length != KeyLength)
            throw new IdentityException(IdentityFault.Malformed, $"a public Ed25519 key has {KeyLength} bytes, not {publicKey.Length}");
        return TryCreate(publicKey, out var verifier)
            ? verifier
            : throw new IdentityException(IdentityFault.Untrustworthy, "this public key is of small order or oddly written; anybody could sign for it");
    }

    /// <summary>Reads a public key from PEM (<c>PUBLIC KEY</c>) as Node, OpenSSL and Python write it.</summary>
    /// <exception cref="IdentityException">It isn't one.</exception>
    public static IdentityVerifier FromPem(string pem)
    {
        ArgumentNullException.ThrowIfNull(pem);
        return Create(PublicKeyInfo.ReadPem(pem));
    }

    /// <summary>The key as PEM (<c>PUBLIC KEY</c>), lines end with LF.</summary>
    public string ToPem() => PublicKeyInfo.WritePem(_raw);

    /// <summary>True when <paramref name="signature"/> is one by this key over <paramref name="data"/>; anything else, of whatever length, is false.</summary>
    public bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature) =>
        signature.Length == SignatureLength && Ed25519Library.Algorithm.Verify(_key, data, signature);
}
