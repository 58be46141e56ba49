namespace ChannelBridge.Storage.Postgres;

/// <summary>The ids of the log events of this assembly, in one list. An id is never used twice, and never given to another event.</summary>
internal static class LogEvents
{
    public const int PostgresClaimsRegistered = 3101;
    public const int PostgresClaimsLost = 3102;
    public const int PostgresClaimsNotRenewed = 3103;
    public const int PostgresClaimsLeft = 3104;
    public const int PostgresClaimsNotLeft = 3105;
    public const int PostgresClaimsWorkFailed = 3106;
    public const int PostgresClaimsDeaf = 3107;
    public const int PostgresClaimsGone = 3108;
    public const int PostgresClaimsNotCounted = 3109;
    public const int PostgresStoreOpened = 14001;
    public const int PostgresWriterCollision = 14002;
}
