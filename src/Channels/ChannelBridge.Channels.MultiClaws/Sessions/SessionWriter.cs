using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Events;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.MultiClaws.Sessions;

/// <summary>Brings changes of sessions to disk, each in one commit with the notice that it leads to, and tells of them.</summary>
internal sealed partial class SessionWriter(
    IRecords records, INotifier notifier, SessionNotices notices, TimeProvider time, ILogger<SessionWriter> logger, IEventHub? events = null)
{
    /// <summary>Writes a change. The session's gate is held.</summary>
    /// <exception cref="BridgeException">A store error; the session is as it was.</exception>
    public async ValueTask WriteAsync(LiveSession session, SessionStep step, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        if (step.Notice is { } kind && notices.OriginOf(step.Head) is { } origin)
        {
            try
            {
                await notifier.NotifyAsync(
                    origin, notices.TextOf(step, kind, origin), SessionNotices.KeyOf(step.Head.SessionId, step.Head.Revision), SessionBook.Writes(step, now), cancellationToken)
                    .ConfigureAwait(false);
                Accept(session, step.Head);
                return;
            }
            catch (BridgeException fault) when (!IsStore(fault))
            {
                // The change holds whether it can be told or not; it is told later, where it can be.
                LogNotNotified(logger, step.Head.SessionId, fault.Code);
                if (fault.Retryable) step = step with { Head = step.Head with { Owed = new OwedNotice(kind, step.Head.Revision) } };
            }
        }

        await records.WriteAsync(SessionBook.Writes(step, now), cancellationToken).ConfigureAwait(false);
        Accept(session, step.Head);
    }

    /// <summary>Says a notice that couldn't be said before. The session's gate is held.</summary>
    /// <returns>False: it still can't be said.</returns>
    public async ValueTask<bool> SettleAsync(LiveSession session, CancellationToken cancellationToken)
    {
        if (session.Head is not { Owed: { } owed } head) return true;
        var next = head with { Owed = null };
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        if (notices.OriginOf(head) is { } origin)
        {
            try
            {
                var text = await notices.TextOfAsync(head, owed.Kind, origin, cancellationToken).ConfigureAwait(false);
                await notifier.NotifyAsync(origin, text, SessionNotices.KeyOf(head.SessionId, owed.Revision), [SessionBook.Put(next, now)], cancellationToken)
                    .ConfigureAwait(false);
            }
            catch (BridgeException fault)
            {
                if (fault.Retryable) return false;
                LogNotNotified(logger, head.SessionId, fault.Code);
            }
        }

        // Where it had been said already, nothing was written with it.
        await records.WriteAsync(SessionBook.Put(next, now), cancellationToken).ConfigureAwait(false);
        Accept(session, next);
        return true;
    }

    /// <summary>Tells that a session's last message grows.</summary>
    public void Grew(SessionHead head, int characters)
    {
        if (events is { HasSubscribers: true }) Publish(head, characters);
    }

    /// <summary>True for what a store says of itself.</summary>
    public static bool IsStore(BridgeException fault) => fault.Code.StartsWith("STORE_", StringComparison.Ordinal) || fault.Code == ErrorCodes.ClaimLost;

    private void Accept(LiveSession session, SessionHead head)
    {
        var before = session.Head;
        session.Accept(head);
        if (head.Ended && !before.Ended) LogEnded(logger, head.SessionId, head.Status);
        if (events is { HasSubscribers: true }) Publish(head, null);
    }

    private void Publish(SessionHead head, int? characters)
    {
        using var buffer = new MemoryStream(256);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("sessionId"u8, head.SessionId);
            writer.WriteString("agentUrl"u8, head.AgentUrl);
            writer.WriteString("agentName"u8, head.AgentName);
            writer.WriteString("status"u8, head.Status);
            writer.WriteNumber("messages"u8, head.Next - head.First);
            writer.WriteNumber("at"u8, head.UpdatedAtMs);
            if (characters is { } grown) writer.WriteNumber("characters"u8, grown);
            writer.WriteEndObject();
        }

        events!.Publish(EventNames.SessionsChanged, buffer.ToArray());
    }

    [LoggerMessage(LogEvents.SessionEnded, LogLevel.Information, "The session {Session} has ended: {Status}.")]
    private static partial void LogEnded(ILogger logger, string session, string status);

    [LoggerMessage(LogEvents.SessionNotNotified, LogLevel.Warning, "The conversation that started the session {Session} could not be told of its change ({Code}).")]
    private static partial void LogNotNotified(ILogger logger, string session, string code);
}
