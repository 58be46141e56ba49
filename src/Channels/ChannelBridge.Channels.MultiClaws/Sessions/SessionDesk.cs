using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Channels.MultiClaws.Agents;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.MultiClaws.Sessions;

/// <summary>
/// The sessions of this host: started, gone on with, looked at, awaited and ended here. They are in memory as far as their heads go, and on disk whole; one host of a store
/// holds them all.
/// </summary>
internal sealed partial class SessionDesk(
    SessionBook book,
    SessionWriter writer,
    SessionRunner runner,
    IAgentBook agents,
    IHostClaims claims,
    MultiClawsOptions options,
    TimeProvider time,
    ILogger<SessionDesk> logger,
    IOwnPlace? place = null) : IDisposable
{
    /// <summary>Sessions that one call may wait for.</summary>
    public const int MaxAwaited = 1000;

    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan PruneEvery = TimeSpan.FromHours(1);
    private static readonly TimeSpan SettleEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(1);
    private readonly ConcurrentDictionary<string, LiveSession> _sessions = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<LiveSession, Task> _work = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _room = new(1);
    private TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private CancellationToken _held = CancellationToken.None;
    private Task _running = Task.CompletedTask;
    private int _coming;

    /// <summary>How many sessions stand how.</summary>
    public IReadOnlyDictionary<string, int> Counts =>
        _sessions.Values.GroupBy(static session => session.Head.Status).ToDictionary(static group => group.Key, static group => group.Count());

    /// <summary>Begins to hold the sessions, once no other host of the store does.</summary>
    public void Start() => _running = HoldAsync(_stop.Token);

    /// <summary>Stops; what is at work goes on after the next start.</summary>
    public async ValueTask StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll([_running, .. _work.Values]).WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Dispose();
        _room.Dispose();
    }

    /// <summary>Starts a session. It is on disk when this completes.</summary>
    /// <param name="request">What is asked of whom.</param>
    /// <param name="cancellationToken">Gives up before anything is written.</param>
    public async ValueTask<StartOutcome> StartAsync(StartRequest request, CancellationToken cancellationToken)
    {
        await ReadyAsync(cancellationToken).ConfigureAwait(false);
        CheckSize(request.Message);
        if (await agents.FindAsync(request.AgentUrl, cancellationToken).ConfigureAwait(false) is not { } agent)
            return new StartOutcome("", SessionStatus.Failed, $"unknown agent: {request.AgentUrl}");
        var (chain, refused) = Chains.Next(request.Chain, place?.SelfUrl, agent.Url);
        if (refused is not null) return new StartOutcome("", SessionStatus.Failed, refused);
        await MakeRoomAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var now = Now();
            var head = new SessionHead
            {
                SessionId = Guid.NewGuid().ToString("D"),
                AgentUrl = agent.Url,
                AgentName = agent.Name,
                ContextId = Guid.NewGuid().ToString("D"),
                Status = SessionStatus.Active,
                CreatedAtMs = now,
                TimeoutMs = request.TimeoutMs,
                Origin = request.Origin,
                Chain = chain,
            };
            var step = SessionMachine.Say(head, request.Message, now)!;
            var session = new LiveSession(head);
            await writer.WriteAsync(session, step, cancellationToken).ConfigureAwait(false);
            _sessions[head.SessionId] = session;
            Kick(session);
            return new StartOutcome(head.SessionId, "running", null);
        }
        finally
        {
            Interlocked.Decrement(ref _coming);
        }
    }

    /// <summary>Sends a further message, after those that the other agent hasn't answered yet.</summary>
    /// <returns>Null: it will be sent; else why it won't.</returns>
    public async ValueTask<string?> ReplyAsync(string sessionId, string text, CancellationToken cancellationToken)
    {
        await ReadyAsync(cancellationToken).ConfigureAwait(false);
        CheckSize(text);
        if (!_sessions.TryGetValue(sessionId, out var session)) return "session not found";
        if (!session.Head.Ended && await agents.FindAsync(session.Head.AgentUrl, cancellationToken).ConfigureAwait(false) is null)
        {
            await runner.EndAsync(session, SessionStatus.Failed, "agent no longer registered", quietly: true, cancellationToken).ConfigureAwait(false);
            return "agent no longer registered";
        }

        await session.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (session.Head.Pending.Count >= SessionMachine.MaxPending)
                throw BridgeException.Busy($"{SessionMachine.MaxPending} messages of the session wait already; wait until the agent has answered.", Again);
            if (SessionMachine.Say(session.Head, text, Now()) is not { } step) return $"session is {session.Head.Status}, cannot send message";
            await writer.WriteAsync(session, step, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            session.Gate.Release();
        }

        Kick(session);
        return null;
    }

    /// <summary>Ends a session.</summary>
    /// <returns>False: there is none, or it had ended before.</returns>
    public async ValueTask<bool> EndAsync(string sessionId, CancellationToken cancellationToken)
    {
        await ReadyAsync(cancellationToken).ConfigureAwait(false);
        if (!_sessions.TryGetValue(sessionId, out var session)) return false;
        var ended = await runner.EndAsync(session, SessionStatus.Canceled, null, quietly: true, cancellationToken).ConfigureAwait(false);
        Kick(session);
        return ended;
    }

    /// <summary>A session with its messages; what its agent is saying right now is the last of them. Null: there is none.</summary>
    public async ValueTask<ConversationSession?> FindAsync(string sessionId, CancellationToken cancellationToken)
    {
        await ReadyAsync(cancellationToken).ConfigureAwait(false);
        return _sessions.TryGetValue(sessionId, out var session) ? await ViewAsync(session, cancellationToken).ConfigureAwait(false) : null;
    }

    /// <summary>The sessions by their last change, with their messages as far as they fit; what doesn't is asked for by itself.</summary>
    public async ValueTask<IReadOnlyList<ConversationSession>> ListAsync(int most, CancellationToken cancellationToken)
    {
        await ReadyAsync(cancellationToken).ConfigureAwait(false);
        var found = new List<ConversationSession>();
        long left = SessionMachine.MaxBytes;
        foreach (var session in _sessions.Values.OrderByDescending(static session => session.Head.UpdatedAtMs).Take(most))
        {
            left -= session.Head.Sizes.Sum(static size => (long)size);
            found.Add(left >= 0
                ? await ViewAsync(session, cancellationToken).ConfigureAwait(false)
                : ConversationSession.Of(session.Head, [], null) with { Truncated = true });
        }

        return found;
    }

    /// <summary>Waits until all of some sessions have ended, one asks, or the time is up. What isn't known isn't waited for.</summary>
    public async ValueTask<WaitOutcome> WaitAsync(IReadOnlyList<string> sessionIds, TimeSpan timeout, CancellationToken cancellationToken)
    {
        await ReadyAsync(cancellationToken).ConfigureAwait(false);
        if (sessionIds.Count > MaxAwaited) throw BridgeException.Invalid($"at most {MaxAwaited} sessions can be waited for at once");
        var known = sessionIds.Distinct(StringComparer.Ordinal).Select(id => _sessions.GetValueOrDefault(id)).OfType<LiveSession>().ToList();
        var timedOut = false;
        if (known.Count > 0)
        {
            var waiter = new SessionWaiter(known.Count);
            foreach (var session in known) session.Add(waiter);
            try
            {
                await waiter.Done.WaitAsync(timeout, time, cancellationToken).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                timedOut = true;
            }
            finally
            {
                foreach (var session in known) session.Remove(waiter);
            }
        }

        var results = new List<SessionResult>(sessionIds.Count);
        foreach (var id in sessionIds)
        {
            if (!_sessions.TryGetValue(id, out var session))
            {
                results.Add(new SessionResult(id, "unknown", "not_found", null, null));
                continue;
            }

            var head = session.Head;
            var last = await book.MessageAsync(id, head.LastAgent, cancellationToken).ConfigureAwait(false);
            results.Add(new SessionResult(id, head.AgentName, head.Status, last?.Content, head.Error));
        }

        return new WaitOutcome(results, timedOut);
    }

    /// <summary>Takes over a session of another program. One that is there stays as it is.</summary>
    public async ValueTask<bool> ImportAsync(SessionHead head, IReadOnlyList<SessionMessage> messages, CancellationToken cancellationToken)
    {
        await ReadyAsync(cancellationToken).ConfigureAwait(false);
        if (_sessions.ContainsKey(head.SessionId)) return false;
        await MakeRoomAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var session = new LiveSession(head);
            var step = new SessionStep(head, [.. messages.Select((message, at) => (head.First + at, message))], [], null);
            await writer.WriteAsync(session, step, cancellationToken).ConfigureAwait(false);
            return _sessions.TryAdd(head.SessionId, session);
        }
        finally
        {
            Interlocked.Decrement(ref _coming);
        }
    }

    /// <summary>Deletes what was kept long enough after its end.</summary>
    public async ValueTask PruneAsync(CancellationToken cancellationToken)
    {
        var before = Now() - (long)options.SessionRetention.TotalMilliseconds;
        await RemoveAsync([.. _sessions.Values.Where(session => IsDone(session) && session.Head.UpdatedAtMs < before)], cancellationToken).ConfigureAwait(false);
    }

    private static void CheckSize(string text)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(text) > SessionMachine.MaxMessageBytes)
            throw new BridgeException(ErrorCodes.PayloadTooLarge, $"a message has at most {SessionMachine.MaxMessageBytes} bytes");
    }

    private static bool IsDone(LiveSession session) => session.Head is { Ended: true, CancelTask: null, Owed: null };

    /// <summary>Takes a place among the sessions; the caller gives it back once its session is there.</summary>
    private async ValueTask MakeRoomAsync(CancellationToken cancellationToken)
    {
        await _room.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_sessions.Count + _coming >= options.MaxSessions)
            {
                var oldest = _sessions.Values.Where(IsDone).OrderBy(static session => session.Head.UpdatedAtMs).Take(Math.Max(1, options.MaxSessions / 4)).ToList();
                if (oldest.Count == 0)
                    throw BridgeException.Busy($"{options.MaxSessions} sessions are open; end some, or wait until some have ended.", TimeSpan.FromSeconds(10));
                await RemoveAsync(oldest, cancellationToken).ConfigureAwait(false);
            }

            Interlocked.Increment(ref _coming);
        }
        finally
        {
            _room.Release();
        }
    }

    private async ValueTask RemoveAsync(List<LiveSession> gone, CancellationToken cancellationToken)
    {
        await book.RemoveAsync(gone.Select(static session => session.Head), cancellationToken).ConfigureAwait(false);
        foreach (var session in gone) _sessions.TryRemove(session.Head.SessionId, out _);
    }

    private async ValueTask<ConversationSession> ViewAsync(LiveSession session, CancellationToken cancellationToken)
    {
        var (head, growing) = (session.Head, session.Growing());
        var messages = await book.MessagesAsync(head, cancellationToken).ConfigureAwait(false);
        var live = growing is { } told && !session.Head.Ended ? new SessionMessage { Role = "agent", Content = told.Text, TimestampMs = Now(), TaskId = told.TaskId } : null;
        return ConversationSession.Of(head, messages, live);
    }

    private async ValueTask ReadyAsync(CancellationToken cancellationToken)
    {
        _asked.TrySetResult();
        if (_ready.Task.IsCompleted && !_held.IsCancellationRequested) return;
        try
        {
            await _ready.Task.WaitAsync(StartPatience, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw BridgeException.Unavailable("Another host of this store holds the sessions; ask that one.", TimeSpan.FromSeconds(10));
        }
    }

    /// <summary>Holds the sessions for as long as this host may.</summary>
    private async Task HoldAsync(CancellationToken stop)
    {
        await NeededAsync(stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (stop.IsCancellationRequested) return;
        var claim = claims.Take("multiclaws/sessions");
        await using (claim.ConfigureAwait(false))
        {
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    var held = await claim.HeldAsync(stop).ConfigureAwait(false);
                    using var either = CancellationTokenSource.CreateLinkedTokenSource(held, stop);
                    await ServeAsync(held, either.Token).ConfigureAwait(false);
                }
                catch (OperationCanceledException)
                {
                    // Stopped, or another host holds them now.
                }
                catch (BridgeException fault)
                {
                    LogFault(logger, fault.Code);
                    await Task.Delay(Again, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }

                if (_ready.Task.IsCompleted) _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
                await Task.WhenAll(_work.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                _sessions.Clear();
            }
        }
    }

    /// <summary>
    /// Completes when there is a session, or somebody asks for one: a claim that several hosts share is written anew all the time, for nothing where nobody has sessions.
    /// </summary>
    private async Task NeededAsync(CancellationToken stop)
    {
        while (!_asked.Task.IsCompleted)
        {
            try
            {
                if ((await book.LoadAsync(stop).ConfigureAwait(false)).Count > 0) return;
            }
            catch (BridgeException fault)
            {
                LogFault(logger, fault.Code);
            }

            await Task.WhenAny(_asked.Task, Task.Delay(SettleEvery, time, stop)).ConfigureAwait(false);
            stop.ThrowIfCancellationRequested();
        }
    }

    private async Task ServeAsync(CancellationToken held, CancellationToken until)
    {
        foreach (var head in await book.LoadAsync(until).ConfigureAwait(false)) _sessions[head.SessionId] = new LiveSession(head);
        _held = until;
        foreach (var session in _sessions.Values) Kick(session);
        _ready.TrySetResult();
        var pruned = long.MinValue;
        while (true)
        {
            var now = time.GetTimestamp();
            if (pruned == long.MinValue || time.GetElapsedTime(pruned, now) >= PruneEvery)
            {
                pruned = now;
                await PruneAsync(until).ConfigureAwait(false);
            }

            foreach (var session in _sessions.Values.Where(static session => session.Head.Owed is not null)) await SettleAsync(session, until).ConfigureAwait(false);
            await Task.Delay(SettleEvery, time, until).ConfigureAwait(false);
        }
    }

    private async ValueTask SettleAsync(LiveSession session, CancellationToken cancellationToken)
    {
        await session.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await writer.SettleAsync(session, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            session.Gate.Release();
        }
    }

    private void Kick(LiveSession session)
    {
        if (session.Head is { CancelTask: null } head && (head.Ended || head.Pending.Count == 0)) return;
        if (!session.Begin()) return;
        var until = _held;
        var work = Task.Run(() => WorkAsync(session, until), CancellationToken.None);
        _work[session] = work;
        if (work.IsCompleted) _work.TryRemove(KeyValuePair.Create(session, work));
    }

    private async Task WorkAsync(LiveSession session, CancellationToken until)
    {
        do
        {
            try
            {
                await runner.RunAsync(session, until).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (until.IsCancellationRequested)
            {
                break;
            }
            catch (BridgeException fault)
            {
                // The store says no to a look: later it may not.
                LogFault(logger, fault.Code);
                await Task.Delay(Again, time, until).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                session.Begin();
            }
            catch (Exception fault) when (fault is not OperationCanceledException)
            {
                // Nothing of a fault of ours may end the others' work; the session goes on after the next start.
                LogUnexpected(logger, fault, session.Head.SessionId);
            }
        }
        while (!session.Finish() && !until.IsCancellationRequested);
        _work.TryRemove(session, out _);
    }

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();

    [LoggerMessage(LogEvents.SessionDeskUnexpected, LogLevel.Error, "The work of the session {Session} has failed.")]
    private static partial void LogUnexpected(ILogger logger, Exception fault, string session);

    [LoggerMessage(LogEvents.SessionDeskFault, LogLevel.Warning, "The sessions could not be read or written ({Code}); it is tried again.")]
    private static partial void LogFault(ILogger logger, string code);
}
