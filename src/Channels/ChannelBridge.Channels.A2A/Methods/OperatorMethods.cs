using System.Text.Json;
using ChannelBridge.A2A;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Channels.A2A.Peers;
using ChannelBridge.Channels.A2A.Tasks;

namespace ChannelBridge.Channels.A2A.Methods;

/// <summary><c>a2a.peers.*</c> and <c>a2a.tasks.*</c>: who may call, and what came of it. For operators of this host, not for clients of a gateway.</summary>
internal sealed class OperatorMethods(PeerBook peers, TaskBook book, A2AService service) : IMethodSource
{
    private const int MostTasks = 1000;

    /// <inheritdoc/>
    public IEnumerable<RpcMethod> Methods =>
    [
        RpcMethod.Create("a2a.peers.list", Scopes.Admin, "Lists the A2A peers, never their tokens.", MethodJson.Default.PeerListParams,
            MethodJson.Default.PeerListResult, ListPeersAsync),
        RpcMethod.Create("a2a.peers.add", Scopes.Admin, "Adds an A2A peer; the answer tells its token, this once.", MethodJson.Default.PeerAddParams,
            MethodJson.Default.PeerMadeResult, AddPeerAsync),
        RpcMethod.Create("a2a.peers.rotate", Scopes.Admin,
            "Gives a peer another token; the former one holds for 10 minutes, or as long as graceSeconds says.", MethodJson.Default.PeerParams,
            MethodJson.Default.PeerMadeResult, RotatePeerAsync),
        RpcMethod.Create("a2a.peers.remove", Scopes.Admin, "Ends a peer's token and what was opened with it; its tasks stay.",
            MethodJson.Default.PeerParams, MethodJson.Default.PeerRemovedResult, RemovePeerAsync),
        RpcMethod.Create("a2a.peers.forget", Scopes.Admin, "Deletes a peer's tasks, but those at work.", MethodJson.Default.PeerParams,
            MethodJson.Default.PeerForgottenResult, ForgetPeerAsync),
        RpcMethod.Create("a2a.tasks.list", Scopes.Read, "Lists A2A tasks, the one that changed last first.", MethodJson.Default.TaskListParams,
            MethodJson.Default.TaskListView, ListTasksAsync),
        RpcMethod.Create("a2a.tasks.show", Scopes.Read, "Shows an A2A task with its history and results.", MethodJson.Default.TaskParams,
            MethodJson.Default.TaskShown, ShowTaskAsync),
        RpcMethod.Create("a2a.tasks.cancel", Scopes.Write, "Cancels an A2A task.", MethodJson.Default.TaskParams, MethodJson.Default.TaskShown, CancelTaskAsync),
    ];

    private async ValueTask<PeerListResult> ListPeersAsync(PeerListParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        CheckAll(call.Caller);
        var all = await peers.ListAsync(cancellationToken).ConfigureAwait(false);
        return new PeerListResult([.. all.Select(peer => new PeerView(
            peer.Token.Grant.Name,
            peer.Token.Source == TokenSource.Store ? "store" : "settings",
            book.CountOf(peer.Token.Grant.Name.ToLowerInvariant()),
            peer.Record?.Url,
            peer.Record?.OutboundKeyFile is not null,
            peer.Token.Grant.ExpiresAt,
            peer.Token.LastUsedAt))]);
    }

    private async ValueTask<PeerMadeResult> AddPeerAsync(PeerAddParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        CheckAll(call.Caller);
        var made = await peers.AddAsync(parameters.Name, parameters.Url, parameters.OutboundKeyFile, parameters.ExpiresAt, call.Caller.Name,
            cancellationToken).ConfigureAwait(false);
        return new PeerMadeResult(made.Info.Grant.Name, made.Secret);
    }

    private async ValueTask<PeerMadeResult> RotatePeerAsync(PeerParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        CheckAll(call.Caller);
        TimeSpan? grace = parameters.GraceSeconds is { } seconds ? TimeSpan.FromSeconds(Math.Clamp(seconds, -1, int.MaxValue)) : null;
        var made = await peers.RotateAsync(parameters.Name, grace, call.Caller.Name, cancellationToken).ConfigureAwait(false);
        return new PeerMadeResult(made.Info.Grant.Name, made.Secret);
    }

