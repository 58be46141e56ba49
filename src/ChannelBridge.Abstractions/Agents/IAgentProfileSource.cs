using ChannelBridge.Abstractions.Hosting;

namespace ChannelBridge.Abstractions.Agents;

/// <summary>How this host, or one of its agents, is called for agents of other hosts.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Description">What it is for.</param>
public sealed record AgentProfile(string Name, string Description);

/// <summary>
/// Says how this host and its agents are called on cards and in directories: a channel whose users give themselves a name and a description. The first source that has
/// an answer counts; without one, the settings say it.
/// </summary>
public interface IAgentProfileSource : IContributor
{
    /// <summary>The host's own profile, or null. From memory; asked for each card.</summary>
    AgentProfile? Profile { get; }

    /// <summary>An agent's profile, or null.</summary>
    AgentProfile? ProfileOf(string agent) => null;
}
