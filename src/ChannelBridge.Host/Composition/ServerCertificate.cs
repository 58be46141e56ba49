using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Host.Composition;

/// <summary>
/// The certificate of https addresses, with its chain. Read again on SIGHUP; connections that there are keep the one that they began with.
/// </summary>
internal sealed class ServerCertificate
{
    private readonly string _file;
    private readonly string? _keyFile;
    private volatile SslStreamCertificateContext _context;

    private ServerCertificate(string file, string? keyFile)
    {
        _file = file;
        _keyFile = keyFile;
        _context = Read();
    }

    /// <summary>What new connections are shown.</summary>
    public SslStreamCertificateContext Context => _context;

    /// <summary>The certificate of the settings; null when they name none.</summary>
    /// <exception cref="HostStartException">It can't be used.</exception>
    public static ServerCertificate? Open(HostSettings settings)
    {
        if (settings.CertificateFile is not { } file) return null;
        try
        {
            return new ServerCertificate(file, settings.CertificateKeyFile);
        }
        catch (Exception fault) when (IsUnusable(fault))
        {
            throw new HostStartException(
                ExitCodes.Settings, $"Listen:CertificateFile: {file} can't be used: {fault.Message}\nit must be PEM with the "
                    + "certificate and its chain; the key in the same file or in Listen:CertificateKeyFile", fault);
        }
    }

    /// <summary>True for the faults of a file that is no certificate, or doesn't fit its key.</summary>
    public static bool IsUnusable(Exception fault) =>
        fault is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException;

    /// <summary>Reads the files again; on a failure the certificate of before stays.</summary>
    public DateTimeOffset Reload()
    {
        _context = Read();
        return new DateTimeOffset(_context.TargetCertificate.NotAfter);
    }

    private SslStreamCertificateContext Read()
    {
        var certificate = X509Certificate2.CreateFromPemFile(_file, _keyFile);
        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(_file);
        return SslStreamCertificateContext.Create(certificate, chain, offline: true);
    }
}
