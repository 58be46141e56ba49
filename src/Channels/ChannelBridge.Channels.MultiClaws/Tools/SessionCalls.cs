using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Tools;
using ChannelBridge.Channels.MultiClaws.Agents;
using ChannelBridge.Channels.MultiClaws.Sessions;

namespace ChannelBridge.Channels.MultiClaws.Tools;

/// <summary><c>session.*</c> and <c>task.*</c>, as methods for clients and as tools for agents.</summary>
internal sealed class SessionCalls(SessionDesk desk, IOwnPlace? place = null)
{
    private const string MainSession = "agent:main:main";
    private const int MostListed = 1000;
    private const long LongestMs = 7L * 24 * 3600 * 1000;
    private const long WaitMs = 300_000;

    /// <summary>The methods.</summary>
    public IEnumerable<RpcMethod> Methods =>
    [
        .. SeedMethod.Make("session.start", "session_start_failed", Scopes.Write, "Starts a session with an agent of another host; its answer comes later.",
            SessionWireJson.Relaxed.StartParams, SessionWireJson.Relaxed.StartResult, StartAsync),
        .. SeedMethod.Make("session.reply", "session_reply_failed", Scopes.Write, "Sends a further message in a session.",
            SessionWireJson.Relaxed.ReplyParams, SessionWireJson.Relaxed.ReplyResult, (parameters, call, cancellationToken) =>
                ReplyAsync(parameters.SessionId, parameters.Message, call.Caller, cancellationToken)),
        .. SeedMethod.Make("session.status", "session_status_failed", Scopes.Read, "A session with its messages, or all sessions by their last change.",
            SessionWireJson.Relaxed.StatusParams, SessionWireJson.Relaxed.StatusResult, (parameters, call, cancellationToken) =>
                StatusAsync(parameters.SessionId, parameters.Limit, call.Caller, cancellationToken)),
        .. SeedMethod.Make("session.wait_all", "session_wait_all_failed", Scopes.Read, "Waits until all of some sessions have ended, one needs input, or the time is up.",
            SessionWireJson.Relaxed.WaitParams, SessionWireJson.Relaxed.WaitOutcome, (parameters, call, cancellationToken) =>
                WaitAsync(parameters.SessionIds, parameters.TimeoutMs, call.Caller, cancellationToken)),
        .. SeedMethod.Make("session.end", "session_end_failed", Scopes.Write, "Ends a session and cancels what it runs at the other agent.",
            SessionWireJson.Relaxed.EndParams, SessionWireJson.Relaxed.EndResult, (parameters, call, cancellationToken) =>
                EndAsync(parameters.SessionId, call.Caller, cancellationToken)),
        .. SeedMethod.Make("task.delegate", "task_delegate_failed", Scopes.Write, "Gives an agent of another host a task and waits for what comes of it.",
            SessionWireJson.Relaxed.DelegateParams, SessionWireJson.Relaxed.DelegateResult, (parameters, call, cancellationToken) =>
                DelegateAsync(parameters.AgentUrl, parameters.Task, Chain.None, call.Caller, cancellationToken)),
        .. SeedMethod.Make("task.status", "task_status_failed", Scopes.Read, "How a delegated task stands.",
            SessionWireJson.Relaxed.TaskParams, SessionWireJson.Relaxed.TaskResult, (parameters, call, cancellationToken) =>
                TaskAsync(parameters.TaskId, call.Caller, cancellationToken)),
    ];

