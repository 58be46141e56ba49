using ChannelBridge.A2A;
using ChannelBridge.A2A.Server;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.A2A.Conformance;
using ChannelBridge.Channels.A2A.Http;
using ChannelBridge.Channels.A2A.Push;
using ChannelBridge.Channels.A2A.Tasks;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.A2A;

/// <summary>
/// What peers may ask for. A peer sees its own: every look-up is in its own namespace, so that another's task is as unknown as one that never was. Here are the ways in:
/// send and stream; the rest reads, cancels and sets push configurations.
/// </summary>
internal sealed partial class A2AService(
    A2AOptions options,
    TaskBook book,
    LiveTasks lives,
    TaskKeys keys,
    MessageMapper mapper,
    PushBook pushes,
    RateGate rates,
    CardMaker cards,
    IInbox inbox,
    ITurns turns,
    IRecords records,
    PushSenders senders,
    TimeProvider time,
    ILogger<A2AService> logger,
    IGatewayAdmission? gateway = null,
    IRegistry? registry = null) : IA2AService
{
    private const int MaxIdLength = 200;

    // Two messages for one task at once: the second one waits until the first is in the inbox.
    private static readonly TimeSpan GoesOnLook = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan GoesOnPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan GoesOnElsewhere = TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    public Task<SendResult> SendAsync(string client, SendRequest request, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        rates.Take(client, send: true);
        if (Direct(client, request) is { } message) return new SendResult { Message = message };
        var waits = request.Configuration is not { ReturnImmediately: true };
        using var hold = await BeginAsync(client, request, waits, cancellationToken).ConfigureAwait(false);
        var task = waits ? await hold.Feed.WaitAsync(cancellationToken).ConfigureAwait(false) : hold.Feed.Snapshot();
        return new SendResult { Task = Cut(task, request.Configuration?.HistoryLength) };
    }, cancellationToken);

    /// <inheritdoc/>
    public Task<IA2AEvents> StreamAsync(string client, SendRequest request, CancellationToken cancellationToken) => GuardAsync<IA2AEvents>(async () =>
    {
        rates.Take(client, send: true);
        if (Direct(client, request) is { } message) return new SingleEvent(new FeedEvent(new StreamItem { Message = message }));
        IA2AEvents? events = null;
        await BeginAsync(client, request, waits: false, cancellationToken, hold => events = hold.Read()).ConfigureAwait(false);
        return events!;
    }, cancellationToken);

    private A2AMessage? Direct(string client, SendRequest request)
    {
        if (AgentOf(request.Tenant, client) != ConformanceAgent.AgentName) return null;
        ConformanceAgent.CheckTypes(request.Message);
        return ConformanceAgent.DirectAnswer(request.Message);
    }

    /// <summary>Accepts a message: its task is held, in memory and on disk, when this completes.</summary>
    /// <param name="client">The peer.</param>
    /// <param name="request">The request.</param>
    /// <param name="waits">True when the peer waits for the end.</param>
    /// <param name="cancellationToken">The peer has left.</param>
    /// <param name="held">Called with the hold before anything can happen to the task.</param>
    private async Task<LiveHold> BeginAsync(
        string client, SendRequest request, bool waits, CancellationToken cancellationToken, Action<LiveHold>? held = null)
    {
        var peer = client.ToLowerInvariant();
        var message = Checked(request.Message);
        if (request.Configuration?.TaskPushNotificationConfig is { } wanted) await pushes.CheckAsync(wanted, cancellationToken).ConfigureAwait(false);
        // A stream begins with the task as it is, so that it must be known before.
        var known = held is null && IsLeftToInbox(peer, request, message) ? null : await KnownAsync(peer, request, message, cancellationToken).ConfigureAwait(false);
        if (known is { IsRepeated: true })
        {
            var again = await lives.HoldAsync(peer, known.Stored.Task.Id, cancellationToken).ConfigureAwait(false) ?? throw NotFound();
            held?.Invoke(again);
            return again;
        }

        try
        {
            return await AcceptAsync(client, request, message, known?.Stored, waits, held, cancellationToken).ConfigureAwait(false);
        }
        catch when (known is not null)
        {
            await LetGoAsync(known.Stored).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// True when nobody needs to ask whether a message has a task: it begins one, or the inbox says with its commit that it was sent before, and nothing is to be done
    /// for it that a repeated message may not have.
    /// </summary>
    private bool IsLeftToInbox(string peer, SendRequest request, A2AMessage message)
    {
        if (lives.IsShared || message.TaskId is { Length: > 0 } || !book.InboxKnowsAll(peer) || !book.HasRoom(peer)) return false;
        if (message.ContextId is { Length: > 0 } context && keys.OwnerOf(peer, context) is ContextOwner.Foreign) return false;
        foreach (var part in message.Parts)
        {
            if (part.Raw is not null) return false;
        }

        return gateway?.Governs(A2AChannel.GatewayChannelId, AgentOf(request.Tenant, peer)) != true && !lives.Knows(peer, keys.TaskOf(peer, message.MessageId));
    }

    /// <summary>Writes a message and its task down.</summary>
    /// <param name="client">The peer.</param>
    /// <param name="request">The request.</param>
    /// <param name="message">Its message, checked.</param>
    /// <param name="known">The task that goes on with it, held for it; null: the message begins one.</param>
    /// <param name="waits">True when the peer waits for the end.</param>
    /// <param name="held">Called with the hold before anything can happen to the task.</param>
    /// <param name="cancellationToken">The peer has left.</param>
    private async Task<LiveHold> AcceptAsync(
        string client, SendRequest request, A2AMessage message, StoredTask? known, bool waits, Action<LiveHold>? held, CancellationToken cancellationToken)
    {
        var peer = client.ToLowerInvariant();
        var push = request.Configuration?.TaskPushNotificationConfig is { } config ? Named(config) : null;
        if (known is null) await book.MakeRoomAsync(peer, cancellationToken).ConfigureAwait(false);
        else if (push is not null) await pushes.CheckRoomAsync(peer, known.Task.Id, push.Id!, cancellationToken).ConfigureAwait(false);
        var next = known is null ? Made(peer, request, message) : Continued(known, message);
        await AdmitAsync(client, next, cancellationToken).ConfigureAwait(false);
        var inbound = await mapper.ToInboundAsync(client, next.Task, next.Head.Agent, message, waits, cancellationToken).ConfigureAwait(false);
        var writes = new List<RecordWrite>(5);
        // What a task has when it goes on is stored: written again, that could take the place of what it has become meanwhile.
        next = book.Put(known, next, known?.Version, writes, withArtifacts: known is null) with { Version = known?.Version ?? 0 };
        var record = (RecordPut)writes[0];
        if (book.Introduce(peer) is { } introduced) writes.Add(introduced);
        if (push is not null)
        {
            writes.Add(pushes.Put(peer, next, push));
            senders.Attach(peer);
        }

        var hold = lives.Open(next, record);
        held?.Invoke(hold);
        try
        {
            var key = keys.DedupeKeyOf(peer, known is null ? "" : next.Task.Id, message.MessageId);
            var receipt = await inbox.AcceptAsync(inbound, key, book.DedupeWindow, writes, cancellationToken).ConfigureAwait(false);
            if (receipt.Duplicate)
            {
                // Somebody else was first with the same message, and its task may be anywhere between its beginning and its end; or it is gone already.
                var first = await book.FindAsync(peer, next.Task.Id, withArtifacts: true, cancellationToken).ConfigureAwait(false) ?? throw NotFound();
                LiveTasks.Accepted(hold, receipt.Id, version: 0);
                lives.Tell(peer, first.Task, first.Version);
                return hold;
            }

            if (record.Conflict) await UndoAsync(receipt.Id, next).ConfigureAwait(false);
            LiveTasks.Accepted(hold, receipt.Id, record.Version);
            if (known is null) book.Added(peer);
            return hold;
        }
        catch
        {
            hold.Dispose();
            throw;
        }
    }

    /// <summary>Where the OpenClaw gateway's agent answers, its settings decide who may speak (<c>channels.multiclaws</c>), before anything is accepted.</summary>
    /// <exception cref="A2AException">They don't allow it, or not yet: what a peer's operator has to know stands in the message.</exception>
    private async ValueTask AdmitAsync(string client, StoredTask task, CancellationToken cancellationToken)
    {
        if (gateway?.Governs(A2AChannel.GatewayChannelId, task.Head.Agent) != true) return;
        var decision = await gateway.AdmitAsync(
            new AdmissionRequest
            {
                Channel = A2AChannel.GatewayChannelId,
                AccountId = client,
                Subject = task.Peer,
                SenderId = client,
                ConversationId = task.Task.Id,
                Route = task.Task.Id,
                SessionKey = MessageMapper.LaneOf(task.Peer, task.Task.ContextId),
            },
            cancellationToken).ConfigureAwait(false);
        if (decision.Outcome is AdmissionOutcome.Allow) return;
        var pairing = decision.Outcome is AdmissionOutcome.Pairing;
        var reason = pairing ? decision.ReplyText ?? "pairing required" : $"The gateway refuses you: {decision.Reason ?? "blocked by its policy"}.";
        throw new A2AException(A2AError.UnsupportedOperation, reason)
        {
            Code = pairing ? "PAIRING_REQUIRED" : ErrorCodes.Forbidden,
            HttpStatus = 403,
        };
    }

    /// <summary>
    /// A task was taken from its message's hands, because that took far too long: the message has no task now. What it said of the task in the list is taken back, and
    /// whoever looks at the task is told what it really is.
    /// </summary>
    private async Task UndoAsync(Guid turn, StoredTask said)
    {
        await turns.CancelAsync(turn, CancellationToken.None).ConfigureAwait(false);
        if (await book.RelistAsync(said, CancellationToken.None).ConfigureAwait(false) is { } stored) lives.Tell(stored.Peer, stored.Task, stored.Version);
        throw BridgeException.Busy("The task has changed while its message was accepted; look at it, and send another message.", GoesOnElsewhere);
    }

    /// <summary>The message that was to continue a task didn't get into the inbox: the task waits for its peer as before.</summary>
    private async Task LetGoAsync(StoredTask held)
    {
        try
        {
            if (await book.HoldForAsync(held, null, CancellationToken.None).ConfigureAwait(false) is { } free) lives.Tell(held.Peer, free.Task, free.Version);
        }
        catch (BridgeException)
        {
            // The hold ends by itself.
        }
    }

    /// <summary>The task that a message belongs to; a task that waits for its peer is held for this message from now on. Null: the message begins one.</summary>
    private async ValueTask<Known?> KnownAsync(string peer, SendRequest request, A2AMessage message, CancellationToken cancellationToken)
    {
        for (var waited = TimeSpan.Zero; ; waited += GoesOnLook)
        {
            var known = await LookedUpAsync(peer, request, message, cancellationToken).ConfigureAwait(false);
            if (known is not { IsRepeated: false }) return known;
            var next = known.Stored.NextAt(time.GetUtcNow());
            if (next is null && await book.HoldForAsync(known.Stored, message.MessageId, cancellationToken).ConfigureAwait(false) is { } held)
                return new Known(held, IsRepeated: false);
            // The same message, twice at once: the inbox takes one of them.
            if (next == message.MessageId) return known;
            if (waited >= GoesOnPatience) throw BridgeException.Busy("The task goes on with another message at this moment; look at it again.", GoesOnElsewhere);
            await Task.Delay(GoesOnLook, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async ValueTask<Known?> LookedUpAsync(string peer, SendRequest request, A2AMessage message, CancellationToken cancellationToken)
    {
        var context = message.ContextId;
        if (context is { Length: > 0 } && keys.OwnerOf(peer, context) is ContextOwner.Foreign) throw NotFound();
        if (message.TaskId is not { Length: > 0 } id)
        {
            var first = await book.FindAsync(peer, keys.TaskOf(peer, message.MessageId), withArtifacts: false, cancellationToken).ConfigureAwait(false);
            return first is null ? null : new Known(first, IsRepeated: true);
        }

        if (await book.FindAsync(peer, id, withArtifacts: true, cancellationToken).ConfigureAwait(false) is not { } stored) throw NotFound();
        if (request.Tenant is { Length: > 0 } && AgentOf(request.Tenant, peer) != stored.Head.Agent) throw NotFound();
        if (context is { Length: > 0 } && context != stored.Task.ContextId)
            throw new A2AException(A2AError.InvalidParams, "message.contextId is another conversation's than message.taskId.");
        if ((stored.Task.History ?? []).Any(said => said.Role is MessageRole.User && said.MessageId == message.MessageId)) return new Known(stored, IsRepeated: true);
        if (stored.Ended)
            throw new A2AException(A2AError.UnsupportedOperation,
                "The task has ended; send the message without a taskId, it begins another task.")
            { Code = IA2AService.TaskEnded };
        if (!TaskStates.IsInterrupted(stored.Task.Status.State))
            throw new A2AException(A2AError.UnsupportedOperation,
                "The task is at work and takes no message now; wait until it asks, or send without a taskId.")
            { Code = "TASK_AT_WORK" };
        return new Known(stored, IsRepeated: false);
    }

    private StoredTask Made(string peer, SendRequest request, A2AMessage message)
    {
        var now = time.GetUtcNow();
        var id = keys.TaskOf(peer, message.MessageId);
        var context = message.ContextId is { Length: > 0 } named ? named : keys.NewContext(peer);
        return new StoredTask
        {
            Peer = peer,
            Head = new TaskHead { Agent = AgentOf(request.Tenant, peer), LastMessageId = message.MessageId, CreatedAt = now.ToUnixTimeMilliseconds() },
            Task = new A2ATask
            {
                Id = id,
                ContextId = context,
                Status = new A2ATaskStatus { State = TaskState.Submitted, Timestamp = now },
                Artifacts = [],
                History = [message with { TaskId = id, ContextId = context, Role = MessageRole.User }],
                Metadata = request.Metadata,
            },
        };
    }

    private StoredTask Continued(StoredTask stored, A2AMessage message)
    {
        var fold = new TaskFold(stored.Task, lives.Bounds);
        fold.Apply(new TaskStatusUpdate
        {
            TaskId = stored.Task.Id,
            ContextId = stored.Task.ContextId,
            Status = new A2ATaskStatus { State = TaskState.Submitted, Timestamp = time.GetUtcNow() },
        });
        fold.AddHistory(message with { TaskId = stored.Task.Id, ContextId = stored.Task.ContextId, Role = MessageRole.User });
        return stored with { Task = fold.Snapshot(), Head = stored.Head with { LastMessageId = message.MessageId, Next = null, NextAt = 0 } };
    }

    private static A2AMessage Checked(A2AMessage message)
    {
        CheckId(message.MessageId, "message.messageId");
        CheckId(message.ContextId, "message.contextId");
        if (message.Role is MessageRole.Agent) throw new A2AException(A2AError.InvalidParams, "message.role is the agent's; a peer writes as user.");
        foreach (var part in message.Parts)
        {
            if (part.Url is { Length: > 4096 }) throw new A2AException(A2AError.InvalidParams, "message.parts: a url has at most 4096 characters.");
        }

        return message;
    }

    private static void CheckId(string? id, string name)
    {
        if (id is not null && (id.Length > MaxIdLength || id.Any(char.IsControl)))
            throw new A2AException(A2AError.InvalidParams, $"{name} has more than {MaxIdLength} characters, or control characters.");
    }

    /// <summary>The agent that a tenant names; without one, the agent that answers the peer.</summary>
    private string AgentOf(string? tenant, string? peer = null)
    {
        var own = options.Agent;
        if (peer is not null && registry is not null)
            own = registry.Current.Of<IPeerAgents>().Select(source => source.AgentFor(peer)).FirstOrDefault(static agent => agent is not null) ?? own;
        if (string.IsNullOrEmpty(tenant)) return own;
        return options.Expose.Append(options.Agent).Append(own).FirstOrDefault(agent => string.Equals(agent, tenant, StringComparison.OrdinalIgnoreCase))
            ?? throw new A2AException(A2AError.InvalidParams, "tenant names no agent of this host.");
    }

    private static PushConfig Named(PushConfig config) => config with { Id = config.Id is { Length: > 0 } id ? id : Guid.NewGuid().ToString("N") };

    private static A2ATask Cut(A2ATask task, int? historyLength) => historyLength is { } wanted && task.History is { } history && history.Count > wanted
        ? task with { History = wanted == 0 ? null : [.. history.Skip(history.Count - wanted)] }
        : task;

    private static A2AException NotFound() => new(A2AError.TaskNotFound);

    /// <summary>What a store or a bound says is told with its code, and whether to try again; anything else stands in the log.</summary>
    private async Task<T> GuardAsync<T>(Func<Task<T>> work, CancellationToken cancellationToken)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (BridgeException fault) when (fault.Code == ErrorCodes.InvalidRequest)
        {
            throw new A2AException(A2AError.InvalidParams, fault.Message);
        }
        catch (BridgeException fault)
        {
            throw new A2AException(A2AError.Internal, fault.Message) { Code = fault.Code, Retryable = fault.Retryable, RetryAfter = fault.RetryAfter };
        }
        catch (Exception fault) when (fault is not A2AException and not System.Text.Json.JsonException
            && !(fault is OperationCanceledException && cancellationToken.IsCancellationRequested))
        {
            LogFault(fault);
            throw;
        }
    }

    [LoggerMessage(LogEvents.A2AServiceFault, LogLevel.Error, "A request of an A2A peer failed")]
    private partial void LogFault(Exception fault);

    private sealed record Known(StoredTask Stored, bool IsRepeated);

    private sealed class SingleEvent(FeedEvent only) : IA2AEvents
    {
        private FeedEvent? _left = only;

        public ValueTask<FeedEvent?> NextAsync(CancellationToken cancellationToken)
        {
            var next = _left;
            _left = null;
            return ValueTask.FromResult(next);
        }

        public ValueTask DisposeAsync() => default;
    }
}
