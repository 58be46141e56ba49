namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>Where an account's connection is, in the words of the SDKs. On the wire the names are lower case with underscores.</summary>
internal enum LinkState
{
    /// <summary>Not begun, or another host of this store has the account.</summary>
    Idle,

    /// <summary>Looks for the gateway and connects.</summary>
    Connecting,

    /// <summary>Logs in.</summary>
    Authenticating,

    /// <summary>Up.</summary>
    Connected,

    /// <summary>Waits for the next attempt.</summary>
    Reconnecting,

    /// <summary>The connection has ended, the next attempt hasn't begun.</summary>
    Disconnected,

    /// <summary>The gateway has said that it is no use, or isn't who it should be: until somebody has looked at it.</summary>
    TerminalFailed,

    /// <summary>The channel has stopped.</summary>
    Closed,
}
