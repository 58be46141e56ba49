namespace ChannelBridge.Host;

/// <summary>The ids of the log events of this assembly, in one list. An id is never used twice, and never given to another event.</summary>
internal static class LogEvents
{
    public const int ParentWatchParentGone = 5101;
    public const int ParentWatchBroken = 5102;
    public const int ReloaderReloaded = 5111;
    public const int ReloaderNotReloaded = 5112;
    public const int RenewedCertificateRenewed = 20001;
    public const int RenewedCertificateNotRenewed = 20002;
}
