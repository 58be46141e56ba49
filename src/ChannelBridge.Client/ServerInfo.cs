namespace ChannelBridge.Client;

/// <summary>What the host said of itself when the connection was opened.</summary>
public sealed record ServerInfo
{
    /// <summary>The host's version; empty where the door doesn't tell.</summary>
    public string Version { get; init; } = "";

    /// <summary>The connection's id at the host; empty where the door doesn't tell.</summary>
    public string ConnectionId { get; init; } = "";

    /// <summary>The methods that this caller may use; empty where the door doesn't tell.</summary>
    public IReadOnlyList<string> Methods { get; init; } = [];

    /// <summary>The scopes that were granted; empty where the door doesn't tell.</summary>
    public IReadOnlyList<string> Scopes { get; init; } = [];

    /// <summary>The largest message to the host, in bytes.</summary>
    public int MaxPayload { get; init; } = 26_214_400;
}
