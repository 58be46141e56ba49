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
/// <param name="Wait">How long to wait before the next try.</param>
/// <param name="HandedBack">The host is stopping: the message stays in the inbox for the next start.</param>
/// <param name="ClaimLost">Another host owns the lane now, and runs the turn again; nothing more was written here.</param>
/// <param name="FailingFor">For how long its turns have been failing, up to the next one.</param>
internal readonly record struct TurnVerdict(
    bool Finished, int Attempts = 0, TimeSpan Wait = default, bool HandedBack = false, bool ClaimLost = false, TimeSpan FailingFor = default);

/// <summary>Runs one turn: calls the agent, makes its replies durable, and commits "turn done" together with the last of them.</summary>
internal sealed partial class TurnRunner(
    IStore store,
    Outbox outbox,
    Backlogs backlogs,
    IRegistry registry,
    MessagingEvents events,
    MessagingOptions options,
    TurnCancels cancels,
    TimeProvider time,
    ILogger<TurnRunner> logger,
    TurnFiles? files = null)
{
    private static readonly TimeSpan LongestRetry = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LongestTimer = TimeSpan.FromDays(40);
    private static readonly TimeSpan AwayDelay = TimeSpan.FromMilliseconds(200);

    private readonly TurnReplies _replies = new(outbox, files);
    private readonly IStore _store = store;
    private readonly TurnFiles? _files = files;

    public async Task<TurnVerdict> RunAsync(IAgent agent, TurnLane lane, TurnItem item, CancellationToken abort)
    {
        var started = time.GetTimestamp();
        using var activity = Telemetry.Source.StartActivity(
            "turn", ActivityKind.Consumer, Telemetry.Parent(item.Message.TraceParent));
        activity?.SetTag("channelbridge.agent", agent.Name).SetTag("channelbridge.turn.id", item.Id);
        Telemetry.TurnsRunning.Add(1);
        var longest = item.Message.Rules?.Timeout ?? options.TurnTimeout;
        if (longest > LongestTimer) longest = LongestTimer;
        using var timeout = new CancellationTokenSource(longest, time);
        using var running = cancels.Begin(item.Id);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(abort, timeout.Token, running.Cancelled);
        var turn = new AgentTurn(item.Id, item.Message, item.Attempts + 1) { Cancelled = running.Cancelled };
        if (InstructionsFor(turn) is { } instructions) turn = turn with { Instructions = instructions };
        var heard = new TurnEvents(registry, turn, logger);
        var record = new TurnRecord();
        string outcome;
        TurnVerdict verdict;
        try
        {
            linked.Token.ThrowIfCancellationRequested();
            var memory = agent.Memory is { } bounds ? new ConversationMemory(_store, lane.Key, agent, bounds, time, logger) : null;
            if (_files is not null) turn = turn with { Message = await _files.ForAgentAsync(item.Message, agent, linked.Token).ConfigureAwait(false) };
            if (memory is not null) turn = turn with { History = await memory.LoadAsync(linked.Token).ConfigureAwait(false) };
            var last = await ConverseAsync(agent, turn, lane, item, record, heard, activity, linked.Token).ConfigureAwait(false);
            if (record.IsEmpty && !agent.AnswersLater(turn)) throw Empty(agent, record);
            var remembered = memory?.Extend(item.Message, [.. record.Replies.Select(reply => reply.Text).Where(text => text.Length > 0)]);
            verdict = await FinishAsync(lane, item, turn, record, last, remembered, abort).ConfigureAwait(false);
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
        catch (Exception) when (running.Cancelled.IsCancellationRequested)
        {
            (verdict, outcome) = await GuardAsync(() => EndCancelledAsync(lane, item, turn, record, abort), "cancelled").ConfigureAwait(false);
        }
        catch (Exception fault)
        {
            var error = fault switch
            {
                BridgeException known => known,
                OperationCanceledException when timeout.IsCancellationRequested => new BridgeException(
                    ErrorCodes.Timeout, $"The turn took longer than {longest.TotalSeconds:0} s.")
                {
                    // A channel that says how long a turn may take means all of it.
                    Retryable = item.Message.Rules?.Timeout is null,
                },
                _ => new BridgeException(ErrorCodes.Internal, "The agent failed unexpectedly; see the log.", fault) { Retryable = true },
            };
            activity?.SetStatus(ActivityStatusCode.Error, error.Code);
            (verdict, outcome) = await FailAsync(lane, item, turn, record, error, time.GetElapsedTime(started), abort).ConfigureAwait(false);
        }

        await heard.EndAsync(turn, failed: outcome != "done").ConfigureAwait(false);
        if (verdict.Finished && cancels.IsKnown(item.Id)) await cancels.ForgetAsync(item.Id).ConfigureAwait(false);
        Telemetry.TurnsRunning.Add(-1);
        var tags = new TagList { { "channelbridge.agent", agent.Name }, { "channelbridge.outcome", outcome } };
        Telemetry.Turns.Add(1, tags);
        var duration = time.GetElapsedTime(started);
        Telemetry.TurnDuration.Record(duration.TotalSeconds, tags);
        events.TurnEnded(item.Id, agent.Name, outcome, duration);
        if (logger.IsEnabled(LogLevel.Debug))
        {
            // One of the lines by which a message can be followed; the others are where it is accepted, pushed and acked.
            var firstReply = MessageIds.ForReply(item.Message.Channel, item.Message.AccountId, item.Id, 0);
            var trace = AccountOutbox.TraceOf(item.Message.TraceParent) ?? activity?.TraceId.ToHexString();
            LogTurn(logger, item.Id, item.Message.MessageId, agent.Name, turn.Attempt, outcome, firstReply, trace);
        }

        return verdict;
    }

    /// <summary>What the parts of the host have to say to the agent, a paragraph each; null: nothing, as for most turns.</summary>
    private string? InstructionsFor(AgentTurn turn)
    {
        string? all = null;
        foreach (var part in registry.Current.Of<ITurnInstructions>())
        {
            if (part.InstructionsFor(turn) is { Length: > 0 } text) all = all is null ? text : $"{all}\n\n{text}";
        }

        return all;
    }

    /// <summary>Runs the agent; makes every reply but the last durable as it comes, and returns the last.</summary>
    private async Task<PreparedReply?> ConverseAsync(
        IAgent agent, AgentTurn turn, TurnLane lane, TurnItem item, TurnRecord record, TurnEvents heard, Activity? activity, CancellationToken cancellationToken)
    {
        var voice = new Voice(this, lane, item, record, heard, activity);
        await foreach (var agentEvent in agent.RunAsync(turn, cancellationToken).ConfigureAwait(false))
        {
            switch (agentEvent)
            {
                case AgentReply reply:
                    await voice.SayAsync(reply, cancellationToken).ConfigureAwait(false);
                    break;
                case AgentArtifact artifact:
                    await voice.HandOverAsync(artifact, cancellationToken).ConfigureAwait(false);
                    break;
                case AgentFinish finish:
                    record.Finish = finish.Reason;
                    await voice.TellAsync(finish).ConfigureAwait(false);
                    break;
                default:
                    await voice.TellAsync(agentEvent).ConfigureAwait(false);
                    break;
            }
        }

        return await voice.EndAsync().ConfigureAwait(false);
    }

    private static BridgeException Empty(IAgent agent, TurnRecord record) => new(
        ErrorCodes.EmptyAnswer, $"The agent '{agent.Name}' ended without an answer ({record.Finish}), and without saying that it has none (NO_REPLY).");

    /// <summary>
    /// What the agent says, on its way: to who listens, and, unless the channel takes it itself, into the outbox; there the last reply waits for the
    /// end of the turn.
    /// </summary>
    private sealed class Voice(TurnRunner runner, TurnLane lane, TurnItem item, TurnRecord record, TurnEvents heard, Activity? activity)
    {
        private readonly bool _toOutbox = item.Message.Rules is not { Replies: ReplyWay.Channel };
        private AgentReply? _held;
        private int _ordinal;
        // Ahead of the one above by the reply that is held.
        private int _heard;

        public ValueTask TellAsync(AgentEvent agentEvent)
        {
            var ordinal = agentEvent is AgentMessageEnd ? _heard++ : _heard;
            return heard.AddAsync(ordinal, agentEvent);
        }

        public async ValueTask SayAsync(AgentReply reply, CancellationToken cancellationToken)
        {
            if (reply is { Text.Length: 0, Refusal: { Length: > 0 } refusal }) reply = reply with { Text = refusal };
            if (reply.Attachment is null && (TurnReplies.IsSilent(reply.Text) || string.IsNullOrWhiteSpace(reply.Text)))
            {
                record.Silent |= TurnReplies.IsSilent(reply.Text);
                // Whatever was shown of it is taken back.
                await TellAsync(new AgentRewrite("")).ConfigureAwait(false);
                return;
            }

            await FlushAsync().ConfigureAwait(false);
            if (reply.Attachment is { } file && TakerOf(file) is { } files) reply = await files.TakeAsync(item.Message, reply, cancellationToken).ConfigureAwait(false);
            record.Add(reply);
            await HoldAsync(reply).ConfigureAwait(false);
        }

        public async ValueTask HandOverAsync(AgentArtifact artifact, CancellationToken cancellationToken)
        {
            if (artifact.File is { } file && TakerOf(file) is { } files)
            {
                var taken = await files.TakeAsync(item.Message, new AgentReply(artifact.Text ?? "", "block", file), cancellationToken).ConfigureAwait(false);
                artifact = artifact with { File = taken.Attachment, Text = taken.Text.Length == 0 ? null : taken.Text };
            }

            record.Add(artifact);
            await TellAsync(artifact).ConfigureAwait(false);
            if (artifact.LastChunk) await FlushAsync().ConfigureAwait(false);
        }

        /// <summary>Who brings a file into the spool. Null: it stays where it is, as an address does that the channel hands on itself.</summary>
        private TurnFiles? TakerOf(Attachment file) =>
            !_toOutbox && file is { Content: null, File: null } && Uri.TryCreate(file.Location, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
                ? null
                : runner._files;

        /// <summary>The agent is at its end: the reply that ends the turn.</summary>
        public async ValueTask<PreparedReply?> EndAsync()
        {
            await FlushAsync().ConfigureAwait(false);
            return _held is null || !_toOutbox ? null : await runner._replies.PrepareAsync(lane, item, _held, _ordinal, activity).ConfigureAwait(false);
        }

        /// <summary>Results become messages where the channel doesn't take them itself.</summary>
        private async ValueTask FlushAsync()
        {
            if (!_toOutbox) return;
            foreach (var artifact in record.TakeUnsent()) await HoldAsync(artifact.ToReply()).ConfigureAwait(false);
        }

        private async ValueTask HoldAsync(AgentReply reply)
        {
            await heard.AddAsync(_heard++, reply).ConfigureAwait(false);
            if (!_toOutbox) return;
            if (_held is not null)
            {
                using var prepared = await runner._replies.PrepareAsync(lane, item, _held, _ordinal++, activity).ConfigureAwait(false);
                await runner._store.CommitAsync(prepared.Append, CancellationToken.None).ConfigureAwait(false);
                runner._replies.Committed(prepared);
            }

            _held = reply;
        }
    }

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();

    [LoggerMessage(LogEvents.TurnRunnerTurn, LogLevel.Debug,
        "Turn: turn {Turn} for msgId {MsgId} by agent {Agent}, attempt {Attempt}, {Outcome}; its first reply is messageId {MessageId}, trace {TraceId}.")]
    private static partial void LogTurn(ILogger logger, Guid turn, string? msgId, string agent, int attempt, string outcome, Guid messageId, string? traceId);

    [LoggerMessage(LogEvents.TurnRunnerTurnFailed, LogLevel.Warning, "Turn {Id}: attempt {Attempt} failed with {Code}; again: {Again}.")]
    private static partial void LogTurnFailed(ILogger logger, Guid id, int attempt, string code, bool again, Exception fault);

    [LoggerMessage(LogEvents.TurnRunnerCommitFailed, LogLevel.Error, "A finished turn can't be recorded ({Code}); trying again in {Seconds} s.")]
    private static partial void LogCommitFailed(ILogger logger, string code, double seconds);

    [LoggerMessage(LogEvents.TurnRunnerEndingFailed, LogLevel.Error, "Channel {Channel} failed when turn {Id} ended; it ends without the channel's records.")]
    private static partial void LogEndingFailed(ILogger logger, string channel, Guid id, Exception fault);
}
