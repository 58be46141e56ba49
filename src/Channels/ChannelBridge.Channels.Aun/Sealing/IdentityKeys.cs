using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace ChannelBridge.Channels.Aun.Sealing;

/// <summary>An identity whose private key the host holds. Its operations may run at the same time: each makes a context of its own in the platform's library.</summary>
internal sealed class IdentityKeys : IDisposable
{
    private readonly ECDsa _signer;
    private readonly ECDiffieHellman _agreement;

    /// <summary>Takes a private key of P-256; it stays the caller's and may be disposed of.</summary>
    /// <param name="aid">The identity.</param>
    /// <param name="key">The private key.</param>
    /// <param name="certificate">Its certificate, or null when there is none yet.</param>
    public IdentityKeys(string aid, ECDsa key, X509Certificate2? certificate = null)
    {
        var parameters = key.ExportParameters(includePrivateParameters: true);
        try
        {
            if (!P256.IsCurve(parameters.Curve)) throw new CryptographicException("the key isn't one of P-256");
            _signer = ECDsa.Create(parameters);
            _agreement = ECDiffieHellman.Create(parameters);
            StoreKey = HKDF.DeriveKey(HashAlgorithmName.SHA256, parameters.D!, 32, info: "channelbridge-aun-store-v1"u8.ToArray());
        }
        finally
        {
            CryptographicOperations.ZeroMemory(parameters.D);
        }

        Aid = aid;
        Spki = _signer.ExportSubjectPublicKeyInfo();
        Fingerprint = P256.Fingerprint(Spki);
        CertificateFingerprint = certificate is null ? Fingerprint : P256.Fingerprint(certificate.RawData);
    }

    /// <summary>The identity.</summary>
    public string Aid { get; }

    /// <summary>The public key's SPKI.</summary>
    public byte[] Spki { get; }

    /// <summary>The fingerprint of the public key.</summary>
    public string Fingerprint { get; }

    /// <summary>The fingerprint of the certificate in force.</summary>
    public string CertificateFingerprint { get; private set; }

    /// <summary>The key under which secrets of this identity are sealed at rest.</summary>
    public byte[] StoreKey { get; }

    /// <summary>The certificate in force is this one now.</summary>
    /// <param name="pem">The certificate.</param>
    public void Certify(string pem)
    {
        using var certificate = X509Certificate2.CreateFromPem(pem);
        CertificateFingerprint = P256.Fingerprint(certificate.RawData);
    }

    /// <summary>A new private key.</summary>
    public static ECDsa NewKey() => ECDsa.Create(ECCurve.NamedCurves.nistP256);

    /// <summary>True when the text is a fingerprint of this identity.</summary>
    public bool Is(string? fingerprint) => fingerprint == Fingerprint || fingerprint == CertificateFingerprint;

    /// <summary>Signs: ECDSA with SHA-256, in DER.</summary>
    public byte[] Sign(ReadOnlySpan<byte> data) => _signer.SignData(data, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);

    /// <summary>Signs a text, and gives the signature in base64.</summary>
    public string SignText(string text) => Convert.ToBase64String(Sign(Encoding.UTF8.GetBytes(text)));

    /// <summary>What this key and another one agree on: the raw x coordinate.</summary>
    public byte[] Agree(ECDiffieHellman other) => _agreement.DeriveRawSecretAgreement(other.PublicKey);

    /// <inheritdoc/>
    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(StoreKey);
        _signer.Dispose();
        _agreement.Dispose();
    }
}
