namespace ChannelBridge.Channels.Juji;

/// <summary>The ids of the log events of this assembly, in one list. An id is never used twice, and never given to another event.</summary>
internal static class LogEvents
{
    public const int ConnectorConnected = 5401;
    public const int ConnectorDisconnected = 5402;
    public const int ConnectorReconnecting = 5403;
    public const int ConnectorRegistered = 5404;
    public const int ConnectorRefused = 5405;
    public const int ConnectorGarbage = 5406;
    public const int JujiAccountFailed = 5411;
    public const int PushDeskDropped = 5421;
    public const int PushDeskNotTaken = 5422;
    public const int AnswerBookNotSettled = 5431;
    public const int ActionDeskFailed = 5441;
    public const int CommunityNotTold = 5451;
    public const int ConnectionHubFailed = 5461;
}
