using ChannelBridge.A2A;
using ChannelBridge.A2A.Server;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.A2A.Push;
using ChannelBridge.Channels.A2A.Tasks;

namespace ChannelBridge.Channels.A2A;

/// <summary>Reading, cancelling, subscribing, and push configurations.</summary>
internal sealed partial class A2AService
{
    private const int UsualPage = 50;

    // A page with results may hold a hundred times the largest task: it ends before that, and goes on behind a token.
    private const long MaxPageBytes = 16L * 1024 * 1024;
    private static readonly TimeSpan CancelPatience = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan CancelLook = TimeSpan.FromMilliseconds(100);

    /// <inheritdoc/>
    public Task<A2ATask> GetAsync(string client, GetTaskRequest request, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        rates.Take(client, send: false);
        var stored = await NeededAsync(client, request.Id, request.Tenant, withArtifacts: true, cancellationToken).ConfigureAwait(false);
        return Cut(await NowAsync(stored, cancellationToken).ConfigureAwait(false), request.HistoryLength);
    }, cancellationToken);

    /// <inheritdoc/>
    public Task<ListTasksResult> ListAsync(string client, ListTasksRequest request, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        rates.Take(client, send: false);
        var peer = client.ToLowerInvariant();
        CheckId(request.ContextId, "contextId");
        // Sealed for another peer: as unknown as a task of another's.
        if (request.ContextId is { Length: > 0 } context && keys.OwnerOf(peer, context) is ContextOwner.Foreign) throw NotFound();
        var agent = request.Tenant is { Length: > 0 } ? AgentOf(request.Tenant, client) : null;
        var filter = $"{request.ContextId}\0{(int)request.Status}\0{request.StatusTimestampAfter?.ToUnixTimeMilliseconds()}\0{agent}";
        (string After, int Total)? from = null;
        if (request.PageToken is { Length: > 0 } token) from = keys.ReadPageToken(peer, filter, token) ?? throw NotFound();
        return await PageAsync(peer, request, agent, filter, from, cancellationToken).ConfigureAwait(false);
    }, cancellationToken);

    /// <inheritdoc/>
    public Task<A2ATask> CancelAsync(string client, CancelTaskRequest request, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        rates.Take(client, send: false);
        var stored = await NeededAsync(client, request.Id, request.Tenant, withArtifacts: true, cancellationToken).ConfigureAwait(false);
        return await CancelAsync(client, stored, cancellationToken).ConfigureAwait(false);
    }, cancellationToken);

    /// <inheritdoc/>
    public Task<IA2AEvents> SubscribeAsync(string client, SubscribeRequest request, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        rates.Take(client, send: false);
        var stored = await NeededAsync(client, request.Id, request.Tenant, withArtifacts: false, cancellationToken).ConfigureAwait(false);
        if (stored.Ended) throw EndedFault();
        var hold = await lives.HoldAsync(stored.Peer, stored.Task.Id, cancellationToken).ConfigureAwait(false) ?? throw NotFound();
        if (!TaskStates.IsTerminal(hold.Feed.State)) return hold.Read();
        hold.Dispose();
        throw EndedFault();
    }, cancellationToken);

    /// <inheritdoc/>
    public Task<PushConfig> SetPushAsync(string client, PushConfig config, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        rates.Take(client, send: false);
        var stored = await NeededAsync(client, config.TaskId ?? "", config.Tenant, withArtifacts: false, cancellationToken).ConfigureAwait(false);
        await pushes.CheckAsync(config, cancellationToken).ConfigureAwait(false);
        var named = Named(config);
        await pushes.CheckRoomAsync(stored.Peer, stored.Task.Id, named.Id!, cancellationToken).ConfigureAwait(false);
        await records.WriteAsync(pushes.Put(stored.Peer, stored, named), cancellationToken).ConfigureAwait(false);
        senders.Attach(stored.Peer);
        return (await FindPushAsync(stored, named.Id!, cancellationToken).ConfigureAwait(false))!;
    }, cancellationToken);

    /// <inheritdoc/>
    public Task<PushConfig> GetPushAsync(string client, PushConfigRequest request, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        rates.Take(client, send: false);
        var stored = await NeededAsync(client, request.TaskId, request.Tenant, withArtifacts: false, cancellationToken).ConfigureAwait(false);
        var found = request.Id.Length > 0
            ? await FindPushAsync(stored, request.Id, cancellationToken).ConfigureAwait(false)
            : await pushes.ListAsync(stored.Peer, stored.Task.Id, cancellationToken).ConfigureAwait(false) is [var first, ..] ? first : null;
        return found ?? throw NotFound();
    }, cancellationToken);

    /// <inheritdoc/>
    public Task<ListPushConfigsResult> ListPushAsync(string client, ListPushConfigsRequest request, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        rates.Take(client, send: false);
        var stored = await NeededAsync(client, request.TaskId, request.Tenant, withArtifacts: false, cancellationToken).ConfigureAwait(false);
        return new ListPushConfigsResult { Configs = await pushes.ListAsync(stored.Peer, stored.Task.Id, cancellationToken).ConfigureAwait(false) };
    }, cancellationToken);

    /// <inheritdoc/>
    public Task DeletePushAsync(string client, PushConfigRequest request, CancellationToken cancellationToken) => GuardAsync(async () =>
    {
        rates.Take(client, send: false);
        var stored = await NeededAsync(client, request.TaskId, request.Tenant, withArtifacts: false, cancellationToken).ConfigureAwait(false);
        await pushes.DeleteAsync(stored.Peer, stored.Task.Id, request.Id, cancellationToken).ConfigureAwait(false);
        return true;
    }, cancellationToken);

    /// <inheritdoc/>
    public Task<AgentCard> GetExtendedCardAsync(string client, ExtendedCardRequest request, CancellationToken cancellationToken) => GuardAsync(() =>
    {
        rates.Take(client, send: false);
        return Task.FromResult(cards.Extended(client, request.Tenant is { Length: > 0 } ? AgentOf(request.Tenant, client) : null));
    }, cancellationToken);

    /// <summary>Cancels a task for its peer or an operator.</summary>
    public async Task<A2ATask> CancelAsync(string client, StoredTask stored, CancellationToken cancellationToken)
    {
        var (peer, id) = (stored.Peer, stored.Task.Id);
        using var hold = await lives.HoldAsync(peer, id, cancellationToken).ConfigureAwait(false) ?? throw NotFound();
        for (var waited = TimeSpan.Zero; waited < CancelPatience; waited += CancelLook)
        {
            if (stored.Ended) throw new A2AException(A2AError.TaskNotCancelable);
            if (!TaskStates.IsInterrupted(stored.Task.Status.State)) break;
            // One that goes on at this moment is cancelled when it does.
            if (stored.NextAt(time.GetUtcNow()) is null && await EndWaitingAsync(stored, cancellationToken).ConfigureAwait(false) is { } canceled) return canceled;
            await Task.Delay(CancelLook, time, cancellationToken).ConfigureAwait(false);
            stored = await book.FindAsync(peer, id, withArtifacts: true, cancellationToken).ConfigureAwait(false) ?? throw NotFound();
        }

        // What is remembered here may be a turn that is over, where the task went on at another host.
        if (lives.TurnOf(peer, id) is not { } turn || !await turns.CancelAsync(turn, cancellationToken).ConfigureAwait(false))
            await turns.CancelAsync(await AskInboxAsync(client, stored, cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
        // The wish is on disk. Whoever runs the turn ends it; that is looked for, on whatever host it is.
        for (var waited = TimeSpan.Zero; waited < CancelPatience; waited += CancelLook)
        {
            stored = await book.FindAsync(peer, id, withArtifacts: true, cancellationToken).ConfigureAwait(false) ?? throw NotFound();
            if (stored.Task.Status.State is TaskState.Canceled)
            {
                lives.Tell(peer, stored.Task, stored.Version);
                return stored.Task;
            }

            if (stored.Ended) throw new A2AException(A2AError.TaskNotCancelable, "The task has just ended.");
            await Task.Delay(CancelLook, time, cancellationToken).ConfigureAwait(false);
        }

        return stored.Task;
    }

    /// <summary>The task as it is at this moment: where its turn runs here, memory knows more than the record.</summary>
    public async ValueTask<A2ATask> NowAsync(StoredTask stored, CancellationToken cancellationToken)
    {
        if (stored.Ended) return stored.Task;
        if (!lives.Runs(stored.Peer, stored.Task.Id)) return lives.Newest(stored);
        using var hold = await lives.HoldAsync(stored.Peer, stored.Task.Id, cancellationToken).ConfigureAwait(false);
        return hold?.Feed.Snapshot() ?? stored.Task;
    }

    /// <summary>Ends a task that waits for its peer. Null: somebody has changed it meanwhile.</summary>
    private async Task<A2ATask?> EndWaitingAsync(StoredTask stored, CancellationToken cancellationToken)
    {
        var fold = new TaskFold(stored.Task, lives.Bounds);
        fold.Apply(new TaskStatusUpdate
        {
            TaskId = stored.Task.Id,
            ContextId = stored.Task.ContextId,
            Status = new A2ATaskStatus { State = TaskState.Canceled, Timestamp = time.GetUtcNow() },
        });
        var task = fold.Snapshot();
        var version = await book.ReplaceAsync(stored, stored with { Task = task }, next => pushes.OweAsync(next, cancellationToken), cancellationToken).ConfigureAwait(false);
        if (version is not { } written) return null;
        // It is done now, whether its peer waits for that or has left.
        lives.Tell(stored.Peer, task, written);
        await pushes.SettleAsync(stored.Peer, task.Id, CancellationToken.None).ConfigureAwait(false);
        return task;
    }

    /// <summary>
    /// The turn of a task that was accepted before this host's start, or by another host: the inbox knows its message by its key and says which it is.
    /// </summary>
    private async ValueTask<Guid> AskInboxAsync(string client, StoredTask stored, CancellationToken cancellationToken)
    {
        var message = (stored.Task.History ?? []).LastOrDefault(said => said.Role is MessageRole.User && said.MessageId == stored.Head.LastMessageId) ?? throw NotFound();
        var isFirst = stored.Task.Id == keys.TaskOf(stored.Peer, message.MessageId);
        var inbound = await mapper.ToInboundAsync(client, stored.Task, stored.Head.Agent, message, waits: false, cancellationToken).ConfigureAwait(false);
        var key = keys.DedupeKeyOf(stored.Peer, isFirst ? "" : stored.Task.Id, message.MessageId);
        return (await inbox.AcceptAsync(inbound, key, book.DedupeWindow, cancellationToken: cancellationToken).ConfigureAwait(false)).Id;
    }

    private async Task<ListTasksResult> PageAsync(
        string peer, ListTasksRequest request, string? agent, string filter, (string After, int Total)? from, CancellationToken cancellationToken)
    {
        var size = request.PageSize ?? UsualPage;
        var context = request.ContextId is { Length: > 0 } named ? named : null;
        var since = request.StatusTimestampAfter?.ToUnixTimeMilliseconds();
        var tasks = new List<A2ATask>(size);
        string? last = null;
        var more = false;
        var bytes = 0L;
        var total = from?.Total ?? 0;
        await foreach (var (key, entry) in book.ReadListAsync(peer, context, from?.After, cancellationToken).ConfigureAwait(false))
        {
            // The list is in the order of time: what follows is older.
            if (since is { } oldest && entry.At < oldest) break;
            if (request.Status is not TaskState.Unspecified && StateOf(peer, entry) != request.Status) continue;
            if (from is null && agent is null) total++;
            if (!more && tasks.Count < size)
            {
                if (await book.FindAsync(peer, entry.Id, request.IncludeArtifacts is true, cancellationToken).ConfigureAwait(false) is not { } stored) continue;
                if (agent is not null && stored.Head.Agent != agent) continue;
                var task = Cut(await NowAsync(stored, cancellationToken).ConfigureAwait(false), request.HistoryLength);
                if (request.IncludeArtifacts is not true) task = task with { Artifacts = null };
                bytes += PartSizes.Of(task);
                if (tasks.Count == 0 || bytes <= MaxPageBytes)
                {
                    tasks.Add(task);
                    last = key;
                    continue;
                }
            }

            more = true;
            if (from is not null || agent is not null) break;
        }

        if (agent is not null) total = tasks.Count + (more ? 1 : 0);
        return new ListTasksResult
        {
            Tasks = tasks,
            PageSize = size,
            TotalSize = Math.Max(total, tasks.Count),
            NextPageToken = more && last is not null ? keys.PageToken(peer, filter, last, total) : "",
        };
    }

    /// <summary>A task that is at work here says so, though its record says that it was submitted.</summary>
    private TaskState StateOf(string peer, ListEntry entry) =>
        entry.State is TaskState.Submitted && lives.Runs(peer, entry.Id) ? TaskState.Working : entry.State;

    private async ValueTask<PushConfig?> FindPushAsync(StoredTask stored, string id, CancellationToken cancellationToken) =>
        await pushes.FindAsync(stored.Peer, stored.Task.Id, id, cancellationToken).ConfigureAwait(false) is { } kept
            ? PushBook.Shown(stored.Task.Id, id, kept)
            : null;

    private async ValueTask<StoredTask> NeededAsync(string client, string id, string? tenant, bool withArtifacts, CancellationToken cancellationToken)
    {
        var stored = await book.FindAsync(client.ToLowerInvariant(), id, withArtifacts, cancellationToken).ConfigureAwait(false) ?? throw NotFound();
        return tenant is { Length: > 0 } && AgentOf(tenant, client) != stored.Head.Agent ? throw NotFound() : stored;
    }

    private static A2AException EndedFault() => new(A2AError.UnsupportedOperation, "The task has ended: ask for it by its id.");
}
