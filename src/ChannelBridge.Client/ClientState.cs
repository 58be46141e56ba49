using ChannelBridge.Client.Devices;

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

    /// <summary>
    /// This device must be approved by an operator first; <see cref="ChannelBridgeClient.Pairing"/> has the request. The client goes on as soon as it is. Calls wait.
    /// </summary>
    WaitingForApproval,
}

/// <summary>Tells a new state.</summary>
/// <param name="state">The state.</param>
/// <param name="pairing">The request that waits for an approval, or null.</param>
public sealed class ClientStateChangedEventArgs(ClientState state, PairingRequest? pairing = null) : EventArgs
{
    /// <summary>The state.</summary>
    public ClientState State { get; } = state;

    /// <summary>The request that waits, with its id for the operator; only in <see cref="ClientState.WaitingForApproval"/>.</summary>
    public PairingRequest? Pairing { get; } = pairing;
}
