namespace ChannelBridge.Channels.InstaClaw;

/// <summary>The ids of the log events of this assembly, in one list. An id is never used twice, and never given to another event.</summary>
internal static class LogEvents
{
    public const int BrokerConnectionConnected = 5101;
    public const int BrokerConnectionDisconnected = 5102;
    public const int BrokerConnectionReconnecting = 5103;
    public const int InstaClawAccountProfileChanged = 5111;
    public const int InstaClawAccountPollFailed = 5112;
    public const int ProfileFilesUnreadable = 5121;
    public const int ProfileFilesWasOpen = 5122;
    public const int RegistrarProposed = 5131;
    public const int RegistrarRegistered = 5132;
    public const int RegistrarFailed = 5133;
    public const int RegistrarCancelled = 5134;
    public const int RegistrarFruitless = 5135;
    public const int RequestDeskNotTaken = 5141;
    public const int RequestDeskMalformed = 5142;
    public const int RequestDeskUnfit = 5143;
    public const int RequestDeskRefused = 5144;
    public const int RequestDeskDuplicate = 5145;
    public const int RequestDeskStranger = 5146;
    public const int RequestDeskResumed = 5151;
    public const int RequestDeskRunFailed = 5152;
    public const int RequestDeskNotRecorded = 5161;
    public const int RequestDeskEventsGone = 5162;
    public const int RequestDeskForwardFailed = 5163;
    public const int RequestDeskInstruction = 5171;
}
