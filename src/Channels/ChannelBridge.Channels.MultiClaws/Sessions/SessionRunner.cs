using ChannelBridge.A2A;
using ChannelBridge.A2A.Client;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.MultiClaws.Agents;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.MultiClaws.Sessions;

/// <summary>
/// Does a session's work at the other agent: sends what is to be sent, follows its task to the end whatever restarts in between, and cancels there what nobody waits for
/// any more. One piece of work at a time in a session, a bounded number of turns in all.
/// </summary>
internal sealed partial class SessionRunner(
    IAgentBook agents,
    AgentClients clients,
    SessionBook book,
    SessionWriter writer,
    MultiClawsOptions options,
    TimeProvider time,
    Random random,
    ILogger<SessionRunner> logger) : IDisposable
{
    // An agent of which nothing was ever heard isn't asked for longer than that.
    private static readonly TimeSpan NoContact = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LookTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan CancelPatience = TimeSpan.FromHours(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan GrowthEvery = TimeSpan.FromMilliseconds(500);
    private readonly SemaphoreSlim _slots = new(options.MaxConcurrentSessions);

    /// <inheritdoc/>
    public void Dispose() => _slots.Dispose();

    /// <summary>Does what there is to do in a session; returns when nothing is left.</summary>
    public async Task RunAsync(LiveSession session, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            if (session.Head.CancelTask is not null)
            {
                await CancelAsync(session, stop).ConfigureAwait(false);
                continue;
            }

            if (session.Head.Ended || session.Head.Pending.Count == 0) return;
            await _slots.WaitAsync(stop).ConfigureAwait(false);
            try
            {
                await TurnAsync(session, stop).ConfigureAwait(false);
            }
            finally
            {
                _slots.Release();
            }
        }
    }

    /// <summary>Ends a session from this side; what it runs at the other agent is cancelled afterwards.</summary>
    /// <returns>False: it had ended before.</returns>
    public async ValueTask<bool> EndAsync(LiveSession session, string status, string? error, bool quietly, CancellationToken cancellationToken)
    {
        await session.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var step = SessionMachine.End(session.Head, status, error, session.IsSending, Now());
            if (step is null) return false;
            await writer.WriteAsync(session, quietly ? step with { Notice = null } : step, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            session.Gate.Release();
        }

        // A message whose task isn't known yet is followed a little longer, so that the task can be cancelled.
        session.Abort(session.Head.CancelTask is { Length: 0 } ? LookTimeout : TimeSpan.Zero);
        return true;
    }

    private async Task TurnAsync(LiveSession session, CancellationToken stop)
    {
        var head = session.Head;
        if (head.Ended || head.Pending.Count == 0) return;
        var number = head.Pending[0];
        if (await agents.FindAsync(head.AgentUrl, stop).ConfigureAwait(false) is not { } agent)
        {
            await InsistAsync(token => EndAsync(session, SessionStatus.Failed, "agent no longer registered", quietly: false, token), stop).ConfigureAwait(false);
            return;
        }

        var message = await book.MessageAsync(head.SessionId, number, stop).ConfigureAwait(false);
        var begun = head.Turn is { } mark && mark.Number == number ? mark : null;
        var deadline = begun?.DeadlineMs ?? Now() + (head.TimeoutMs ?? (long)options.SessionTimeout.TotalMilliseconds);
        using var late = new CancellationTokenSource(TimeSpan.FromMilliseconds(Math.Max(1, deadline - Now())), time);
        using var abort = new CancellationTokenSource();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, abort.Token, stop);
        var turn = new SessionTurn(session, agent, number, message?.Content ?? "", begun?.TaskId, deadline, abort, either.Token);
        try
        {
            if (message is null) turn.Remote.Fail("the message is no longer there");
            await FollowAsync(turn, stop).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return;
        }
        catch (OperationCanceledException) when (abort.IsCancellationRequested)
        {
            return;
        }
        catch (OperationCanceledException)
        {
            await InsistAsync(token => EndAsync(session, SessionStatus.Failed, SessionMachine.TimedOut, quietly: false, token), stop).ConfigureAwait(false);
            return;
        }
        finally
        {
            await turn.Saving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            session.Leave();
        }

        await InsistAsync(token => ChangeAsync(session, now => SessionMachine.Came(now, turn.Remote, Now()), token), stop).ConfigureAwait(false);
    }

    /// <summary>Sends the message, or goes on with its task, until the turn has come out.</summary>
    private async Task FollowAsync(SessionTurn turn, CancellationToken stop)
    {
        var began = time.GetTimestamp();
        for (var attempt = 0; turn.Remote.Outcome is RemoteOutcome.None; attempt++)
        {
            TimeSpan? after = null;
            try
            {
                await clients.WithAsync(turn.Agent, async client =>
                {
                    await TryAsync(turn, client, attempt, stop).ConfigureAwait(false);
                    return true;
                }).ConfigureAwait(false);
            }
            catch (A2AException fault) when (fault.Retryable || fault.Fault is A2AFault.StreamBroken or A2AFault.SilenceTimeout)
            {
                if (!turn.Heard && time.GetElapsedTime(began) > NoContact)
                {
                    turn.Remote.Fail(fault.Message);
                    return;
                }

                LogRetries(logger, turn.Session.Head.SessionId, fault.Fault);
                after = fault.RetryAfter;
            }
            catch (A2AException fault)
            {
                turn.Remote.Fail(fault.Error == A2AError.TaskNotFound && turn.TaskId is not null ? "the agent no longer knows the task" : fault.Message);
                return;
            }
            catch (Exception fault) when (fault is not OperationCanceledException and not BridgeException)
            {
                LogUnexpected(logger, fault, turn.Session.Head.SessionId);
                turn.Remote.Fail("the agent's answer can't be understood");
                return;
            }

            if (turn.Remote.Outcome is RemoteOutcome.None) await PauseAsync(attempt, after, turn.Either).ConfigureAwait(false);
        }
    }

    private async Task TryAsync(SessionTurn turn, A2AClient client, int attempt, CancellationToken stop)
    {
        if (turn.TaskId is null)
        {
            var isOld = (await client.GetInterfaceAsync(turn.Either).ConfigureAwait(false)).ProtocolVersion.StartsWith("0.", StringComparison.Ordinal);
            turn.Begin(isOld);
            var (head, waits) = (turn.Session.Head, turn.Session.Head.TaskWaits);
            // Whether our answer has arrived is seen at the task itself.
            if (waits && (attempt > 0 || head.Turn is not null) && await HasAsync(turn, client, head).ConfigureAwait(false)) turn.Know(head.CurrentTaskId!);
            else
            {
                var request = turn.Request();
                turn.Session.IsSending = true;
                await TakeAsync(turn, client.StreamAsync(request, turn.Either), stop).ConfigureAwait(false);
                return;
            }
        }

        turn.Begin(isOld: false);
        var task = await client.GetTaskAsync(new GetTaskRequest { Id = turn.TaskId! }, turn.Either).ConfigureAwait(false);
        Take(turn, new StreamItem { Task = task }, stop);
        if (turn.Remote.Outcome is not RemoteOutcome.None || TaskStates.EndsStream(task.Status.State)) return;
        try
        {
            await TakeAsync(turn, client.SubscribeAsync(new SubscribeRequest { Id = turn.TaskId! }, turn.Either), stop).ConfigureAwait(false);
        }
        catch (A2AException fault) when (fault.Error == A2AError.UnsupportedOperation)
        {
            // It has ended in between: the next look tells.
        }
    }

    private static async Task<bool> HasAsync(SessionTurn turn, A2AClient client, SessionHead head)
    {
        var task = await client.GetTaskAsync(new GetTaskRequest { Id = head.CurrentTaskId! }, turn.Either).ConfigureAwait(false);
        return !TaskStates.IsInterrupted(task.Status.State)
            || (task.History ?? []).Any(said => said.Role is MessageRole.User && said.MessageId == head.MessageIdOf(turn.Number));
    }

    private async Task TakeAsync(SessionTurn turn, IAsyncEnumerable<StreamItem> items, CancellationToken stop)
    {
        await foreach (var item in items.ConfigureAwait(false))
        {
            Take(turn, item, stop);
            if (turn.Remote.Outcome is not RemoteOutcome.None) return;
        }
    }

    private void Take(SessionTurn turn, StreamItem item, CancellationToken stop)
    {
        turn.Heard = true;
        var session = turn.Session;
        if (!session.With(turn.Remote, remote => remote.Apply(item))) return;
        if (turn.TaskId is null && turn.Remote.TaskId is { } task)
        {
            turn.Know(task);
            // What comes next needn't wait for the disk; the turn's end does.
            turn.Saving = SaveAsync(turn, task, stop);
        }

        // Somebody has ended the session while its task wasn't known: it is now.
        if (session.Head.Ended && turn.TaskId is not null) session.Abort(TimeSpan.Zero);
        if (turn.Remote.Outcome is RemoteOutcome.None && time.GetElapsedTime(turn.GrewAt) >= GrowthEvery)
        {
            turn.GrewAt = time.GetTimestamp();
            if (session.Growing() is { } growing) writer.Grew(session.Head, growing.Text.Length);
        }
    }

    /// <summary>Writes which task our message has become. Who ends the session before that finds a message whose task isn't known: it becomes known by this.</summary>
    private async Task SaveAsync(SessionTurn turn, string task, CancellationToken stop)
    {
        var session = turn.Session;
        await InsistAsync(token => ChangeAsync(session, now => SessionMachine.Began(now, task, turn.Remote.ContextId, turn.DeadlineMs, Now()), token), stop)
            .ConfigureAwait(false);
        session.IsSending = false;
        if (session.Head.Ended) session.Abort(TimeSpan.Zero);
    }

    /// <summary>Cancels at the other agent what a session that has ended here has left there.</summary>
    private async Task CancelAsync(LiveSession session, CancellationToken stop)
    {
        var head = session.Head;
        var agent = await agents.FindAsync(head.AgentUrl, stop).ConfigureAwait(false);
        for (var attempt = 0; agent is not null; attempt++)
        {
            try
            {
                await clients.WithAsync(agent, client => CancelAsync(session, client, stop)).ConfigureAwait(false);
                break;
            }
            catch (Exception fault) when (fault is A2AException or OperationCanceledException && !stop.IsCancellationRequested)
            {
                var isOver = fault is A2AException { Retryable: false } || Now() - head.UpdatedAtMs > CancelPatience.TotalMilliseconds;
                if (isOver)
                {
                    LogNotCanceled(logger, head.SessionId, (fault as A2AException)?.Fault ?? A2AFault.FirstAnswerTimeout);
                    break;
                }
            }

            await PauseAsync(attempt, null, stop).ConfigureAwait(false);
        }

        await InsistAsync(token => ChangeAsync(session, static now => new SessionStep(SessionMachine.Settled(now), [], [], null), token), stop).ConfigureAwait(false);
    }

    private async Task<bool> CancelAsync(LiveSession session, A2AClient client, CancellationToken stop)
    {
        using var patience = new CancellationTokenSource(LookTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, stop);
        var task = session.Head.CancelTask;
        if (task is { Length: 0 })
        {
            // Sent again under the same id, it tells its task. Old agents would do it twice instead.
            var isOld = (await client.GetInterfaceAsync(either.Token).ConfigureAwait(false)).ProtocolVersion.StartsWith("0.", StringComparison.Ordinal);
            if (isOld || session.Head.Pending.Count == 0) return false;
            var number = session.Head.Pending[0];
            if (await book.MessageAsync(session.Head.SessionId, number, stop).ConfigureAwait(false) is not { } message) return false;
            var request = SessionTurn.RequestOf(session.Head, number, message.Content) with { Configuration = new SendConfiguration { ReturnImmediately = true } };
            task = (await client.SendAsync(request, either.Token).ConfigureAwait(false)).Task?.Id;
            if (task is null) return false;
        }

        try
        {
            await client.CancelTaskAsync(new CancelTaskRequest { Id = task! }, either.Token).ConfigureAwait(false);
        }
        catch (A2AException fault) when (fault.Error == A2AError.TaskNotCancelable || fault.Error == A2AError.TaskNotFound)
        {
            // It has ended, or was never there.
        }

        return true;
    }

    private async Task<bool> ChangeAsync(LiveSession session, Func<SessionHead, SessionStep?> change, CancellationToken cancellationToken)
    {
        await session.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (change(session.Head) is not { } step) return false;
            await writer.WriteAsync(session, step, cancellationToken).ConfigureAwait(false);
            return true;
        }
        finally
        {
            session.Gate.Release();
        }
    }

    /// <summary>What has happened at the other agent can't be undone: it is written as soon as the store lets us.</summary>
    private async Task InsistAsync(Func<CancellationToken, ValueTask<bool>> write, CancellationToken stop)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await write(stop).ConfigureAwait(false);
                return;
            }
            catch (BridgeException fault) when (fault.Retryable || SessionWriter.IsStore(fault))
            {
                LogFault(logger, fault.Code);
            }

            await PauseAsync(attempt, null, stop).ConfigureAwait(false);
        }
    }

    private Task InsistAsync(Func<CancellationToken, Task<bool>> write, CancellationToken stop) => InsistAsync(token => new ValueTask<bool>(write(token)), stop);

    private Task PauseAsync(int attempt, TimeSpan? least, CancellationToken cancellationToken)
    {
        var ceiling = TimeSpan.FromMilliseconds(Math.Min(LongestPause.TotalMilliseconds, 200 * Math.Pow(2, Math.Min(attempt, 10))));
        var pause = ceiling * (0.5 + (random.NextDouble() / 2));
        if (least > pause) pause = least.Value < TimeSpan.FromSeconds(30) ? least.Value : TimeSpan.FromSeconds(30);
        return Task.Delay(pause, time, cancellationToken);
    }

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();

    [LoggerMessage(LogEvents.SessionRetries, LogLevel.Debug, "The session {Session} tries its agent again ({Fault}).")]
    private static partial void LogRetries(ILogger logger, string session, A2AFault fault);

    [LoggerMessage(LogEvents.SessionFault, LogLevel.Warning, "A change of a session could not be written yet ({Code}).")]
    private static partial void LogFault(ILogger logger, string code);

    [LoggerMessage(LogEvents.SessionUnexpected, LogLevel.Error, "The turn of the session {Session} has failed.")]
    private static partial void LogUnexpected(ILogger logger, Exception fault, string session);

    [LoggerMessage(LogEvents.SessionNotCanceled, LogLevel.Warning, "What the session {Session} began at its agent could not be cancelled there ({Fault}).")]
    private static partial void LogNotCanceled(ILogger logger, string session, A2AFault fault);
}
