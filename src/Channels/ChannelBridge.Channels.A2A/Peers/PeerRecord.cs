namespace ChannelBridge.Channels.A2A.Peers;

/// <summary>What is kept of a peer beside its token.</summary>
internal sealed record PeerRecord
{
    /// <summary>Where it answers itself, or null.</summary>
    public string? Url { get; init; }

    /// <summary>The file whose first line is the key that it wants to see, or null. The key itself is kept nowhere else.</summary>
    public string? OutboundKeyFile { get; init; }

    /// <summary>When it was added (Unix ms).</summary>
    public long AddedAt { get; init; }
}
