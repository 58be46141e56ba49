namespace ChannelBridge.Channels.Aun;

/// <summary>
/// The ids of the log events of this assembly, in one list. An id is never used twice, and never given to another event. 6401 to 6599 are the endpoint's, 6600 to 6799
/// those of sealing and the connector.
/// </summary>
internal static class LogEvents
{
    public const int EndpointPkiMade = 6401;
    public const int EndpointConnectionFault = 6411;
    public const int EndpointPushFault = 6412;
    public const int EndpointMailboxFault = 6413;
    public const int EndpointAgentRefused = 6421;
    public const int EndpointAgentFault = 6422;
    public const int EndpointAgentNameTaken = 6424;
    public const int EndpointPrekeyFault = 6423;
}
