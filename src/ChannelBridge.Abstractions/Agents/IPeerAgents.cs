using ChannelBridge.Abstractions.Hosting;

namespace ChannelBridge.Abstractions.Agents;

/// <summary>
/// Says which agent answers a peer that a channel knows: a channel whose members call this host as peers of another channel. The first source that names one counts;
/// without one, the other channel's settings say it.
/// </summary>
public interface IPeerAgents : IContributor
{
    /// <summary>The agent that answers where the peer names none; null: this source doesn't know the peer, or has nothing to say. From memory.</summary>
    /// <param name="peer">The name by which the peer was let in.</param>
    string? AgentFor(string peer);
}
