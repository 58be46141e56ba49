namespace ChannelBridge.OpenClaw;

/// <summary>The ids of the log events of this assembly, in one list. An id is never used twice, and never given to another event.</summary>
internal static class LogEvents
{
    public const int LinkSessionEstablished = 4301;
    public const int LinkSessionReplaced = 4302;
    public const int LinkSessionLost = 4303;
    public const int LinkSessionOldPackage = 4304;
    public const int OpenClawAgentCancelFailed = 4311;
    public const int OpenClawAgentLate = 4312;
    public const int LinkNoticesAckFailed = 4321;
}
