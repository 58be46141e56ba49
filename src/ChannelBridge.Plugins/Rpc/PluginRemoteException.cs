using StreamJsonRpc;

namespace ChannelBridge.Plugins.Rpc;

/// <summary>
/// An error that the other end answered. <see cref="ToBridgeException"/> is the same error as the rest of the product knows it.
/// </summary>
public sealed class PluginRemoteException : RemoteInvocationException
{
    internal PluginRemoteException(string message, int errorCode, PluginErrorData? data)
        : base(message, errorCode, errorData: data, deserializedErrorData: data) => Reason = data;

    /// <summary>The error's <c>data</c>, or null.</summary>
    internal PluginErrorData? Reason { get; }

    /// <summary>The error with its code, and whether and when to try again.</summary>
    public BridgeException ToBridgeException() => PluginErrors.ToBridge(this);
}
