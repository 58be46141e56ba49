namespace ChannelBridge.Core;

/// <summary>The ids of the log events of this assembly. An id is never used twice and never given to another event.</summary>
internal static class CoreEvents
{
    public const int Stopping = 1001;
    public const int ChannelStopFailed = 1002;
    public const int ChannelStartFailed = 1003;
    public const int TokensInTouch = 1101;
    public const int TokensOutOfTouch = 1102;
    public const int TokensClosed = 1103;
    public const int AuditFailed = 1104;
}
