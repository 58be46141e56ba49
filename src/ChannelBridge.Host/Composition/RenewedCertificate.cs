using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Host.Composition;

/// <summary>
/// A certificate and its key from their files. A renewed one is taken with the next handshake, a second later at most; when it can't be read, the old one
/// stays and the log says so.
/// </summary>
internal sealed partial class RenewedCertificate(string certificateFile, string? keyFile, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private SslStreamCertificateContext _current = Load(certificateFile, keyFile);
    private (DateTime, DateTime) _stamp = Stamp(certificateFile, keyFile);
    private long _lookedAt = time.GetTimestamp();

    /// <summary>Checks the certificate of the settings, if they name one, before anything is opened.</summary>
    /// <exception cref="HostStartException">It can't be used.</exception>
    public static void Check(HostSettings settings)
    {
        if (settings.CertificateFile is not { } file) return;
        try
        {
            Load(file, settings.CertificateKeyFile);
        }
        catch (Exception fault) when (IsUnusable(fault))
        {
            throw new HostStartException(
                ExitCodes.Settings, $"Listen:CertificateFile: {file} can't be used: {fault.Message}\nit must be PEM with the "
                    + "certificate and its chain; the key in the same file or in Listen:CertificateKeyFile", fault);
        }
    }

    /// <summary>The certificate as it is now.</summary>
    public SslStreamCertificateContext Current
    {
        get
        {
            lock (_gate)
            {
                if (time.GetElapsedTime(_lookedAt) < Pause) return _current;
                _lookedAt = time.GetTimestamp();
                try
                {
                    var stamp = Stamp(certificateFile, keyFile);
                    if (stamp == _stamp) return _current;
                    _stamp = stamp;
                    _current = Load(certificateFile, keyFile);
                    LogRenewed(certificateFile, _current.TargetCertificate.NotAfter);
                }
                catch (Exception fault) when (IsUnusable(fault))
                {
                    LogNotRenewed(certificateFile, fault.Message.ReplaceLineEndings(" "));
                }

                return _current;
            }
        }
    }

    /// <summary>True for the faults of a file that is no certificate, or doesn't fit its key.</summary>
    private static bool IsUnusable(Exception fault) => fault is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException;

    private static (DateTime, DateTime) Stamp(string certificateFile, string? keyFile) =>
        (File.GetLastWriteTimeUtc(certificateFile), keyFile is null ? default : File.GetLastWriteTimeUtc(keyFile));

    private static SslStreamCertificateContext Load(string certificateFile, string? keyFile)
    {
        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(certificateFile);
        // Offline: what a client needs stands in the file, and a handshake must not wait for a download.
        return SslStreamCertificateContext.Create(X509Certificate2.CreateFromPemFile(certificateFile, keyFile), chain, offline: true);
    }

    [LoggerMessage(EventId = LogEvents.RenewedCertificateRenewed, Level = LogLevel.Information, Message = "Took the renewed certificate {File}, good until {Until}")]
    private partial void LogRenewed(string file, DateTime until);

    [LoggerMessage(EventId = LogEvents.RenewedCertificateNotRenewed, Level = LogLevel.Warning,
        Message = "The certificate {File} has changed and can't be read; the old one stays: {Reason}")]
    private partial void LogNotRenewed(string file, string reason);
}
