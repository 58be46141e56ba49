namespace ChannelBridge.Channels.InstaClaw.Connection;

/// <summary>Where a connection is. On the wire the names are lower case.</summary>
internal enum ConnectionState
{
    /// <summary>No profile yet: there is nothing to connect with.</summary>
    Waiting,

    /// <summary>The first attempt is under way.</summary>
    Connecting,

    /// <summary>Up.</summary>
    Connected,

    /// <summary>Just lost.</summary>
    Disconnected,

    /// <summary>Waits for the next attempt, or makes it.</summary>
    Reconnecting,

    /// <summary>The channel has stopped.</summary>
    Closed,
}
