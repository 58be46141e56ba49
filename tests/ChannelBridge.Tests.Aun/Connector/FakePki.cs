using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace ChannelBridge.Tests.Aun.Connector;

/// <summary>A root, an issuer, and leaves of it.</summary>
internal sealed class FakePki : IDisposable
{
    private readonly ECDsa _rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly ECDsa _issuerKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 _root;
    private readonly X509Certificate2 _issuer;

    public FakePki(string name = "Test Root")
    {
        var (from, to) = (DateTimeOffset.UtcNow.AddDays(-2), DateTimeOffset.UtcNow.AddYears(5));
        var root = new CertificateRequest($"CN={name}", _rootKey, HashAlgorithmName.SHA256);
        root.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        _root = root.CreateSelfSigned(from, to);
        var issuer = new CertificateRequest("CN=Test Issuer", _issuerKey, HashAlgorithmName.SHA256);
        issuer.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        _issuer = issuer.Create(_root.SubjectName, X509SignatureGenerator.CreateForECDsa(_rootKey), from, to, [1, 2]);
    }

    public string RootPem => _root.ExportCertificatePem() + "\n";

    public string ChainPem => _issuer.ExportCertificatePem() + "\n" + RootPem;

    /// <summary>A leaf.</summary>
    public string Issue(string name, byte[] spki, DateTimeOffset? notAfter = null)
    {
        var request = new CertificateRequest(new X500DistinguishedName($"CN={name}"), PublicKey.CreateFromSubjectPublicKeyInfo(spki, out _), HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        var serial = RandomNumberGenerator.GetBytes(8);
        serial[0] &= 0x7f;
        using var leaf = request.Create(
            _issuer.SubjectName, X509SignatureGenerator.CreateForECDsa(_issuerKey), DateTimeOffset.UtcNow.AddDays(-1.5), notAfter ?? DateTimeOffset.UtcNow.AddYears(1), serial);
        return leaf.ExportCertificatePem() + "\n";
    }

    /// <summary>A list with one certificate in it.</summary>
    public string Revoke(string pem)
    {
        using var certificate = X509Certificate2.CreateFromPem(pem);
        var builder = new CertificateRevocationListBuilder();
        builder.AddEntry(certificate);
        var identifier = X509AuthorityKeyIdentifierExtension.CreateFromSubjectKeyIdentifier([1, 2, 3, 4]);
        var der = builder.Build(
            _issuer.SubjectName, X509SignatureGenerator.CreateForECDsa(_issuerKey), 1, DateTimeOffset.UtcNow.AddHours(1), HashAlgorithmName.SHA256, identifier);
        return PemEncoding.WriteString("X509 CRL", der) + "\n";
    }

    public void Dispose()
    {
        _root.Dispose();
        _issuer.Dispose();
        _rootKey.Dispose();
        _issuerKey.Dispose();
    }
}
