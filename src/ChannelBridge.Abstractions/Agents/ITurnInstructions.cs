using ChannelBridge.Abstractions.Hosting;

namespace ChannelBridge.Abstractions.Agents;

/// <summary>
/// Adds to what this host's own agents are told before a conversation: what a channel wants done when it suits. The gateway's agent has instructions of its own, and isn't told.
/// </summary>
public interface ITurnInstructions : IContributor
{
    /// <summary>The instructions for a turn, or null. From memory; asked for each turn of a channel's message.</summary>
    string? InstructionsFor(AgentTurn turn);
}