    private async ValueTask<PeerRemovedResult> RemovePeerAsync(PeerParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        CheckAll(call.Caller);
        await peers.RemoveAsync(parameters.Name, call.Caller.Name, cancellationToken).ConfigureAwait(false);
        return new PeerRemovedResult(true);
    }

    private async ValueTask<PeerForgottenResult> ForgetPeerAsync(PeerParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        CheckAll(call.Caller);
        var (gone, open) = await book.ForgetAsync(parameters.Name.ToLowerInvariant(), cancellationToken).ConfigureAwait(false);
        return new PeerForgottenResult(gone, open);
    }

    private async ValueTask<TaskListView> ListTasksAsync(TaskListParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var limit = parameters.Limit ?? 100;
        if (limit is < 1 or > MostTasks) throw BridgeException.Invalid($"limit must be 1 to {MostTasks}");
        var state = parameters.Status is { Length: > 0 } status ? StateOf(status) : (TaskState?)null;
        var found = new List<TaskView>();
        foreach (var peer in Covered(parameters.Peer, call.Caller))
        {
            var taken = 0;
            await foreach (var (_, entry) in book.ReadListAsync(peer, null, null, cancellationToken).ConfigureAwait(false))
            {
                if (state is not null && entry.State != state) continue;
                found.Add(new TaskView(peer, entry.Id, entry.ContextId, TaskWords.Of(entry.State), entry.At));
                if (++taken == limit) break;
            }
        }

        return new TaskListView([.. found.OrderByDescending(static task => task.ChangedAt).Take(limit)]);
    }

    private async ValueTask<TaskShown> ShowTaskAsync(TaskParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var stored = await FindAsync(parameters, call.Caller, cancellationToken).ConfigureAwait(false);
        return Shown(stored, await service.NowAsync(stored, cancellationToken).ConfigureAwait(false));
    }

    private async ValueTask<TaskShown> CancelTaskAsync(TaskParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var stored = await FindAsync(parameters, call.Caller, cancellationToken).ConfigureAwait(false);
        try
        {
            return Shown(stored, await service.CancelAsync(stored.Peer, stored, cancellationToken).ConfigureAwait(false));
        }
        catch (A2AException fault)
        {
            throw new BridgeException(ErrorCodes.Conflict, fault.Message, fault);
        }
    }

    private async ValueTask<StoredTask> FindAsync(TaskParams parameters, Caller caller, CancellationToken cancellationToken)
    {
        foreach (var peer in Covered(parameters.Peer, caller))
        {
            if (await book.FindAsync(peer, parameters.Id, withArtifacts: true, cancellationToken).ConfigureAwait(false) is { } stored) return stored;
        }

        throw new BridgeException(ErrorCodes.NotFound, "There is no such task.");
    }

    /// <summary>The peers that a caller may ask about: a peer is an account.</summary>
    private IEnumerable<string> Covered(string? named, Caller caller)
    {
        if (!caller.MayUseChannel(A2AChannel.ChannelId)) throw new BridgeException(ErrorCodes.Forbidden, "your access token is limited to other channels");
        IEnumerable<string> asked = named is { Length: > 0 } ? [named.ToLowerInvariant()] : book.Peers;
        return asked.Where(caller.MayUseAccount);
    }

    private static TaskShown Shown(StoredTask stored, A2ATask task) => new(stored.Peer, stored.Head.Agent, JsonElement.Parse(A2ADialect.V10.Task.ToBytes(task)));

    private static TaskState StateOf(string word) =>
        TaskWords.Read(word) ?? throw BridgeException.Invalid("status is one of submitted, working, input-required, auth-required, completed, failed, canceled, rejected");

    // Whoever is limited to some accounts or channels doesn't hand out the right to others.
    private static void CheckAll(Caller caller)
    {
        if (caller.Accounts is not null || caller.Channels is not null || caller.Platforms is not null)
            throw new BridgeException(ErrorCodes.Forbidden, "your access token is limited; peers are managed with one that isn't");
    }
}
