using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Transfers;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Messaging;

/// <summary>Files of turns: those of a message reach the agent, those of its replies reach the spool before the reply is made durable.</summary>
internal sealed partial class TurnFiles(ISpool spool, IMediaSource media, int inlineBytes, ILogger<TurnFiles> logger)
{
    /// <summary>The message as the agent takes it: with bytes where they are few enough, and always with the path on this machine.</summary>
    public async ValueTask<InboundMessage> ForAgentAsync(InboundMessage message, IAgent agent, CancellationToken cancellationToken)
    {
        if (agent.ReadsSpool || message.Attachments is not { } files || !files.Any(file => file.File is not null)) return message;
        var given = new List<Attachment>(files.Count);
        foreach (var file in files)
        {
            if (file.File is null)
            {
                given.Add(file);
                continue;
            }

            try
            {
                var bytes = file.Size <= inlineBytes
                    ? await spool.ReadAsync(file, inlineBytes, cancellationToken).ConfigureAwait(false)
                    : null;
                given.Add(file with { Content = bytes, Location = spool.PathOf(file) });
            }
            catch (BridgeException fault) when (fault.Code == ErrorCodes.Unavailable)
            {
                // The spool of another host has it. "Away" would have the turn wait for ever without an attempt counted.
                throw new BridgeException(ErrorCodes.StoreUnavailable, fault.Message, fault) { Retryable = true };
            }
        }

        return message with { Attachments = given };
    }

    /// <summary>A reply whose file is in the spool; where it can't be taken, the text says so instead.</summary>
    public async ValueTask<AgentReply> TakeAsync(InboundMessage message, AgentReply reply, CancellationToken cancellationToken)
    {
        if (reply.Attachment is not { } file) return reply;
        try
        {
            return reply with { Attachment = await media.TakeAsync(message.Channel, message.AccountId, file, cancellationToken).ConfigureAwait(false) };
        }
        catch (BridgeException fault) when (!fault.Retryable || fault.Code is ErrorCodes.QuotaExceeded or ErrorCodes.StoreFull or ErrorCodes.Unavailable)
        {
            LogNotTaken(logger, fault.Code, fault.Message);
            var note = $"[file {file.FileName ?? "without a name"}: it can't be sent ({fault.Code})]";
            return reply with { Text = reply.Text.Length == 0 ? note : $"{reply.Text}\n{note}", Attachment = null };
        }
    }

    /// <summary>Keeps a reply's file until its receipt is final.</summary>
    public ValueTask KeepAsync(OutboundMessage message, Guid id) =>
        message.Attachment is { File: not null } file ? spool.KeepAsync(file, SpoolUse.Outbox, id) : ValueTask.CompletedTask;

    [LoggerMessage(LogEvents.TurnFilesNotTaken, LogLevel.Warning, "An agent's file was not taken ({Code}): {Reason}")]
    private static partial void LogNotTaken(ILogger logger, string code, string reason);
}
