namespace ChannelBridge.Client;

/// <summary>Where a client is in its life.</summary>
public enum ClientState
{
    /// <summary>Made, not yet connected.</summary>
    Created,

    /// <summary>The first connection is being opened.</summary>
    Connecting,

    /// <summary>Connected and authenticated.</summary>
    Connected,

    /// <summary>The connection was lost; a new one is being opened. Calls wait.</summary>
    Reconnecting,

    /// <summary>The host refused for good, or the connection was lost and <see cref="ChannelBridgeClientOptions.Reconnect"/> is off.</summary>
    Failed,

    /// <summary>Disposed.</summary>
    Closed,
}

/// <summary>Tells a new state.</summary>
/// <param name="state">The state.</param>
public sealed class ClientStateChangedEventArgs(ClientState state) : EventArgs
{
    /// <summary>The state.</summary>
    public ClientState State { get; } = state;
}
