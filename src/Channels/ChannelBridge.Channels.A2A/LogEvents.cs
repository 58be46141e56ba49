namespace ChannelBridge.Channels.A2A;

/// <summary>The ids of the log events of this assembly, in one list. An id is never used twice, and never given to another event.</summary>
internal static class LogEvents
{
    public const int A2AServiceFault = 5301;
    public const int PushSenderNotSettled = 5311;
    public const int A2AChannelNotSettled = 5312;
    public const int A2AChannelLookFailed = 5313;
}
