namespace ChannelBridge.Abstractions.Messaging;

/// <summary>
/// How a channel wants the turn of one of its messages run. What it doesn't say, the host's <c>Limits:*</c> and the agent say.
/// </summary>
public sealed record TurnRules
{
    /// <summary>The longest that the turn may take; goes before <c>Limits:TurnTimeout</c> and before the agent's own time-out.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>How long retryable failures of the agent are tried again; goes before <c>Limits:TurnPatience</c>.</summary>
    public TimeSpan? Patience { get; init; }

    /// <summary>What the user is told when the message is given up; empty means silence.</summary>
    public string? FailureNotice { get; init; }

    /// <summary>False: a text of this sender is never a command of an agent, whatever it begins with.</summary>
    public bool? Commands { get; init; }

    /// <summary>
    /// True: the sender is an agent, which may answer each answer for ever. Its turns are held where they are more than <c>Limits:AgentTurnsPerMinute</c>.
    /// </summary>
    public bool SenderIsAgent { get; init; }

    /// <summary>Where the turn's replies go.</summary>
    public ReplyWay Replies { get; init; }
}

/// <summary>Where the replies of a turn go.</summary>
public enum ReplyWay
{
    /// <summary>Into the outbox, from which they are pushed to the channel's clients.</summary>
    Outbox,

    /// <summary>To the channel itself, in the turn, and none of them into the outbox: somebody waits for them.</summary>
    Channel,
}