    /// <summary>The tools. What an agent starts in a conversation is told there.</summary>
    public IEnumerable<AgentTool> Tools =>
    [
        SeedMethod.Tool("multiclaws_session_start",
            "Starts a session with an agent of another host and returns its id at once. This conversation is told when the agent has finished, needs to know more, or has failed.",
            SessionWireJson.Relaxed.StartArguments, SessionWireJson.Relaxed.StartResult, async (arguments, call, cancellationToken) =>
            {
                var origin = call.SessionKey is { Length: > 0 } key ? new SessionOrigin { SessionKey = key } : null;
                return await StartAsync(arguments.AgentUrl, arguments.Message, null, origin, Chains.Of(call.Message), call.Call.Caller, cancellationToken).ConfigureAwait(false);
            }),
        SeedMethod.Tool("multiclaws_session_reply", "Sends a further message in a session: the answer to what its agent has asked, or more of the same matter.",
            SessionWireJson.Relaxed.ReplyArguments, SessionWireJson.Relaxed.ReplyResult, (arguments, call, cancellationToken) =>
                ReplyAsync(arguments.SessionId, arguments.Message, call.Call.Caller, cancellationToken)),
        SeedMethod.Tool("multiclaws_session_status", "Shows a session with everything that was said in it; without a sessionId, all sessions.",
            SessionWireJson.Relaxed.StatusArguments, SessionWireJson.Relaxed.StatusResult, (arguments, call, cancellationToken) =>
                StatusAsync(arguments.SessionId, null, call.Call.Caller, cancellationToken)),
        SeedMethod.Tool("multiclaws_session_wait_all", "Waits until all of these sessions have ended, or one of them needs input, and returns what each has answered.",
            SessionWireJson.Relaxed.WaitArguments, SessionWireJson.Relaxed.WaitOutcome, (arguments, call, cancellationToken) =>
                WaitAsync(arguments.SessionIds, arguments.TimeoutMs, call.Call.Caller, cancellationToken)),
        SeedMethod.Tool("multiclaws_session_end", "Ends a session and cancels what its agent is doing in it.",
            SessionWireJson.Relaxed.EndArguments, SessionWireJson.Relaxed.EndResult, (arguments, call, cancellationToken) =>
                EndAsync(arguments.SessionId, call.Call.Caller, cancellationToken)),
        SeedMethod.Tool("multiclaws_delegate", "Gives an agent of another host a task and waits for its answer. For what may take long, start a session instead.",
            SessionWireJson.Relaxed.DelegateArguments, SessionWireJson.Relaxed.DelegateResult, (arguments, call, cancellationToken) =>
                DelegateAsync(arguments.AgentUrl, arguments.Task, Chains.Of(call.Message), call.Call.Caller, cancellationToken)),
        SeedMethod.Tool("multiclaws_task_status", "Shows how a delegated task stands.",
            SessionWireJson.Relaxed.TaskArguments, SessionWireJson.Relaxed.TaskResult, (arguments, call, cancellationToken) =>
                TaskAsync(arguments.TaskId, call.Call.Caller, cancellationToken)),
    ];

    private ValueTask<StartResult> StartAsync(StartParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        if (parameters.TimeoutMs is <= 0 or > LongestMs) throw BridgeException.Invalid("timeoutMs must be above 0 and at most 7 days");
        return StartAsync(parameters.AgentUrl, parameters.Message, parameters.TimeoutMs, OriginOf(parameters.Origin, call.Caller), Chain.None, call.Caller, cancellationToken);
    }

    private async ValueTask<StartResult> StartAsync(
        string? agentUrl, string? message, long? timeoutMs, SessionOrigin? origin, Chain chain, Caller caller, CancellationToken cancellationToken)
    {
        Check(caller);
        var request = new StartRequest(SeedMethod.Needed(agentUrl, "agentUrl"), SeedMethod.Needed(message, "message"), timeoutMs, origin, chain);
        var outcome = await desk.StartAsync(request, cancellationToken).ConfigureAwait(false);
        return new StartResult(outcome.SessionId, outcome.Status, outcome.Error);
    }

    private async ValueTask<ReplyResult> ReplyAsync(string? sessionId, string? message, Caller caller, CancellationToken cancellationToken)
    {
        Check(caller);
        var id = SeedMethod.Needed(sessionId, "sessionId");
        var refused = await desk.ReplyAsync(id, SeedMethod.Needed(message, "message"), cancellationToken).ConfigureAwait(false);
        return new ReplyResult(id, refused is null ? "ok" : "failed", refused);
    }

    private async ValueTask<StatusResult> StatusAsync(string? sessionId, int? limit, Caller caller, CancellationToken cancellationToken)
    {
        Check(caller);
        if (limit is < 1 or > MostListed) throw BridgeException.Invalid($"limit must be 1 to {MostListed}");
        if (sessionId?.Trim() is { Length: > 0 } id)
        {
            var session = await desk.FindAsync(id, cancellationToken).ConfigureAwait(false);
            return session is null ? throw new BridgeException(ErrorCodes.NotFound, $"session not found: {id}") : StatusResult.Of(session);
        }

        return new StatusResult { Sessions = await desk.ListAsync(limit ?? MostListed, cancellationToken).ConfigureAwait(false) };
    }

