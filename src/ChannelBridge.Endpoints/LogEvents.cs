namespace ChannelBridge.Endpoints;

/// <summary>The ids of the log events of this assembly, in one list. An id is never used twice, and never given to another event.</summary>
internal static class LogEvents
{
    public const int HttpAccessRefused = 4501;
    public const int ResponsesEndpointFault = 4511;
    public const int ResponsesConnectionFault = 4521;
    public const int ContributedEndpointsFault = 4601;
    public const int SocketServerFault = 4602;
    public const int SocketPeerFault = 4603;
    public const int AuditFailed = 11001;
    public const int AuditAuthenticated = 11002;
    public const int AuditCommand = 11003;
    public const int ClientConnectionClosing = 11004;
    public const int ClientConnectionEndFailed = 11005;
    public const int ClientConnectionEnded = 11006;
    public const int ClientConnectionRequestFailed = 11007;
    public const int ClientConnectionOpened = 11008;
    public const int ClientConnectionBroken = 11009;
    public const int ClientConnectionBinaryFailed = 11010;
    public const int ClientConnectionReaderFailed = 11011;
    public const int LocalEndpointRefused = 11012;
    public const int NamedPipeEndpointAcceptFailed = 11013;
    public const int NamedPipeEndpointServeFailed = 11014;
    public const int StdioEndpointEnded = 11015;
    public const int StdioEndpointServeFailed = 11016;
    public const int UnixSocketEndpointStaleRemoved = 11017;
    public const int UnixSocketEndpointAcceptFailed = 11018;
    public const int UnixSocketEndpointServeFailed = 11019;
    public const int WebSocketEndpointForeignOrigin = 11020;
    public const int WebSocketEndpointWrongBearer = 11021;
    public const int EndpointDoorsOpened = 11022;
    public const int EndpointDoorsClosing = 11023;
}
