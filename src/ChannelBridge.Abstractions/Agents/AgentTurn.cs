using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Abstractions.Agents;

/// <summary>One turn: a message to answer.</summary>
/// <param name="Id">The inbox id, stable over restarts; of an Open Responses request its own id.</param>
/// <param name="Message">The message. For an Open Responses request: the last user message, so that an agent that knows only texts answers it, too.</param>
/// <param name="Attempt">1 for the first try.</param>
public sealed record AgentTurn(Guid Id, InboundMessage Message, int Attempt)
{
    /// <summary>
    /// What an Open Responses client asked: the whole conversation (earlier turns included, nothing left to look up), tools, sampling. Null for a
    /// channel's message: then an agent without a memory of its own is given the conversation by the host.
    /// </summary>
    public ResponseRequest? Request { get; init; }

    /// <summary>
    /// What was said in the lane before a channel's message, oldest first, for an agent that asks for it by <see cref="IAgent.Memory"/>. Empty when there
    /// is a <see cref="Request"/>, which carries its own conversation.
    /// </summary>
    public IReadOnlyList<MessageItem> History { get; init; } = [];

    /// <summary>What the host's parts (<see cref="ITurnInstructions"/>) have the agent told behind its own instructions; null: nothing.</summary>
    public string? Instructions { get; init; }

    /// <summary>
    /// Signalled when the turn was cancelled for good: an agent that works elsewhere tells it there. A stop of the host ends the run as well, without this: then
    /// the turn runs again.
    /// </summary>
    public CancellationToken Cancelled { get; init; }
}
