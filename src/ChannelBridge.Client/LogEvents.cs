namespace ChannelBridge.Client;

/// <summary>The ids of the log events of this assembly, in one list. An id is never used twice, and never given to another event.</summary>
internal static class LogEvents
{
    public const int BncrBridgeClientResend = 19001;
    public const int BncrBridgeClientMissed = 19002;
    public const int BncrBridgeClientUnreadable = 19003;
    public const int BncrBridgeClientDeliveryFailed = 19004;
    public const int BncrBridgeClientAckFailed = 19005;
    public const int BncrBridgeClientHeartbeatFailed = 19006;
    public const int FileReceiverFailed = 19007;
    public const int FileReceiverAckFailed = 19008;
    public const int ChannelBridgeClientConnected = 19009;
    public const int ChannelBridgeClientDisconnected = 19010;
    public const int ChannelBridgeClientConnectFailed = 19011;
    public const int ChannelBridgeClientPairing = 19012;
    public const int ChannelBridgeClientStarting = 19013;
    public const int DeviceLoginNotKept = 19014;
    public const int DeviceLoginTriesStored = 19015;
}
