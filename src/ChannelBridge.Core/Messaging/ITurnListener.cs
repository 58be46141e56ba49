using ChannelBridge.Core.Agents;

namespace ChannelBridge.Core.Messaging;

/// <summary>
/// Hears what happens in turns while it happens: a channel that shows partial text or a typing sign. Best effort: nothing of it is durable, a repeated
/// turn repeats it, and a listener must neither block nor throw.
/// </summary>
public interface ITurnListener
{
    /// <summary>The turn gave a partial text or a typing sign; finished replies come through the outbox.</summary>
    void OnTurnEvent(AgentTurn turn, AgentEvent agentEvent);
}
