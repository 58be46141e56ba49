using System.Security.Cryptography;
using ChannelBridge.Identity.Formats;
using NSec.Cryptography;

namespace ChannelBridge.Identity;

/// <summary>A private Ed25519 key. It lies in locked memory until it is disposed; signing is safe for any number of threads.</summary>
public sealed class IdentityKey : IDisposable
{
    /// <summary>The length of the seed that a key is made of, in bytes.</summary>
    public const int SeedLength = 32;

    private static KeyCreationParameters Exportable => new() { ExportPolicy = KeyExportPolicies.AllowPlaintextExport };

    private readonly Key _key;

    private IdentityKey(Key key)
    {
        _key = key;
        PublicKey = key.PublicKey.Export(KeyBlobFormat.RawPublicKey);
    }

    /// <summary>The public key's 32 bytes.</summary>
    public ReadOnlyMemory<byte> PublicKey { get; }

    /// <summary>Makes a new key.</summary>
    /// <exception cref="IdentityException"><see cref="IdentityFault.LibraryMissing"/>.</exception>
    public static IdentityKey Create() => new(Key.Create(Ed25519Library.Algorithm, Exportable));

    /// <summary>The key of a seed of 32 bytes, RFC 8032's private key. The caller clears its copy.</summary>
    /// <exception cref="IdentityException">The seed has another length, or the library is missing.</exception>
    public static IdentityKey FromSeed(ReadOnlySpan<byte> seed)
    {
        if (seed.Length != SeedLength)
            throw new IdentityException(IdentityFault.Malformed, $"the seed of an Ed25519 key has {SeedLength} bytes, not {seed.Length}");
        return new IdentityKey(Key.Import(Ed25519Library.Algorithm, seed, KeyBlobFormat.RawPrivateKey, Exportable));
    }

    /// <summary>
    /// Reads a private key from PEM as Node, OpenSSL and Python write it: PKCS#8, also version 2 with the public key inside, plain or encrypted (PBES2).
    /// Text before the key and CRLF are skipped.
    /// </summary>
    /// <param name="pem">The text.</param>
    /// <param name="passphrase">For an encrypted key; ignored for a plain one.</param>
    /// <exception cref="IdentityException">It isn't an Ed25519 key, or the passphrase is missing or wrong.</exception>
    public static IdentityKey FromPem(string pem, string? passphrase = null)
    {
        ArgumentNullException.ThrowIfNull(pem);
        var seed = PrivateKeyInfo.ReadPem(pem, passphrase, out var publicKey);
        try
        {
            var key = FromSeed(seed);
            if (publicKey is null || key.PublicKey.Span.SequenceEqual(publicKey)) return key;
            key.Dispose();
            throw new IdentityException(IdentityFault.Malformed, "the public key in this file isn't the one of its private key: the file is damaged");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(seed);
        }
    }

    /// <summary>Signs.</summary>
    public byte[] Sign(ReadOnlySpan<byte> data) => Ed25519Library.Algorithm.Sign(_key, data);

    /// <summary>Signs into <paramref name="signature"/>, which has <see cref="IdentityVerifier.SignatureLength"/> bytes. Allocates nothing.</summary>
    public void Sign(ReadOnlySpan<byte> data, Span<byte> signature) => Ed25519Library.Algorithm.Sign(_key, data, signature);

    /// <summary>The public half, to verify with.</summary>
    public IdentityVerifier ToVerifier() => IdentityVerifier.Create(PublicKey.Span);

    /// <summary>The key as PEM: PKCS#8 version 1 with LF, which every reader takes; with a passphrase encrypted by PBES2 (PBKDF2-SHA256, 600,000 rounds, AES-256-CBC).</summary>
    public string ToPem(string? passphrase = null)
    {
        var seed = ExportSeed();
        try
        {
            return PrivateKeyInfo.WritePem(seed, passphrase);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(seed);
        }
    }

    /// <summary>The seed of 32 bytes, for stores that keep nothing else. The caller clears it.</summary>
    public byte[] ExportSeed() => _key.Export(KeyBlobFormat.RawPrivateKey);

    /// <summary>Clears the key.</summary>
    public void Dispose() => _key.Dispose();
}
