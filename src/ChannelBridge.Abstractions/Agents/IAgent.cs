using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Abstractions.Agents;

/// <summary>
/// Answers messages. It is called at least once per message: after a crash the same turn, with the same <see cref="AgentTurn.Id"/>, runs again.
/// </summary>
public interface IAgent
{
    /// <summary>The name by which settings and messages choose it.</summary>
    string Name { get; }

    /// <summary>
    /// How much of a lane's conversation the host is to keep for this agent and to give it as <see cref="AgentTurn.History"/>; null (the default) for one
    /// that remembers by itself or needs no memory.
    /// </summary>
    AgentMemory? Memory => null;

    /// <summary>What diagnostics say of it besides whether it is there: kind, states, counts; never keys or texts. Null: nothing.</summary>
    JsonObject? Describe() => null;

    /// <summary>
    /// True when text that was shown may be taken back (<see cref="AgentRewrite"/>): streams then hold back the last few letters for a moment, so that a small
    /// correction stays invisible. False (default): texts only grow.
    /// </summary>
    bool MayRewrite => false;

    /// <summary>
    /// Completes when the agent can take turns (at once, for most). While it isn't complete, its messages wait in the inbox; no other agent
    /// steps in.
    /// </summary>
    Task WaitUntilAvailableAsync(CancellationToken cancellationToken);

    /// <summary>
    /// True: a turn without an answer is no fault, because the agent's replies reach the outbox by a way of their own, and may come after it. False (default):
    /// an agent that has nothing to say says so by the reply <c>NO_REPLY</c>.
    /// </summary>
    bool AnswersLater(AgentTurn turn) => false;

    /// <summary>
    /// True for a message that is about the turn that runs before it, a word that stops it or a decision that it waits for: it is handed over beside that turn,
    /// as a turn of its own. False (default): each message takes its turn, and the host itself stops a turn on <c>/stop</c>.
    /// </summary>
    bool PassesLine(InboundMessage message) => false;

    /// <summary>True: it reads files of the spool itself. False (default): small ones are given to it as bytes, see <see cref="Messaging.Attachment.Content"/>.</summary>
    bool ReadsSpool => false;

    /// <summary>
    /// Runs one turn. Events come as they happen; the end of the sequence is the end of the turn. Each <see cref="AgentReply"/> becomes an
    /// outbox entry under the key <c>turn id + ordinal</c>, so a repeated turn must give its replies in the same order.
    /// </summary>
    /// <exception cref="BridgeException">The turn failed; <see cref="BridgeException.Retryable"/> says whether it runs again.</exception>
    IAsyncEnumerable<AgentEvent> RunAsync(AgentTurn turn, CancellationToken cancellationToken);
}

/// <summary>The bounds of the conversation that the host keeps for an agent, per lane; what is older goes.</summary>
/// <param name="Messages">Messages of both sides together, at least 2.</param>
/// <param name="Characters">Characters of their texts together.</param>
/// <param name="Lifetime">How long a conversation is kept after its last message.</param>
public sealed record AgentMemory(int Messages, int Characters, TimeSpan Lifetime);
