using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace ChannelBridge.Abstractions.Dialing;

/// <summary>Which servers are trusted over TLS besides those whose certificate comes from a root of the system.</summary>
public sealed record ServerTrust
{
    /// <summary>Further roots, each in DER. A certificate that comes from one of them must still name the host and be valid.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Roots { get; init; } = [];

    /// <summary>True: any certificate passes. For development only; whoever sets it says so in the log.</summary>
    public bool Unchecked { get; init; }

    /// <summary>True when a server's certificate passes: the callback of a TLS client.</summary>
    /// <param name="certificate">What the server has shown.</param>
    /// <param name="chain">With what else it has shown.</param>
    /// <param name="errors">What the system's roots say.</param>
    public bool Accepts(X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (Unchecked || errors == SslPolicyErrors.None) return true;
        // Of another name, or none at all: no root makes that good.
        if (errors != SslPolicyErrors.RemoteCertificateChainErrors || certificate is null || Roots.Count == 0) return false;
        using var leaf = X509CertificateLoader.LoadCertificate(certificate.GetRawCertData());
        using var own = new X509Chain();
        own.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        own.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        own.ChainPolicy.DisableCertificateDownloads = true;
        var roots = new List<X509Certificate2>();
        try
        {
            foreach (var root in Roots) roots.Add(X509CertificateLoader.LoadCertificate(root.Span));
            foreach (var root in roots) own.ChainPolicy.CustomTrustStore.Add(root);
            foreach (var element in chain?.ChainElements ?? Enumerable.Empty<X509ChainElement>()) own.ChainPolicy.ExtraStore.Add(element.Certificate);
            if (chain is not null) own.ChainPolicy.ExtraStore.AddRange(chain.ChainPolicy.ExtraStore);
            return own.Build(leaf);
        }
        finally
        {
            foreach (var root in roots) root.Dispose();
        }
    }
}
