namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>What became of an account's messages since the host's start.</summary>
internal sealed class InboundCounts
{
    /// <summary>Accepted for the agent.</summary>
    public long Accepted;

    /// <summary>There already.</summary>
    public long Duplicates;

    /// <summary>Not given to the agent, with a receipt that says why.</summary>
    public long Refused;

    /// <summary>For another device or slot, or of the account's own.</summary>
    public long NotForUs;

    /// <summary>Numbers that never came, after the gateway has said that they won't.</summary>
    public long HolesPassed;

    /// <summary>Times that the gateway's numbers went back.</summary>
    public long WentBack;

    /// <summary>Pushes that came while too many waited; they are pulled.</summary>
    public long Overflowed;
}