    private async ValueTask<WaitOutcome> WaitAsync(IReadOnlyList<string>? sessionIds, long? timeoutMs, Caller caller, CancellationToken cancellationToken)
    {
        Check(caller);
        if (sessionIds is not { Count: > 0 }) throw BridgeException.Invalid("sessionIds must name at least one session");
        if (timeoutMs is <= 0 or > LongestMs) throw BridgeException.Invalid("timeoutMs must be above 0 and at most 7 days");
        var ids = sessionIds.Select(static id => SeedMethod.Needed(id, "sessionIds")).ToList();
        return await desk.WaitAsync(ids, TimeSpan.FromMilliseconds(timeoutMs ?? WaitMs), cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask<EndResult> EndAsync(string? sessionId, Caller caller, CancellationToken cancellationToken)
    {
        Check(caller);
        return new EndResult(await desk.EndAsync(SeedMethod.Needed(sessionId, "sessionId"), cancellationToken).ConfigureAwait(false));
    }

    private async ValueTask<DelegateResult> DelegateAsync(string? agentUrl, string? task, Chain chain, Caller caller, CancellationToken cancellationToken)
    {
        if (place is not null && await place.WhyIncompleteAsync(cancellationToken).ConfigureAwait(false) is { } incomplete) throw BridgeException.Invalid(incomplete);
        // Whoever waits is told by the answer, and by nothing else.
        var started = await StartAsync(agentUrl, SeedMethod.Needed(task, "task"), null, null, chain, caller, cancellationToken).ConfigureAwait(false);
        if (started.SessionId.Length == 0) return new DelegateResult(null, null, started.Status, started.Error);
        var outcome = await desk.WaitAsync([started.SessionId], TimeSpan.FromMilliseconds(LongestMs), cancellationToken).ConfigureAwait(false);
        var result = outcome.Results[0];
        return new DelegateResult(started.SessionId, result.LastMessage, result.Status, result.Error);
    }

    private async ValueTask<TaskResult> TaskAsync(string? taskId, Caller caller, CancellationToken cancellationToken)
    {
        Check(caller);
        var id = SeedMethod.Needed(taskId, "taskId");
        if (await desk.FindAsync(id, cancellationToken).ConfigureAwait(false) is not { } session) throw new BridgeException(ErrorCodes.NotFound, $"task not found: {id}");
        return new TaskResult(new TaskView
        {
            TaskId = id,
            ToPeerId = session.AgentUrl,
            Task = session.Messages.FirstOrDefault(static message => message.Role == "user")?.Content ?? "",
            Status = session.Status != SessionStatus.Active ? session.Status : session.CurrentTaskId is null ? "queued" : "running",
            CreatedAtMs = session.CreatedAtMs,
            UpdatedAtMs = session.UpdatedAtMs,
            Result = session.Status == SessionStatus.Completed ? session.Messages.LastOrDefault(static message => message.Role == "agent")?.Content : null,
            Error = session.Error,
        });
    }

    private static SessionOrigin? OriginOf(OriginParams? named, Caller caller)
    {
        // Clients of the gateway ask for their assistant, whose own session that is.
        if (named is null) return caller.Door == Door.Gateway ? new SessionOrigin { SessionKey = MainSession } : null;
        if (caller.IsLimited) throw new BridgeException(ErrorCodes.Forbidden, "your access token is limited; it may not name a conversation that is told");
        var origin = new SessionOrigin
        {
            SessionKey = named.SessionKey,
            Channel = named.Channel,
            AccountId = named.AccountId,
            Target = named.Target,
            Route = named.Route,
        };
        return origin.ToNotice() is null
            ? throw BridgeException.Invalid("origin is {sessionKey} of the gateway, {channel, accountId?, target}, or {channel, accountId, sessionKey, route}")
            : origin;
    }

    // Sessions are the host's: whoever may ask for them at all may ask for any.
    private static void Check(Caller caller)
    {
        if (!caller.MayUseChannel(MultiClawsChannel.ChannelId)) throw new BridgeException(ErrorCodes.Forbidden, "your access token is limited to other channels");
    }
}
