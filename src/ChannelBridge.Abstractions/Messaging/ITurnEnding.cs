using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Abstractions.Messaging;

/// <summary>
/// Lets a channel write its own state in the commit that ends a turn of its messages, well or badly: a task that is done is done in the same moment as its
/// turn, whatever crashes. In the host's process only.
/// </summary>
public interface ITurnEnding : IContributor
{
    /// <summary>The channel whose turns it hears of.</summary>
    string Channel { get; }

    /// <summary>
    /// A turn is about to end for good: the channel says what is to be written with that. It may be asked more than once for one turn, when a host crashes
    /// before the commit; what it gave is written at most once, and only by the host that ends the turn. A retry is no end.
    /// </summary>
    /// <param name="ending">How it ends, with everything that was said in it.</param>
    /// <param name="cancellationToken">The host is stopping; the turn will end after its next start.</param>
    /// <returns>
    /// What to write; empty for nothing. A retryable <see cref="Errors.BridgeException"/> is tried again; after any other exception the turn ends without the
    /// channel's writes, and the log says so.
    /// </returns>
    ValueTask<IReadOnlyList<RecordWrite>> EndAsync(TurnEnding ending, CancellationToken cancellationToken);
}

/// <summary>How a turn ended.</summary>
public sealed record TurnEnding
{
    /// <summary>The turn. A message that was never handed to an agent has the attempt 0.</summary>
    public required AgentTurn Turn { get; init; }

    /// <summary>How it ended.</summary>
    public required TurnOutcome Outcome { get; init; }

    /// <summary>Why the agent stopped, with <see cref="TurnOutcome.Completed"/>.</summary>
    public FinishReason Finish { get; init; }

    /// <summary>
    /// The finished messages of its last attempt, in order, silent ones not among them. With <see cref="ReplyWay.Channel"/> they are the channel's to keep:
    /// they are nowhere else.
    /// </summary>
    public IReadOnlyList<AgentReply> Replies { get; init; } = [];

    /// <summary>Its results, in the order in which they came; pieces of one text are one. With <see cref="ReplyWay.Channel"/>, as above.</summary>
    public IReadOnlyList<AgentArtifact> Artifacts { get; init; } = [];

    /// <summary>With <see cref="TurnOutcome.Failed"/>: one of <see cref="Errors.ErrorCodes"/>.</summary>
    public string? ErrorCode { get; init; }

    /// <summary>With <see cref="TurnOutcome.Failed"/>: why, in plain words without secrets.</summary>
    public string? Error { get; init; }
}

/// <summary>How turns end.</summary>
public enum TurnOutcome
{
    /// <summary>The agent came to its end.</summary>
    Completed,

    /// <summary>The message was given up and is a dead letter.</summary>
    Failed,

    /// <summary>Somebody has cancelled it.</summary>
    Cancelled,
}
