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
    public const int EndpointNewsNotRead = 6414;
    public const int EndpointNewsNotTold = 6415;
    public const int EndpointAgentRefused = 6421;
    public const int EndpointAgentFault = 6422;
    public const int EndpointAgentNameTaken = 6424;
    public const int EndpointPrekeyFault = 6423;
    public const int EndpointCertificateFault = 6425;
    public const int ConnectorConnected = 6601;
    public const int ConnectorDisconnected = 6602;
    public const int ConnectorReconnecting = 6603;
    public const int ConnectorEnded = 6604;
    public const int ConnectorCreated = 6605;
    public const int ConnectorUnchecked = 6606;
    public const int ConnectorNoPrekey = 6607;
    public const int ConnectorAccountFailed = 6611;
    public const int ConnectorRefused = 6621;
    public const int ConnectorHole = 6631;
    public const int ConnectorHolePassed = 6632;
    public const int ConnectorWentBack = 6633;
    public const int ConnectorNotPulled = 6634;
    public const int ConnectorDeskFailed = 6635;
}
