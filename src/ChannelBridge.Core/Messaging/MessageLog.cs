using System.Diagnostics;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Messaging;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Messaging;

/// <summary>
/// The turn's line of those by which one message can be followed at Debug; the others are where it is accepted, pushed and acked. All of them carry the bridge's
/// <c>msgId</c> and the trace id, and those of replies the <c>messageId</c>.
/// </summary>
internal sealed partial class MessageLog(ILogger<MessageLog> logger) : ITurnListener
{
    public void OnTurnEvent(AgentTurn turn, int ordinal, AgentEvent agentEvent)
    {
        // Finished replies have lines of their own when they are pushed.
    }

    public void OnTurnEnded(AgentTurn turn, bool failed)
    {
        if (!logger.IsEnabled(LogLevel.Debug)) return;
        var message = turn.Message;
        var trace = AccountOutbox.TraceOf(message.TraceParent) ?? Activity.Current?.TraceId.ToHexString();
        LogEnded(logger, turn.Id, message.MessageId, message.Agent, turn.Attempt, failed ? "failed" : "done", MessageIds.ForReply(message.Channel, message.AccountId, turn.Id, 0), trace);
    }

    [LoggerMessage(LogEvents.MessageLogTurn, LogLevel.Debug, "Turn: turn {Turn} for msgId {MsgId} by agent {Agent}, attempt {Attempt}, {Outcome}; its first reply is messageId {MessageId}, trace {TraceId}.")]
    private static partial void LogEnded(ILogger logger, Guid turn, string? msgId, string agent, int attempt, string outcome, Guid messageId, string? traceId);
}
