using System.Diagnostics;
using System.Runtime.CompilerServices;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.OpenClaw;

/// <summary>
/// The agent of the OpenClaw gateway. A turn goes out by <c>link.turn</c>; partial text comes back as events. Finished replies to a channel's message come
/// by <c>link.send</c> through the gateway's own durable queue into the outbox, so this agent yields none; those to an Open Responses request come as
/// events, too. The gateway deduplicates by the message id, which is the inbox id and the same in every attempt.
/// </summary>
internal sealed partial class OpenClawAgent(
    LinkSession session, TurnMemory memory, ChannelDirectory channels, LinkMediaDesk files, LinkOptions options, TimeProvider time, ILogger<OpenClawAgent> logger) : IAgent
{
    public string Name => "openclaw";

    public bool MayRewrite => true;

    public bool ReadsSpool => true;

    public Task WaitUntilAvailableAsync(CancellationToken cancellationToken) => session.WaitAsync(cancellationToken);

    public async IAsyncEnumerable<AgentEvent> RunAsync(AgentTurn turn, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(turn);
        var collect = turn.Request is not null;
        if (turn.Request is { ToolChoice: { Mode: "required" } } request && request.Tools.Count > 0)
        {
            throw new BridgeException(
                ErrorCodes.InvalidRequest,
                "The agent 'openclaw' has the gateway's tools and can't be made to call yours; an agent of kind 'responses' at the gateway's own /v1/responses can.");
        }

        var link = session.Require();
        if (!collect) memory.Remember(turn.Id, turn.Message);
        using var timeout = new CancellationTokenSource(options.TurnTimeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        var running = link.OpenTurn(Guid.NewGuid().ToString("N"), collect);
        var answered = false;
        try
        {
            var (media, notes) = await GiveFilesAsync(link, turn.Message, linked.Token).ConfigureAwait(false);
            var parameters = await DescribeAsync(turn, running.Id, media, notes, linked.Token).ConfigureAwait(false);
            await link.CallAsync(
                "link.turn", parameters, LinkJson.Relaxed.TurnParameters, LinkJson.Relaxed.Nothing, linked.Token).ConfigureAwait(false);
            var events = running.ReadAsync(linked.Token).GetAsyncEnumerator(CancellationToken.None);
            await using (events.ConfigureAwait(false))
            {
                while (await NextAsync(events, link, running, timeout.Token, cancellationToken).ConfigureAwait(false))
                {
                    answered |= events.Current is AgentReply;
                    yield return events.Current;
                }
            }

            // An agent that has nothing to say gives an empty answer to somebody who waits for one.
            if (collect && !answered) yield return new AgentReply("");
            if (!collect) await memory.EndedAsync(turn.Id, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            // Nobody waits for the answer any more: the gateway needn't go on. A channel's turn it finishes, and the host takes it up again.
            if (collect && !running.Ended && !link.Ended) _ = CancelAsync(link, running);
            link.CloseTurn(running);
            session.CountTurn(running);
        }
    }

    /// <summary>
    /// The next event. Our own time-out cancels the gateway's turn, too; a stop of the host doesn't: the gateway finishes the turn, and the host takes
    /// it up again after its restart.
    /// </summary>
    private async ValueTask<bool> NextAsync(
        IAsyncEnumerator<AgentEvent> events, EstablishedLink link, RunningTurn running, CancellationToken timeout, CancellationToken stop)
    {
        try
        {
            return await events.MoveNextAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !stop.IsCancellationRequested)
        {
            await CancelAsync(link, running).ConfigureAwait(false);
            throw new BridgeException(ErrorCodes.Timeout, $"The gateway's agent took longer than {options.TurnTimeout.TotalSeconds:0} s; the turn was cancelled.");
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
            var (file, note) = await files.GiveAsync(link, message.AccountId, attachment, cancellationToken).ConfigureAwait(false);
            if (file is not null) media.Add(file);
            if (note is not null) notes += notes.Length == 0 ? note : "\n" + note;
        }

        return (media, notes);
    }

    private async ValueTask<TurnParameters> DescribeAsync(
        AgentTurn turn, string turnId, List<LinkMedia>? media, string notes, CancellationToken cancellationToken)
    {
        var message = turn.Message;
        // What waits for its answer has no target: nothing can be sent to it later.
        var replyTo = turn.Request is null
            ? await channels.Require(message.Channel).FormatTargetAsync(message.SessionKey, message.Route, cancellationToken).ConfigureAwait(false)
            : $"responses:{turn.Id:N}";
        var prompt = turn.Request is { } request ? GatewayPrompt.Of(turn, request) : new GatewayPrompt(message.SessionKey, message.Text, null);
        return new TurnParameters
        {
            TurnId = turnId,
            MessageId = turn.Id.ToString("D"),
            Channel = message.Channel,
            AccountId = message.AccountId,
            SessionKey = prompt.SessionKey,
            Route = message.Route,
            IsGroup = message.IsGroup,
            ConversationId = message.Route,
            SenderId = message.SenderId,
            Subject = message.Subject ?? message.SenderId,
            Door = message.Door == Door.Gateway ? "gateway" : "own",
            Text = notes.Length == 0 ? prompt.Text : prompt.Text.Length == 0 ? notes : $"{prompt.Text}\n{notes}",
            Collect = turn.Request is null ? null : true,
            Instructions = prompt.Instructions,
            IsCommand = message.IsCommand,
            TaskKey = message.TaskKey,
            Timestamp = message.AcceptedAt,
            Media = media,
            ReplyTo = replyTo,
            Traceparent = Activity.Current?.Id ?? message.TraceParent,
        };
    }

    [LoggerMessage(4311, LogLevel.Warning, "Turn {Turn} timed out and the gateway couldn't be told to cancel it ({Code}).")]
    private static partial void LogCancelFailed(ILogger logger, string turn, string code);
}
