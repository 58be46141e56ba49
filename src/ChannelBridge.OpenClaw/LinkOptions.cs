namespace ChannelBridge.OpenClaw;

/// <summary>Bounds and time-outs of the link to the OpenClaw plugin. Section <c>Agents:openclaw</c>.</summary>
public sealed class LinkOptions
{
    /// <summary>
    /// Longest time for one turn of the gateway's agent; then the gateway is told to cancel it and the message is given up with a notice
    /// to the user. (The gateway drops a message that it has seen, so trying again would answer nothing.) Default 9.5 minutes: a little
    /// less than <c>Limits:TurnTimeout</c>, which ends turns of any agent.
    /// </summary>
    public TimeSpan TurnTimeout { get; set; } = TimeSpan.FromMinutes(9.5);

    /// <summary>How long the gateway may take to answer a call (start a turn, admit a sender, push an event). Default 15 s.</summary>
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Gateway connections that one link may speak for. Default 10,000.</summary>
    public int MaxConnections { get; set; } = 10_000;

    /// <summary>Turns remembered for the replies that name them. Default 8,192.</summary>
    public int RecentTurns { get; set; } = 8_192;

    /// <summary>How long a turn that ended without a reply may still be answered with reference to its message. Default 7 days.</summary>
    public TimeSpan LateReplies { get; set; } = TimeSpan.FromDays(7);
}
