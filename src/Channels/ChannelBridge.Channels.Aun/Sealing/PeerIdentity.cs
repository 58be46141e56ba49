using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace ChannelBridge.Channels.Aun.Sealing;

/// <summary>Somebody's public key, from a certificate that was checked.</summary>
internal sealed class PeerIdentity
{
    private readonly ECDsa _verifier;

    /// <summary>The key of a certificate. Whoever calls has checked it.</summary>
    /// <exception cref="CryptographicException">Its key isn't one of P-256.</exception>
    public PeerIdentity(string aid, X509Certificate2 certificate)
    {
        Aid = aid;
        Spki = certificate.PublicKey.ExportSubjectPublicKeyInfo();
        Agreement = P256.ReadSpki(Spki);
        _verifier = ECDsa.Create();
        _verifier.ImportSubjectPublicKeyInfo(Spki, out _);
        Fingerprint = P256.Fingerprint(Spki);
        CertificateFingerprint = P256.Fingerprint(certificate.RawData);
        NotAfter = new DateTimeOffset(certificate.NotAfter);
    }

    /// <summary>The identity.</summary>
    public string Aid { get; }

    /// <summary>The public key's SPKI.</summary>
    public byte[] Spki { get; }

    /// <summary>The fingerprint of the public key, which the protocol calls the certificate's.</summary>
    public string Fingerprint { get; }

    /// <summary>The fingerprint of the certificate itself, which later SDKs write in its place.</summary>
    public string CertificateFingerprint { get; }

    /// <summary>Until when the certificate is valid.</summary>
    public DateTimeOffset NotAfter { get; }

    /// <summary>The key for agreement.</summary>
    public ECDiffieHellman Agreement { get; }

    /// <summary>True when the text is one of the two fingerprints.</summary>
    public bool Is(string? fingerprint) => fingerprint == Fingerprint || fingerprint == CertificateFingerprint;

    /// <summary>True when the identity's key has signed: ECDSA with SHA-256, in DER.</summary>
    public bool Verify(ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        try
        {
            return _verifier.VerifyData(data, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }
}
