using System.Diagnostics;
using System.Runtime.CompilerServices;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.OpenClaw;

/// <summary>
/// The agent of the OpenClaw gateway. A turn goes out by <c>link.turn</c>; partial text comes back as events. Finished replies to a
/// channel's message come by <c>link.send</c> through the gateway's own durable queue into the outbox, so this agent yields none. Those
/// that somebody waits for, and those of a channel that the gateway doesn't know, come as events, too. The gateway deduplicates by the
/// message id, which is the inbox id and the same in every attempt.
/// </summary>
internal sealed partial class OpenClawAgent(
    LinkSession session,
    TurnMemory memory,
    LateReplies late,
    ChannelDirectory channels,
    LinkMediaDesk files,
    LinkOptions options,
    TimeProvider time,
    ILogger<OpenClawAgent> logger) : IAgent
{
    /// <summary>Its name in settings and messages.</summary>
    public const string AgentName = "openclaw";

    public string Name => AgentName;

    public bool MayRewrite => true;

    public bool ReadsSpool => true;

    public bool AnswersLater(AgentTurn turn) => true;

    public bool PassesLine(InboundMessage message) => UrgentWords.Contains(message.Text);

    public Task WaitUntilAvailableAsync(CancellationToken cancellationToken) => session.WaitAsync(cancellationToken);

    public async IAsyncEnumerable<AgentEvent> RunAsync(AgentTurn turn, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(turn);
        if (turn.Request is { ToolChoice: { Mode: "required" } } request && request.Tools.Count > 0)
        {
            throw new BridgeException(
                ErrorCodes.InvalidRequest,
                "The agent 'openclaw' has the gateway's tools and can't be made to call yours; an agent of kind 'responses' at the gateway's own /v1/responses can.");
        }

        var link = session.Require();
        var message = turn.Message;
        var isRequest = turn.Request is not null;
        if (!isRequest && !link.MayUse(channels.Find(message.Channel), new LaneKey(message.Channel, message.AccountId, message.SessionKey)))
        {
            throw new BridgeException(ErrorCodes.Forbidden, "The gateway's link has a token that isn't for this message's account, channel or platform; give it one that is.");
        }

        var collect = isRequest || message.Rules is { Replies: ReplyWay.Channel } || !link.Owns(channels.GatewayIdOf(message.Channel));
        if (!collect) memory.Remember(turn.Id, message);
        var longest = message.Rules?.Timeout ?? options.TurnTimeout;
        using var timeout = new CancellationTokenSource(longest, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        var running = link.OpenTurn(Guid.NewGuid().ToString("N"), collect);
        var answered = false;
        try
        {
            var (media, notes) = await GiveFilesAsync(link, message, linked.Token).ConfigureAwait(false);
            var replyTo = await ReplyToAsync(turn, collect, linked.Token).ConfigureAwait(false);
            var parameters = Describe(link, turn, running.Id, collect, replyTo, media, notes);
            running.Subject = (message, parameters.SessionKey);
            await link.CallAsync(
                "link.turn", parameters, LinkJson.Relaxed.TurnParameters, LinkJson.Relaxed.Nothing, linked.Token).ConfigureAwait(false);
            var events = running.ReadAsync(linked.Token).GetAsyncEnumerator(CancellationToken.None);
            await using (events.ConfigureAwait(false))
            {
                while (await NextAsync(events, link, running, longest, timeout.Token, cancellationToken).ConfigureAwait(false))
                {
                    answered |= events.Current is AgentReply;
                    yield return events.Current is AgentReply { Attachment.File: not null } reply
                        ? await WithFileAsync(message, reply, linked.Token).ConfigureAwait(false)
                        : events.Current;
                }
            }

            if (collect && !isRequest && !answered && MayComeLate(turn.Id, running, message))
            {
                foreach (var reply in await LateAsync(turn.Id, longest, linked.Token, cancellationToken).ConfigureAwait(false)) yield return reply;
            }

            // An agent that has nothing to say gives an empty answer to somebody who waits for one.
            if (isRequest && !answered) yield return new AgentReply("");
            if (!collect) await memory.EndedAsync(turn.Id, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            // Nobody waits for the answer any more: the gateway needn't go on. A channel's turn it finishes, and the host takes it up
            // again, unless the turn was cancelled.
            if ((isRequest || turn.Cancelled.IsCancellationRequested) && !running.Ended && !link.Ended) _ = CancelAsync(link, running);
            if (collect && !isRequest && running is { Adopted: true, Ended: false } && !turn.Cancelled.IsCancellationRequested) late.Adopted(turn.Id);
            link.CloseTurn(running);
            session.CountTurn(running);
        }
    }

    /// <summary>
    /// A turn that comes back with nothing may be one that the gateway's core goes on with by itself: it had taken it over before the gateway was killed, and sends
    /// the answer late. That is known where this host has seen it taken over in an earlier attempt, and likely where the core doesn't take it over now: it knew it.
    /// A command isn't taken over in the first place.
    /// </summary>
    private bool MayComeLate(Guid turn, RunningTurn running, InboundMessage message) =>
        late.WasAdopted(turn) || (!running.Adopted && (message.Rules?.Commands == false || !message.IsCommand));

    /// <summary>A reply's file by its name in the spool, with what the spool knows of it.</summary>
    private async ValueTask<AgentReply> WithFileAsync(InboundMessage message, AgentReply reply, CancellationToken cancellationToken)
    {
        var named = reply.Attachment!;
        var file = await files.FindAsync(message.Channel, message.AccountId, new LinkMedia { File = named.File }, cancellationToken).ConfigureAwait(false);
        return reply with { Attachment = file is null ? null : file with { IsVoice = named.IsVoice } };
    }

    /// <summary>Waits for the answer of a turn that the gateway resumes after its restart.</summary>
    private async ValueTask<List<AgentReply>> LateAsync(Guid turn, TimeSpan longest, CancellationToken patience, CancellationToken stop)
    {
        LogLate(logger, turn);
        try
        {
            var reply = await late.WaitAsync(turn, patience).ConfigureAwait(false);
            var replies = new List<AgentReply>();
            foreach (var part in reply.Parts.OrderBy(part => part.Key).Select(part => part.Value))
            {
                replies.Add(new AgentReply(part.Text, Attachment: part.Files.Count > 0 ? part.Files[0] : null));
                foreach (var file in part.Files.Skip(1)) replies.Add(new AgentReply("", Attachment: file));
            }

            return replies;
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw new BridgeException(
                ErrorCodes.Timeout, $"The gateway was killed in the turn and its answer didn't come within {longest.TotalSeconds:0} s after its restart.");
        }
    }

    /// <summary>
    /// The next event. Our own time-out cancels the gateway's turn, too; a stop of the host doesn't: the gateway finishes the turn, and
    /// the host takes it up again after its restart.
    /// </summary>
    private async ValueTask<bool> NextAsync(
        IAsyncEnumerator<AgentEvent> events, EstablishedLink link, RunningTurn running, TimeSpan longest, CancellationToken timeout, CancellationToken stop)
    {
        try
        {
            return await events.MoveNextAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !stop.IsCancellationRequested)
        {
            await CancelAsync(link, running).ConfigureAwait(false);
            throw new BridgeException(ErrorCodes.Timeout, $"The gateway's agent took longer than {longest.TotalSeconds:0} s; the turn was cancelled.");
        }
    }

    private async Task CancelAsync(EstablishedLink link, RunningTurn running)
    {
        try
        {
            await link.CallAsync(
                "link.cancelTurn",
                new CancelTurnParameters(running.Id),
                LinkJson.Relaxed.CancelTurnParameters,
                LinkJson.Relaxed.Nothing,
                CancellationToken.None).ConfigureAwait(false);
        }
        catch (BridgeException fault)
        {
            // The turn is over for us in any case; the gateway may still work on it.
            LogCancelFailed(logger, running.Id, fault.Code);
        }
    }

    /// <summary>Files reach the plugin before their turn does; one that the gateway refuses is named in the text.</summary>
    private async ValueTask<(List<LinkMedia>? Media, string Notes)> GiveFilesAsync(EstablishedLink link, InboundMessage message, CancellationToken cancellationToken)
    {
        if (message.Attachments is not { Count: > 0 } attachments) return (null, "");
        var media = new List<LinkMedia>(attachments.Count);
        var notes = "";
        foreach (var attachment in attachments)
        {
            var (file, note) = await files.GiveAsync(link, channels.GatewayIdOf(message.Channel), message.AccountId, attachment, cancellationToken).ConfigureAwait(false);
            if (file is not null) media.Add(file);
            if (note is not null) notes += notes.Length == 0 ? note : "\n" + note;
        }

        return (media, notes);
    }

    private TurnParameters Describe(
        EstablishedLink link, AgentTurn turn, string turnId, bool collect, string replyTo, List<LinkMedia>? media, string notes)
    {
        var message = turn.Message;
        var channel = channels.GatewayIdOf(message.Channel);
        var agentId = session.Find(channel, message.AccountId)?.AgentId ?? "main";
        var prompt = turn.Request is { } request
            ? GatewayPrompt.Of(turn, request, agentId)
            : new GatewayPrompt(GatewaySession.KeyOf(agentId, channels.GatewayKeyOf(message.Channel, message.SessionKey)), message.Text, null);
        return new TurnParameters
        {
            TurnId = turnId,
            MessageId = turn.Id.ToString("D"),
            Channel = channel,
            AccountId = message.AccountId,
            SessionKey = prompt.SessionKey,
            AgentId = GatewaySession.AgentOf(prompt.SessionKey),
            Route = message.Route,
            IsGroup = message.IsGroup,
            ConversationId = message.Route,
            SenderId = message.SenderId,
            Subject = message.Subject ?? message.SenderId,
            Door = message.Door switch
            {
                Door.Gateway => "gateway",
                Door.Channel when link.Owns(channel) => "channel",
                _ => "own",
            },
            Text = notes.Length == 0 ? prompt.Text : prompt.Text.Length == 0 ? notes : $"{prompt.Text}\n{notes}",
            Collect = collect ? true : null,
            Files = collect && turn.Request is null ? true : null,
            Instructions = prompt.Instructions,
            IsCommand = message.IsCommand,
            Commands = message.Rules?.Commands,
            TaskKey = message.TaskKey,
            Timestamp = message.AcceptedAt,
            Media = media,
            ReplyTo = replyTo,
            Traceparent = Activity.Current?.Id ?? message.TraceParent,
        };
    }

    /// <summary>
    /// Where answers go. What waits for its answer has no target that people could write: a request's answer can't be sent later at all, a
    /// turn's ends the turn.
    /// </summary>
    private ValueTask<string> ReplyToAsync(AgentTurn turn, bool collect, CancellationToken cancellationToken)
    {
        var message = turn.Message;
        if (turn.Request is not null) return ValueTask.FromResult($"responses:{turn.Id:N}");
        return collect
            ? ValueTask.FromResult(LateReplies.TargetOf(turn.Id))
            : channels.Require(message.Channel).FormatTargetAsync(message.SessionKey, message.Route, cancellationToken);
    }

    [LoggerMessage(LogEvents.OpenClawAgentLate, LogLevel.Information, "The gateway knows turn {Turn} from before its restart; its answer is waited for.")]
    private static partial void LogLate(ILogger logger, Guid turn);

    [LoggerMessage(LogEvents.OpenClawAgentCancelFailed, LogLevel.Warning, "Turn {Turn} timed out and the gateway couldn't be told to cancel it ({Code}).")]
    private static partial void LogCancelFailed(ILogger logger, string turn, string code);
}
