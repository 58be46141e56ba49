using System.Diagnostics;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Events;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Messaging;

/// <summary>What came of a turn, for the lane.</summary>
/// <param name="Finished">The message is done or given up: the lane goes on.</param>
/// <param name="Attempts">Failed turns so far.</param>
/// <param name="NotBefore">When to try again (Unix ms).</param>
/// <param name="HandedBack">The host is stopping: the message stays in the inbox for the next start.</param>
/// <param name="ClaimLost">Another host owns the lane now, and runs the turn again; nothing more was written here.</param>
internal readonly record struct TurnVerdict(bool Finished, int Attempts = 0, long NotBefore = 0, bool HandedBack = false, bool ClaimLost = false);

/// <summary>Runs one turn: calls the agent, makes its replies durable, and commits "turn done" together with the last of them.</summary>
internal sealed partial class TurnRunner(
    IStore store,
    Outbox outbox,
    Backlogs backlogs,
    IRegistry registry,
    MessagingEvents events,
    MessagingOptions options,
    TimeProvider time,
    ILogger<TurnRunner> logger,
    TurnFiles? files = null)
{
    private static readonly TimeSpan LongestRetry = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan AwayDelay = TimeSpan.FromMilliseconds(200);

    public async Task<TurnVerdict> RunAsync(IAgent agent, TurnLane lane, TurnItem item, CancellationToken abort)
    {
        var started = time.GetTimestamp();
        using var activity = Telemetry.Source.StartActivity(
            "turn", ActivityKind.Consumer, Telemetry.Parent(item.Message.TraceParent));
        activity?.SetTag("channelbridge.agent", agent.Name).SetTag("channelbridge.turn.id", item.Id);
        Telemetry.TurnsRunning.Add(1);
        using var timeout = new CancellationTokenSource(options.TurnTimeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(abort, timeout.Token);
        var turn = new AgentTurn(item.Id, item.Message, item.Attempts + 1);
        string outcome;
        TurnVerdict verdict;
        try
        {
            var memory = agent.Memory is { } bounds ? new ConversationMemory(store, lane.Key, agent, bounds, time, logger) : null;
            if (files is not null) turn = turn with { Message = await files.ForAgentAsync(item.Message, agent, linked.Token).ConfigureAwait(false) };
            if (memory is not null) turn = turn with { History = await memory.LoadAsync(linked.Token).ConfigureAwait(false) };
            var answers = new List<string>();
            var last = await ConverseAsync(agent, turn, lane, item, answers, activity, linked.Token).ConfigureAwait(false);
            verdict = await FinishAsync(lane, item, last, memory?.Extend(item.Message, answers), abort).ConfigureAwait(false);
            outcome = "done";
        }
        catch (OperationCanceledException) when (abort.IsCancellationRequested)
        {
            (verdict, outcome) = (new TurnVerdict(Finished: false, HandedBack: true), "handed-back");
        }
        catch (BridgeException fault) when (fault.Code == ErrorCodes.ClaimLost)
        {
            (verdict, outcome) = (new TurnVerdict(Finished: false, ClaimLost: true), "claim-lost");
        }
        catch (Exception fault)
        {
            var error = fault switch
            {
                BridgeException known => known,
                OperationCanceledException when timeout.IsCancellationRequested => new BridgeException(
                    ErrorCodes.Timeout, $"The turn took longer than {options.TurnTimeout.TotalSeconds:0} s.")
                { Retryable = true },
                _ => new BridgeException(ErrorCodes.Internal, "The agent failed unexpectedly; see the log.", fault) { Retryable = true },
            };
            activity?.SetStatus(ActivityStatusCode.Error, error.Code);
            (verdict, outcome) = await FailAsync(lane, item, error, abort).ConfigureAwait(false);
        }

        foreach (var listener in registry.Current.Of<ITurnListener>()) listener.OnTurnEnded(turn, failed: outcome != "done");
        Telemetry.TurnsRunning.Add(-1);
        var tags = new TagList { { "channelbridge.agent", agent.Name }, { "channelbridge.outcome", outcome } };
        Telemetry.Turns.Add(1, tags);
        var duration = time.GetElapsedTime(started);
        Telemetry.TurnDuration.Record(duration.TotalSeconds, tags);
        events.TurnEnded(item.Id, agent.Name, outcome, duration);
        return verdict;
    }

    /// <summary>Texts by which an agent says that it has nothing to say; they are not delivered.</summary>
    internal static bool IsSilent(string text) => text.AsSpan().Trim() is "" or "NO_REPLY" or "HEARTBEAT_OK";

    /// <summary>Runs the agent; makes every reply but the last durable as it comes, and returns the last.</summary>
    private async Task<PreparedReply?> ConverseAsync(
        IAgent agent, AgentTurn turn, TurnLane lane, TurnItem item, List<string> answers, Activity? activity, CancellationToken cancellationToken)
    {
        AgentReply? held = null;
        var ordinal = 0;
        // Ahead of the one above by the reply that is held.
        var heard = 0;
        await foreach (var agentEvent in agent.RunAsync(turn, cancellationToken).ConfigureAwait(false))
        {
            if (agentEvent is not AgentReply reply)
            {
                Tell(turn, heard, agentEvent);
                if (agentEvent is AgentMessageEnd) heard++;
                continue;
            }

            if (reply is { Text.Length: 0, Refusal: { Length: > 0 } refusal }) reply = reply with { Text = refusal };
            if (reply.Attachment is null && IsSilent(reply.Text))
            {
                // Whatever was shown of it is taken back.
                Tell(turn, heard, new AgentRewrite(""));
                continue;
            }

            if (files is not null) reply = await files.TakeAsync(item.Message, reply, cancellationToken).ConfigureAwait(false);
            Tell(turn, heard++, reply);
            if (reply.Text.Length > 0) answers.Add(reply.Text);
            if (held is not null)
            {
                using var prepared = await PrepareAsync(lane, item, held, ordinal++, activity).ConfigureAwait(false);
                await store.CommitAsync(prepared.Append, CancellationToken.None).ConfigureAwait(false);
                outbox.Committed(prepared.Append, prepared.Message);
            }

            held = reply;
        }

        return held is null ? null : await PrepareAsync(lane, item, held, ordinal, activity).ConfigureAwait(false);
    }

    private void Tell(AgentTurn turn, int ordinal, AgentEvent agentEvent)
    {
        foreach (var listener in registry.Current.Of<ITurnListener>()) listener.OnTurnEvent(turn, ordinal, agentEvent);
    }

    private async Task<TurnVerdict> FinishAsync(TurnLane lane, TurnItem item, PreparedReply? last, RecordPut? remembered, CancellationToken abort)
    {
        using (last)
        {
            var done = new InboxUpdate
            {
                LaneId = lane.Id,
                Ordinal = item.Ordinal,
                State = TurnState.Done,
                Attempts = item.Attempts + 1,
                At = Now(),
                Claim = lane.Claim,
            };
            StoreWrite[] ending = last is null ? [done] : [last.Append, done];
            await CommitPersistentlyAsync(remembered is null ? ending : [.. ending, remembered], abort).ConfigureAwait(false);
            if (last is not null) outbox.Committed(last.Append, last.Message);
        }

        backlogs.InboxAdd(backlogs.Of(lane.Key.Channel, lane.Key.Account), -1);
        return new TurnVerdict(Finished: true);
    }

    private async Task<(TurnVerdict Verdict, string Outcome)> FailAsync(TurnLane lane, TurnItem item, BridgeException error, CancellationToken abort)
    {
        if (error.Code == ErrorCodes.Unavailable)
        {
            // The agent went away: its message waits for it, at no cost of an attempt.
            var delay = error.RetryAfter ?? AwayDelay;
            return (new TurnVerdict(Finished: false, item.Attempts, Now() + (long)delay.TotalMilliseconds), "away");
        }

        var attempts = item.Attempts + 1;
        var again = error.Retryable && attempts < options.TurnAttempts;
        LogTurnFailed(logger, item.Id, attempts, error.Code, again, error);
        var seconds = Math.Min(options.TurnRetryDelay.TotalSeconds * Math.Pow(2, attempts - 1), LongestRetry.TotalSeconds);
        var wait = error.RetryAfter ?? TimeSpan.FromSeconds(seconds);
        var update = new InboxUpdate
        {
            LaneId = lane.Id,
            Ordinal = item.Ordinal,
            State = again ? TurnState.Pending : TurnState.Dead,
            Attempts = attempts,
            NextAttemptAt = again ? Now() + (long)wait.TotalMilliseconds : 0,
            Error = $"{error.Code}: {error.Message}",
            At = Now(),
            Claim = lane.Claim,
        };
        try
        {
            if (again)
            {
                await CommitPersistentlyAsync([update], abort).ConfigureAwait(false);
                return (new TurnVerdict(Finished: false, attempts, update.NextAttemptAt), "failed");
            }

            await GiveUpAsync(lane, item, update, abort).ConfigureAwait(false);
            return (new TurnVerdict(Finished: true), "dead");
        }
        catch (OperationCanceledException)
        {
            return (new TurnVerdict(Finished: false, HandedBack: true), "handed-back");
        }
        catch (BridgeException fault) when (fault.Code == ErrorCodes.ClaimLost)
        {
            return (new TurnVerdict(Finished: false, ClaimLost: true), "claim-lost");
        }
    }

    private async Task GiveUpAsync(TurnLane lane, TurnItem item, InboxUpdate dead, CancellationToken abort)
    {
        if (options.TurnFailureNotice.Length == 0)
        {
            await CommitPersistentlyAsync([dead], abort).ConfigureAwait(false);
        }
        else
        {
            // An ordinal that no agent reply has, so that replies which came before the failure keep theirs.
            using var notice = Prepare(lane, item, new AgentReply(options.TurnFailureNotice), int.MaxValue, Activity.Current);
            await CommitPersistentlyAsync([notice.Append, dead], abort).ConfigureAwait(false);
            outbox.Committed(notice.Append, notice.Message);
        }

        var account = backlogs.Of(lane.Key.Channel, lane.Key.Account);
        backlogs.InboxAdd(account, -1);
        Interlocked.Increment(ref account.InboxDead);
    }

    /// <summary>The agent's work is done and paid for: when the store fails now, the commit is tried again, not the turn.</summary>
    private async Task CommitPersistentlyAsync(StoreWrite[] batch, CancellationToken abort)
    {
        for (var delay = TimeSpan.FromMilliseconds(100); ; delay = delay < TimeSpan.FromSeconds(10) ? delay * 2 : delay)
        {
            try
            {
                await store.CommitAsync(batch, CancellationToken.None).ConfigureAwait(false);
                return;
            }
            catch (BridgeException fault) when (fault.Retryable)
            {
                LogCommitFailed(logger, fault.Code, delay.TotalSeconds);
                await Task.Delay(delay, time, abort).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Prepares a reply, and sees to it that its file is kept as long as the reply is.</summary>
    private async ValueTask<PreparedReply> PrepareAsync(TurnLane lane, TurnItem item, AgentReply reply, int ordinal, Activity? activity)
    {
        var prepared = Prepare(lane, item, reply, ordinal, activity);
        if (files is null || reply.Attachment is null) return prepared;
        try
        {
            await files.KeepAsync(prepared.Message, prepared.Append.Id).ConfigureAwait(false);
            return prepared;
        }
        catch
        {
            prepared.Dispose();
            throw;
        }
    }

    private PreparedReply Prepare(TurnLane lane, TurnItem item, AgentReply reply, int ordinal, Activity? activity)
    {
        var inbound = item.Message;
        var message = new OutboundMessage
        {
            Channel = inbound.Channel,
            AccountId = inbound.AccountId,
            SessionKey = inbound.SessionKey,
            Route = inbound.Route,
            Text = reply.Text,
            Kind = reply.Kind,
            ReplyToId = inbound.MessageId,
            Attachment = reply.Attachment,
            Type = reply.Attachment is not { } file ? "text" : file.IsVoice ? "voice" : AttachmentType(file.MimeType),
            TraceParent = activity?.Id ?? inbound.TraceParent,
            StreamId = inbound.Stream ? MessageIds.ForReply(inbound.Channel, inbound.AccountId, item.Id, ordinal).ToString("D") : null,
        };
        return outbox.Prepare(message, MessageIds.ReplyKey(item.Id, ordinal), item.Id, lane.Claim);
    }

    internal static string AttachmentType(string mimeType) => mimeType.Split('/')[0] switch
    {
        "image" => "image",
        "video" => "video",
        "audio" => "audio",
        _ => "file",
    };

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();

    [LoggerMessage(LogEvents.TurnRunnerTurnFailed, LogLevel.Warning, "Turn {Id}: attempt {Attempt} failed with {Code}; again: {Again}.")]
    private static partial void LogTurnFailed(ILogger logger, Guid id, int attempt, string code, bool again, Exception fault);

    [LoggerMessage(LogEvents.TurnRunnerCommitFailed, LogLevel.Error, "A finished turn can't be recorded ({Code}); trying again in {Seconds} s.")]
    private static partial void LogCommitFailed(ILogger logger, string code, double seconds);
}
