using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ChannelBridge.Abstractions.Dialing;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>The roots of an account, and whether a certificate comes from one of them.</summary>
internal sealed class PkiTrust(IReadOnlyList<X509Certificate2> roots, TimeProvider time)
{
    private const int LongestFile = 1 << 20;
    private const int MostInChain = 8;

    /// <summary>How many roots there are.</summary>
    public int Count => roots.Count;

    /// <summary>Reads the roots: a PEM file with one or more, or a folder of such files.</summary>
    /// <exception cref="AunCallException">There is none.</exception>
    public static PkiTrust Load(string? path, TimeProvider time)
    {
        if (path is null) throw Refused("no root certificate is trusted: name the gateway's root by RootCaPath, or --root-ca");
        try
        {
            string[] files = Directory.Exists(path)
                ? [.. Directory.EnumerateFiles(path).Where(static file => Path.GetExtension(file) is ".pem" or ".crt" or ".cer").Order(StringComparer.Ordinal)]
                : [path];
            var roots = new List<X509Certificate2>();
            foreach (var file in files)
            {
                if (new FileInfo(file).Length > LongestFile) throw Refused($"{file} is too large to be a root certificate");
                var read = new X509Certificate2Collection();
                read.ImportFromPem(File.ReadAllText(file));
                roots.AddRange(read);
            }

            return roots.Count > 0 ? new PkiTrust(roots, time) : throw Refused($"there is no root certificate in {path}");
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw Refused($"the root certificates in {path} can't be read: {fault.Message}");
        }
    }

    /// <summary>How TLS servers are checked: by the system's roots and these, or not at all.</summary>
    public ServerTrust ForTls(bool isDevelopment) => new() { Unchecked = isDevelopment, Roots = [.. roots.Select(static root => (ReadOnlyMemory<byte>)root.RawData)] };

    /// <summary>A certificate, if its chain ends in a trusted root.</summary>
    /// <param name="pem">The certificate.</param>
    /// <param name="chainPem">What lies between it and the root.</param>
    /// <param name="aid">Whose it must be; null: anybody's.</param>
    /// <exception cref="AunCallException">It isn't to be trusted, and why.</exception>
    public X509Certificate2 Verify(string pem, string chainPem, string? aid)
    {
        var leaf = Verify(pem, chainPem, aid, out var issuer);
        issuer.Dispose();
        return leaf;
    }

    /// <summary>The same, with the certificate that has issued it.</summary>
    /// <param name="pem">The certificate.</param>
    /// <param name="chainPem">What lies between it and the root.</param>
    /// <param name="aid">Whose it must be; null: anybody's.</param>
    /// <param name="issuer">Who has signed it.</param>
    /// <exception cref="AunCallException">It isn't to be trusted, and why.</exception>
    public X509Certificate2 Verify(string pem, string chainPem, string? aid, out X509Certificate2 issuer)
    {
        X509Certificate2? leaf = null;
        var between = new X509Certificate2Collection();
        try
        {
            leaf = X509Certificate2.CreateFromPem(pem);
            between.ImportFromPem(chainPem);
            if (between.Count > MostInChain) throw Refused("the chain is too long");
            if (aid is not null && leaf.GetNameInfo(X509NameType.SimpleName, forIssuer: false) != aid) throw Refused("the certificate is somebody else's");
            issuer = Check(leaf, between);
            var result = leaf;
            leaf = null;
            return result;
        }
        catch (Exception fault) when (fault is CryptographicException or ArgumentException)
        {
            throw Refused("the certificate can't be read");
        }
        finally
        {
            leaf?.Dispose();
            foreach (var one in between) one.Dispose();
        }
    }

    /// <summary>An error that ends the account: whoever is on the other side, it isn't who it should be.</summary>
    public static AunCallException Refused(string why) => AunCallException.Make(AunErrorClass.Auth, 0, $"certificate: {why}");

    private X509Certificate2 Check(X509Certificate2 leaf, X509Certificate2Collection between)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTime = time.GetUtcNow().UtcDateTime;
        chain.ChainPolicy.VerificationTimeIgnored = false;
        foreach (var root in roots) chain.ChainPolicy.CustomTrustStore.Add(root);
        chain.ChainPolicy.ExtraStore.AddRange(between);
        if (!chain.Build(leaf))
            throw Refused($"it isn't valid ({string.Join(", ", chain.ChainStatus.Select(static one => one.Status.ToString()).Distinct())})");
        var end = chain.ChainElements[^1].Certificate;
        // Byte for byte: a root of the same name and another key, or the same key and other words, is another root.
        if (!roots.Any(root => root.RawData.AsSpan().SequenceEqual(end.RawData))) throw Refused("its chain ends in a root that isn't trusted");
        return X509CertificateLoader.LoadCertificate(chain.ChainElements[Math.Min(1, chain.ChainElements.Count - 1)].Certificate.RawData);
    }
}
