using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Protocol.OpenResponses;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.InstaClaw.Messages;

/// <summary>Runs requests: one at a time in a session, as many at once as there are slots.</summary>
internal sealed partial class RequestDesk
{
    /// <summary>The agent that remembers conversations by itself.</summary>
    private const string SelfRemembering = "openclaw";

    /// <summary>True where the gateway's agent answers: it remembers by itself, and has the channel's tools by the plugin.</summary>
    private bool IsGateway => string.Equals(_agent, SelfRemembering, StringComparison.OrdinalIgnoreCase);

    /// <summary>A request is accepted: it runs behind those of its session, and its events go out as they come.</summary>
    private void Add(OpenRequest request)
    {
        lock (_gate)
        {
            request.Place = ++_taken;
            _open[request.Stored.MessageId] = request;
            var before = _sessions.GetValueOrDefault(request.Stored.SessionId, Task.CompletedTask);
            var session = RunAsync(request, before);
            _sessions[request.Stored.SessionId] = session;
            _ = ForgetSessionAsync(request.Stored.SessionId, session);
            Forward(request);
        }
    }

    /// <summary>A request that a former host has left: it goes on, or runs now if it never began.</summary>
    private void Resume(StoredRequest stored)
    {
        var frame = new Frame("", Topics.UserMessages, stored.MessageId, stored.SessionId, stored.Data ?? default);
        var message = stored.Data is null ? null : UserMessage.Read(frame, _options.FileUrlTemplate, out _, out _);
        LogResumed(_logger, _accountId, stored.MessageId, stored.Confirmed);
        Add(new OpenRequest(stored, message));
    }

    private async Task ForgetSessionAsync(string sessionId, Task session)
    {
        await session.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_gate)
        {
            if (_sessions.GetValueOrDefault(sessionId) == session) _sessions.Remove(sessionId);
        }
    }

    private async Task RunAsync(OpenRequest request, Task before)
    {
        var stored = request.Stored;
        try
        {
            await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _stopped.Token.ThrowIfCancellationRequested();
            // Cancelled while it waited in its session.
            if (request.Source.IsCompleted) return;
            var run = await StartAsync(request).ConfigureAwait(false);
            if (!request.Begin(EventSource.Of(run)))
            {
                await run.CancelAsync().ConfigureAwait(false);
                return;
            }

            var final = await run.Completion.WaitAsync(_stopped.Token).ConfigureAwait(false);
            if (IsAnswer(final)) await _book.AnsweredAsync(stored.SessionId, run.Id).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The host stops; the next one goes on.
        }
        catch (Exception fault)
        {
            if (fault is not BridgeException) LogRunFailed(_logger, fault, _accountId, stored.MessageId);
            var (code, message) = EventSource.Explain(fault);
            request.Begin(EventSource.Failed(stored.ResponseId, _agent, _time.GetUtcNow(), code, message));
        }
        finally
        {
            request.Running = false;
        }
    }

    private async Task<IResponseRun> StartAsync(OpenRequest request)
    {
        var stored = request.Stored;
        if (_runs is null) throw BridgeException.Unavailable("This host runs no responses.");
        if (await _runs.FindAsync(stored.ResponseId, Owner, _stopped.Token).ConfigureAwait(false) is { } known) return known;
        var message = request.Message ?? throw new BridgeException(ErrorCodes.NotFound, "The answer is no longer kept.");
        var left = _options.RequestTimeout - (_time.GetUtcNow() - DateTimeOffset.FromUnixTimeMilliseconds(stored.AcceptedAt));
        // Too late: the run itself says so, behind whatever it had said before a restart.
        if (left < TimeSpan.Zero) left = TimeSpan.Zero;
        var previous = IsGateway
            ? null
            : await _book.PreviousAsync(stored.SessionId, _stopped.Token).ConfigureAwait(false);
        var start = Describe(message, stored, previous, left);
        try
        {
            return await _runs.StartAsync(start, _stopped.Token).ConfigureAwait(false);
        }
        catch (BridgeException fault) when (fault.Code == ErrorCodes.Unavailable)
        {
            // The host is about to stop and takes no more; the next one runs it.
            await Task.Delay(Timeout.Infinite, _stopped.Token).ConfigureAwait(false);
            throw;
        }
        catch (BridgeException fault) when (fault.Code == ErrorCodes.NotFound && previous is not null)
        {
            // The conversation has expired: a new one begins.
            return await _runs.StartAsync(start with { Request = start.Request with { PreviousResponseId = null } }, _stopped.Token).ConfigureAwait(false);
        }
    }

    private ResponseStart Describe(UserMessage message, StoredRequest stored, string? previous, TimeSpan left)
    {
        var sessionKey = SessionKeyOf(stored.SessionId);
        return new ResponseStart
        {
            Request = new ResponseRequest
            {
                Input = [new MessageItem("user", message.Parts)],
                Instructions = SessionPrompt.Of(_options.Instructions, _accountId, stored.SessionId, _profile(), IsGateway),
                PreviousResponseId = previous,
                Stream = true,
                Store = true,
                User = sessionKey,
            },
            Owner = Owner,
            Agent = _agent,
            ResponseId = stored.ResponseId,
            OutlivesHost = true,
            Message = new InboundMessage
            {
                Channel = InstaClawChannel.ChannelId,
                AccountId = _accountId,
                SessionKey = sessionKey,
                Agent = _agent,
                Route = stored.SessionId,
                SenderId = stored.SessionId,
                Subject = Subject,
                Door = Door.Channel,
                MessageId = stored.MessageId,
                Text = message.Text,
                Attachments = message.Attachments,
                AcceptedAt = stored.AcceptedAt,
            },
            Slots = Slots,
            Timeout = left,
            Coalescing = new DeltaCoalescing(_options.DeltaGraphemes, _options.DeltaDelay),
        };
    }

    /// <summary>True for an answer that the next message can continue.</summary>
    private static bool IsAnswer(ReadOnlyMemory<byte> final)
    {
        using var document = JsonDocument.Parse(final);
        return Frame.Text(document.RootElement, "status") is "completed" or "incomplete";
    }

    /// <summary>Cancels a request, wherever it is. Its stream ends with <c>response.failed</c>, code <c>cancelled</c>.</summary>
    private async Task CancelAsync(OpenRequest request)
    {
        var stored = request.Stored;
        if (request.Begin(EventSource.Failed(stored.ResponseId, _agent, _time.GetUtcNow(), "cancelled", "The request was cancelled."))) return;
        await (await request.Source.ConfigureAwait(false)).CancelAsync().ConfigureAwait(false);
    }

    [LoggerMessage(LogEvents.RequestDeskResumed, LogLevel.Information, "InstaClaw account {Account}: message {Message} of before the restart is taken up after event {Confirmed}.")]
    private static partial void LogResumed(ILogger logger, string account, string message, long confirmed);

    [LoggerMessage(LogEvents.RequestDeskRunFailed, LogLevel.Error, "InstaClaw account {Account}: message {Message} couldn't be run.")]
    private static partial void LogRunFailed(ILogger logger, Exception fault, string account, string message);
}
