namespace ChannelBridge.Plugins.Rpc;

/// <summary>The other end broke the protocol so that nothing that follows can be trusted: the connection ends.</summary>
/// <param name="message">What was wrong.</param>
public sealed class PluginProtocolException(string message) : BridgeException(ErrorCodes.InvalidRequest, message);
