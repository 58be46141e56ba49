using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Hosting;

namespace ChannelBridge.Abstractions.Messaging;

/// <summary>
/// Hears what happens in turns while it happens: a channel that shows partial text or a typing sign. Best effort: nothing of it is durable, a repeated
/// turn repeats it, and a listener must neither block nor throw.
/// </summary>
public interface ITurnListener : IContributor
{
    /// <summary>
    /// Something happened in a turn. Finished replies are heard here before they are durable, so that what was shown of them can be completed; they are
    /// delivered through the outbox.
    /// </summary>
    /// <param name="turn">The turn.</param>
    /// <param name="ordinal">Which message of the answer it belongs to, 0 for the first: <see cref="MessageIds.ForReply"/> is that message's id.</param>
    /// <param name="agentEvent">What happened.</param>
    void OnTurnEvent(AgentTurn turn, int ordinal, AgentEvent agentEvent);

    /// <summary>
    /// The turn is over; nothing more comes of this attempt. Also told of a turn that no agent was asked for: one that was cancelled while it waited, or given up.
    /// </summary>
    /// <param name="turn">The turn.</param>
    /// <param name="failed">True when it came to no end: what was shown of a message that has no reply is void.</param>
    void OnTurnEnded(AgentTurn turn, bool failed);
}
