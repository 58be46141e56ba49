using System.Security.Cryptography.X509Certificates;

namespace ChannelBridge.Channels.Aun.Pki;

/// <summary>From when and until when a certificate is valid, as moments; the platform gives local times.</summary>
internal static class CertificateTimes
{
    /// <summary>Until when.</summary>
    public static DateTimeOffset Ends(this X509Certificate2 certificate) => new(certificate.NotAfter);

    /// <summary>From when.</summary>
    public static DateTimeOffset Begins(this X509Certificate2 certificate) => new(certificate.NotBefore);
}
