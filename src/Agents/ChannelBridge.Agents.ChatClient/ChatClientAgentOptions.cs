using ChannelBridge.Abstractions.Agents;

namespace ChannelBridge.Agents.ChatClient;

/// <summary>What may be set of an agent that is an <c>IChatClient</c>.</summary>
public sealed class ChatClientAgentOptions
{
    /// <summary>What the model is told before each conversation, before a request's own instructions; null: nothing.</summary>
    public string? Instructions { get; set; }

    /// <summary>The model that is asked for, whatever a request names; null: the client's own.</summary>
    public string? Model { get; set; }

    /// <summary>How much of a channel's conversation the host keeps for it; null for a client that remembers by itself. Default 40 messages, 64 Ki characters, 30 days.</summary>
    public AgentMemory? Memory { get; set; } = new(40, 64 * 1024, TimeSpan.FromDays(30));
}
