namespace ChannelBridge.Channels.Juji.Connector;

/// <summary>Where an account's connection is. On the wire the names are lower case.</summary>
internal enum ConnectorState
{
    /// <summary>Another host of this store has the account.</summary>
    Waiting,

    /// <summary>Registers or connects.</summary>
    Connecting,

    /// <summary>Up.</summary>
    Connected,

    /// <summary>Waits for the next attempt.</summary>
    Reconnecting,

    /// <summary>The community has refused it, with a new token, too; it is tried again later.</summary>
    Refused,

    /// <summary>The channel has stopped.</summary>
    Closed,
}
