using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using ChannelBridge.Channels.Aun.Sealing;

namespace ChannelBridge.Channels.Aun.Pki;

/// <summary>
/// The endpoint's own certificates: a root, an issuer under it, the gateway's own leaf, and the key that signs tokens. Made at the first start, read at later ones.
/// Its operations may run at the same time.
/// </summary>
internal sealed class Authority : IDisposable
{
    /// <summary>The longest certificate that is looked at.</summary>
    public const int MaxCertificateText = 16 * 1024;

    private const string RootName = "root";
    private const string IssuerName = "issuer";
    private const string GatewayName = "gateway";
    private const string TokenName = "token";
    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan LeafTime = TimeSpan.FromDays(365);
    private static readonly TimeSpan Renewal = TimeSpan.FromDays(30);

    // Longer than a leaf lives, so that each leaf has its whole year.
    private static readonly TimeSpan IssuerRenewal = TimeSpan.FromDays(395);
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(10);

    private readonly TimeProvider _time;
    private readonly PkiFiles _files;
    private readonly string _gatewayAid;
    private readonly X509Certificate2 _root;
    private readonly ECDsa _issuerKey;
    private readonly ECDsa _gatewayKey;
    private readonly Lock _renewing = new();
    private readonly Lock _renewingIssuer = new();
    private readonly List<X509Certificate2> _former = [];
    private X509Certificate2 _issuer;
    private DateTimeOffset _issuerTriedAt = DateTimeOffset.MinValue;
    private X509Certificate2 _gateway;

    private Authority(
        PkiFiles files, string gatewayAid, X509Certificate2 root, (X509Certificate2 Certificate, ECDsa Key) issuer, ECDsa gatewayKey, ECDsa tokenKey, TimeProvider time)
    {
        _files = files;
        _gatewayAid = gatewayAid;
        _root = root;
        (_issuer, _issuerKey) = issuer;
        _gatewayKey = gatewayKey;
        _time = time;
        TokenKey = tokenKey;
        RootPem = root.ExportCertificatePem() + "\n";
        _gateway = ReadGateway() ?? RenewGateway();
    }

    /// <summary>The root, which clients must trust.</summary>
    public string RootPem { get; }

    /// <summary>The issuer first, the root last.</summary>
    public string ChainPem => Issuer().ExportCertificatePem() + "\n" + RootPem;

    /// <summary>Until when the issuer's certificate is valid.</summary>
    public DateTimeOffset IssuerEnds => Issuer().Ends();

    /// <summary>Signs tokens.</summary>
    public ECDsa TokenKey { get; }

    /// <summary>True when the keys were made by this call and not read.</summary>
    public bool IsNew { get; private init; }

    /// <summary>Reads the keys, or makes those that aren't there.</summary>
    /// <param name="folder">Where they are.</param>
    /// <param name="gatewayAid">The gateway's own name.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="CryptographicException">A file isn't what it should be.</exception>
    public static Authority Open(string folder, string gatewayAid, TimeProvider time)
    {
        var files = new PkiFiles(folder);
        Authority? opened = null;
        files.Locked(() =>
        {
            var now = time.GetUtcNow();
            var isNew = files.Read(RootName + ".pem") is null;
            var root = ReadPair(files, RootName) ?? Make(files, RootName, key => MakeRoot(key, now));
            var issuer = ReadPair(files, IssuerName) ?? Make(files, IssuerName, key => MakeIssuer(key, root, now));
            if (IsDue(issuer.Certificate, root.Certificate, now)) issuer = Make(files, IssuerName, key => MakeIssuer(key, root, now));
            opened = new Authority(files, gatewayAid, root.Certificate, issuer, ReadOrMakeKey(files, GatewayName), ReadOrMakeKey(files, TokenName), time) { IsNew = isNew };
            root.Key.Dispose();
        });
        return opened!;
    }

    /// <summary>A key of an identity that the host itself holds, made if it isn't there.</summary>
    public ECDsa HeldKey(string aid)
    {
        ECDsa? key = null;
        _files.Locked(() => key = ReadOrMakeKey(_files, "agent-" + aid));
        return key!;
    }

