using ChannelBridge.Core.Errors;
using ChannelBridge.Core.Messaging;

namespace ChannelBridge.Core.Agents;

/// <summary>
/// Answers messages. It is called at least once per message: after a crash the same turn, with the same <see cref="AgentTurn.Id"/>, runs again.
/// </summary>
public interface IAgent
{
    /// <summary>The name by which settings and messages choose it.</summary>
    string Name { get; }

    /// <summary>
    /// Completes when the agent can take turns (at once, for most). While it isn't complete, its messages wait in the inbox; no other agent
    /// steps in.
    /// </summary>
    Task WaitUntilAvailableAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Runs one turn. Events come as they happen; the end of the sequence is the end of the turn. Each <see cref="AgentReply"/> becomes an
    /// outbox entry under the key <c>turn id + ordinal</c>, so a repeated turn must give its replies in the same order.
    /// </summary>
    /// <exception cref="BridgeException">The turn failed; <see cref="BridgeException.Retryable"/> says whether it runs again.</exception>
    IAsyncEnumerable<AgentEvent> RunAsync(AgentTurn turn, CancellationToken cancellationToken);
}

/// <summary>One turn: a message to answer.</summary>
/// <param name="Id">The inbox id, stable over restarts.</param>
/// <param name="Message">The message.</param>
/// <param name="Attempt">1 for the first try.</param>
public sealed record AgentTurn(Guid Id, InboundMessage Message, int Attempt);

/// <summary>Something that happens in a turn.</summary>
public abstract record AgentEvent;

/// <summary>More of the answer's text, to show while it grows: a suffix, never a snapshot. Not durable.</summary>
/// <param name="Suffix">The text that is new.</param>
public sealed record AgentPartial(string Suffix) : AgentEvent;

/// <summary>The agent is at work (typing); not durable.</summary>
public sealed record AgentTyping : AgentEvent
{
    /// <summary>The one instance.</summary>
    public static AgentTyping Instance { get; } = new();
}

/// <summary>A finished message of the answer.</summary>
/// <param name="Text">Its text.</param>
/// <param name="Kind"><c>final</c>, <c>block</c> or <c>tool</c>.</param>
/// <param name="Attachment">A file that goes with it, or null.</param>
public sealed record AgentReply(string Text, string Kind = "final", Attachment? Attachment = null) : AgentEvent;