    /// <summary>Issues a certificate: its common name is the AID.</summary>
    /// <param name="aid">The identity.</param>
    /// <param name="spki">Its public key, of P-256.</param>
    public X509Certificate2 Issue(string aid, ReadOnlySpan<byte> spki) => Sign(aid, spki, static request =>
    {
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.KeyAgreement, critical: true));
    });

    /// <summary>Issues a server's certificate with a new key, for names and addresses.</summary>
    /// <returns>The certificate with its chain, and the key, both PEM.</returns>
    public (string Certificate, string Key) IssueServer(IReadOnlyList<string> names)
    {
        using var key = IdentityKeys.NewKey();
        using var certificate = Sign(names[0].Length <= 64 ? names[0] : "server", key.ExportSubjectPublicKeyInfo(), request =>
        {
            request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], critical: false));
            var alternatives = new SubjectAlternativeNameBuilder();
            foreach (var name in names)
            {
                if (System.Net.IPAddress.TryParse(name, out var address)) alternatives.AddIpAddress(address);
                else alternatives.AddDnsName(name);
            }

            request.CertificateExtensions.Add(alternatives.Build());
        });
        return (certificate.ExportCertificatePem() + "\n" + Issuer().ExportCertificatePem() + "\n", key.ExportPkcs8PrivateKeyPem() + "\n");
    }

    /// <summary>The gateway's own certificate, and its signature of a text.</summary>
    public (string Certificate, string Signature) SignAsGateway(string text)
    {
        var certificate = Volatile.Read(ref _gateway);
        if (certificate.Ends() - _time.GetUtcNow() < Renewal) certificate = RenewGateway();
        var signature = _gatewayKey.SignData(Encoding.UTF8.GetBytes(text), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        return (certificate.ExportCertificatePem() + "\n", Convert.ToBase64String(signature));
    }

    /// <summary>Why a certificate isn't good for an identity now; null when it is. Whether it was revoked is another matter.</summary>
    /// <param name="certificate">The certificate.</param>
    /// <param name="aid">Whose it must be.</param>
    public string? Fault(X509Certificate2 certificate, string aid)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(_root);
        chain.ChainPolicy.ExtraStore.Add(Issuer());
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTime = _time.GetUtcNow().UtcDateTime;
        if (!chain.Build(certificate))
        {
            var status = chain.ChainStatus.Select(static one => one.Status).Aggregate(X509ChainStatusFlags.NoError, static (all, one) => all | one);
            if (status.HasFlag(X509ChainStatusFlags.NotTimeValid)) return "the certificate has expired, or isn't valid yet";
            if (status.HasFlag(X509ChainStatusFlags.InvalidBasicConstraints)) return "the certificate's issuer is no certificate authority";
            return "the certificate's chain doesn't end in this gateway's root";
        }

        // A leaf must come straight from the issuer: three levels, no more.
        if (chain.ChainElements.Count != 3) return "the certificate wasn't issued by this gateway's issuer";
        return certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false) == aid ? null : "the certificate is another identity's";
    }

    /// <summary>The list of what was revoked, signed by the issuer, in PEM.</summary>
    /// <param name="revoked">Serial numbers in hexadecimal, and when.</param>
    /// <param name="number">Grows with each list.</param>
    /// <param name="validity">For how long it is good.</param>
    public string MakeCrl(IEnumerable<(string Serial, DateTimeOffset At)> revoked, long number, TimeSpan validity)
    {
        var builder = new CertificateRevocationListBuilder();
        foreach (var (serial, at) in revoked) builder.AddEntry(Convert.FromHexString(serial), at);
        var issuer = Issuer();
        var identifier = X509AuthorityKeyIdentifierExtension.CreateFromCertificate(issuer, includeKeyIdentifier: true, includeIssuerAndSerial: false);
        var now = _time.GetUtcNow();
        var der = builder.Build(
            issuer.SubjectName, X509SignatureGenerator.CreateForECDsa(_issuerKey), number, now + validity, HashAlgorithmName.SHA256, identifier, now - Skew);
        return PemEncoding.WriteString("X509 CRL", der) + "\n";
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _root.Dispose();
        foreach (var former in _former) former.Dispose();
        _issuer.Dispose();
        _issuerKey.Dispose();
        _gateway.Dispose();
        _gatewayKey.Dispose();
        TokenKey.Dispose();
    }

    private X509Certificate2 Sign(string name, ReadOnlySpan<byte> spki, Action<CertificateRequest> extend)
    {
        var key = PublicKey.CreateFromSubjectPublicKeyInfo(spki, out _);
        var request = new CertificateRequest(NameOf(name), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, 0, critical: true));
        extend(request);
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(key, critical: false));
        var issuer = Issuer();
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(issuer, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        var now = _time.GetUtcNow();
        var until = now + LeafTime;
        return request.Create(
            issuer.SubjectName, X509SignatureGenerator.CreateForECDsa(_issuerKey), Earliest(now, issuer), until < issuer.Ends() ? until : issuer.Ends(), NewSerial());
    }

    // The issuer's certificate; before its end a new one for the same key and name, so that what either of them has signed is good with both.
    private X509Certificate2 Issuer()
    {
        var issuer = Volatile.Read(ref _issuer);
        var now = _time.GetUtcNow();
        if (!IsDue(issuer, _root, now)) return issuer;
        lock (_renewingIssuer)
        {
            if (!IsDue(_issuer, _root, now) || now - _issuerTriedAt < Pause) return _issuer;
            _issuerTriedAt = now;
            try
            {
                _files.Locked(() => RenewIssuer(now));
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                // The one that is there is good for a year yet; it is tried again.
            }

            return _issuer;
        }
    }

    private void RenewIssuer(DateTimeOffset now)
    {
        // Another host that shares the folder may have done it.
        var next = _files.Read(IssuerName + ".pem") is { } pem ? X509Certificate2.CreateFromPem(pem) : null;
        if (next is null || next.Ends() <= _issuer.Ends())
        {
            next?.Dispose();
            if (ReadPair(_files, RootName) is not { } root) return;
            using (root.Certificate)
            using (root.Key)
            using (var made = MakeIssuer(_issuerKey, root, now))
            {
                _files.Write(IssuerName + ".pem", made.ExportCertificatePem() + "\n");
                next = X509Certificate2.CreateFromPem(made.ExportCertificatePem());
            }
        }

        // Somebody may be using it at this moment.
        _former.Add(_issuer);
        Volatile.Write(ref _issuer, next);
    }

    // An issuer that ends with its root can't be made any longer.
    private static bool IsDue(X509Certificate2 issuer, X509Certificate2 root, DateTimeOffset now) =>
        issuer.Ends() - now < IssuerRenewal && issuer.Ends() < root.Ends();

    private X509Certificate2? ReadGateway()
    {
        if (_files.Read(GatewayName + ".pem") is not { } pem) return null;
        var certificate = X509Certificate2.CreateFromPem(pem);
        return certificate.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(_gatewayKey.ExportSubjectPublicKeyInfo()) && Fault(certificate, _gatewayAid) is null
            ? certificate
            : null;
    }

    private X509Certificate2 RenewGateway()
    {
        lock (_renewing)
        {
            if (_gateway is { } current && current.Ends() - _time.GetUtcNow() >= Renewal) return current;
            var certificate = Issue(_gatewayAid, _gatewayKey.ExportSubjectPublicKeyInfo());
            _files.Write(GatewayName + ".pem", certificate.ExportCertificatePem() + "\n");
            Volatile.Write(ref _gateway, certificate);
            return certificate;
        }
    }

    private static X509Certificate2 MakeRoot(ECDsa key, DateTimeOffset now)
    {
        var request = AuthorityRequest("ChannelBridge AUN root", key, pathLength: 1);
        return request.CreateSelfSigned(now - Skew, now.AddYears(20));
    }

    private static X509Certificate2 MakeIssuer(ECDsa key, (X509Certificate2 Certificate, ECDsa Key) root, DateTimeOffset now)
    {
        var request = AuthorityRequest("ChannelBridge AUN issuer", key, pathLength: 0);
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(root.Certificate, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        var until = now.AddYears(5);
        return request.Create(
            root.Certificate.SubjectName, X509SignatureGenerator.CreateForECDsa(root.Key), Earliest(now, root.Certificate),
            until < root.Certificate.Ends() ? until : root.Certificate.Ends(), NewSerial());
    }

    private static CertificateRequest AuthorityRequest(string name, ECDsa key, int pathLength)
    {
        var request = new CertificateRequest(NameOf(name), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, pathLength, critical: true));
        const X509KeyUsageFlags Usage = X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign | X509KeyUsageFlags.DigitalSignature;
        request.CertificateExtensions.Add(new X509KeyUsageExtension(Usage, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        return request;
    }

    private static (X509Certificate2 Certificate, ECDsa Key) Make(PkiFiles files, string name, Func<ECDsa, X509Certificate2> make)
    {
        var key = ReadOrMakeKey(files, name);
        var certificate = make(key);
        files.Write(name + ".pem", certificate.ExportCertificatePem() + "\n");
        return (X509Certificate2.CreateFromPem(certificate.ExportCertificatePem()), key);
    }

    private static (X509Certificate2 Certificate, ECDsa Key)? ReadPair(PkiFiles files, string name)
    {
        if (files.Read(name + ".pem") is not { } pem || files.Read(name + ".key") is null) return null;
        return (X509Certificate2.CreateFromPem(pem), ReadOrMakeKey(files, name));
    }

    private static ECDsa ReadOrMakeKey(PkiFiles files, string name)
    {
        var key = IdentityKeys.NewKey();
        if (files.Read(name + ".key") is { } pem) key.ImportFromPem(pem);
        else files.Write(name + ".key", key.ExportPkcs8PrivateKeyPem() + "\n");
        return key;
    }

    // The time before which a certificate isn't valid: a while back, for clocks that are late, and never before its issuer's.
    private static DateTimeOffset Earliest(DateTimeOffset now, X509Certificate2 issuer) => now - Skew > issuer.Begins() ? now - Skew : issuer.Begins();

    private static X500DistinguishedName NameOf(string commonName)
    {
        var builder = new X500DistinguishedNameBuilder();
        builder.AddCommonName(commonName);
        return builder.Build();
    }

    private static byte[] NewSerial()
    {
        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] &= 0x7F;
        if (serial[0] == 0) serial[0] = 1;
        return serial;
    }
}
