using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.A2A.Http;
using ChannelBridge.Channels.A2A.Push;
using ChannelBridge.Channels.A2A.Tasks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ChannelBridge.Channels.A2A;

/// <summary>
/// The A2A server as a channel: its accounts are the peers, its conversations their contexts, and a task is a message of the inbox. It only answers: what is sent to a peer
/// first goes out as its client.
/// </summary>
internal sealed partial class A2AChannel(
    A2AOptions options,
    A2AEndpoints endpoints,
    TaskBook book,
    LiveTasks lives,
    TaskEnds ends,
    PushBook pushes,
    PushSenders senders,
    IOutbox outbox,
    IEnumerable<IAgent> agents,
    TimeProvider time,
    ILogger<A2AChannel> logger,
    ILaneClaims? claims = null) : IChannel, IEndpointSource, ITurnListener, ITurnEnding, IDiagnosticsSource, IDisposable
{
    public const string ChannelId = "a2a";

    /// <summary>Its id for the OpenClaw gateway, which has a channel <c>a2a</c> of its own.</summary>
    public const string GatewayChannelId = "multiclaws";

    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    // What another host leaves behind when it dies is taken up by one that lives.
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _stop = new();
    private Task _looking = Task.CompletedTask;
    private int _settling;

    public string Id => ChannelId;

    public string GatewayId => GatewayChannelId;

    public bool CanSend => false;

    public IEnumerable<RpcMethod> Methods => [];

    public string Section => ChannelId;

    string IEndpointSource.Channel => ChannelId;

    string ITurnEnding.Channel => ChannelId;

    public IEnumerable<HttpEndpoint> Http => options.Enabled ? endpoints.Http : [];

    public IEnumerable<SocketEndpoint> Sockets => [];

    public async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        var known = agents.Select(static agent => agent.Name).ToHashSet(StringComparer.OrdinalIgnoreCase);
        if (options.Expose.Append(options.Agent).FirstOrDefault(agent => !known.Contains(agent)) is { } stranger)
        {
            var fault = $"{A2AOptions.Section}: there is no agent '{stranger}' that could answer peers";
            throw new OptionsValidationException(A2AOptions.Section, typeof(A2AOptions), [fault]);
        }

        await book.LoadAsync(cancellationToken).ConfigureAwait(false);
        foreach (var peer in book.Peers) senders.Attach(peer);
        _ = SettleAllAsync();
        if (claims is { IsShared: true }) _looking = LookAsync();
    }

    public async ValueTask StopAsync(CancellationToken cancellationToken)
    {
        senders.Close();
        await _stop.CancelAsync().ConfigureAwait(false);
        await _looking.ConfigureAwait(false);
    }

    public void Dispose() => _stop.Dispose();

    public IReadOnlyList<ChannelAccountStatus> GetAccounts() =>
        [.. book.Peers.Order(StringComparer.Ordinal).Select(peer => new ChannelAccountStatus
        {
            AccountId = peer,
            Connected = true,
            Pending = outbox.GetBacklog(ChannelId, peer).Pending,
            DeadLetter = outbox.GetBacklog(ChannelId, peer).DeadLetter,
        })];

    public ValueTask<ChannelTarget> ResolveTargetAsync(string accountId, string target, CancellationToken cancellationToken) =>
        throw BridgeException.Invalid("A2A only answers its peers; to call one, use 'channelbridge a2a send'");

    public void OnTurnEvent(AgentTurn turn, int ordinal, AgentEvent agentEvent)
    {
        if (turn.Message.Channel != ChannelId) return;
        lives.OnTurnEvent(PeerOf(turn), turn.Message.Route, turn, ordinal, agentEvent, TaskEnds.AnswersByStatus(turn.Message.Agent));
    }

    public void OnTurnEnded(AgentTurn turn, bool failed)
    {
        if (turn.Message.Channel != ChannelId) return;
        var peer = PeerOf(turn);
        lives.OnTurnEnded(peer, turn.Message.Route, turn, TaskEnds.AnswersByStatus(turn.Message.Agent));
        _ = SettleAsync(peer, turn.Message.Route);
    }

    public ValueTask<IReadOnlyList<RecordWrite>> EndAsync(TurnEnding ending, CancellationToken cancellationToken) => ends.EndAsync(ending, cancellationToken);

    public ValueTask<JsonObject> CollectAsync(CancellationToken cancellationToken) => ValueTask.FromResult(new JsonObject
    {
        ["enabled"] = options.Enabled,
        ["peers"] = book.Peers.Count,
        ["tasks"] = book.Total,
        ["tasksInMemory"] = lives.Count,
        ["limits"] = new JsonObject { ["tasksPerPeer"] = options.MaxTasksPerPeer, ["tasks"] = options.MaxTasks },
    });

    private static string PeerOf(AgentTurn turn) => turn.Message.AccountId.ToLowerInvariant();

    /// <summary>Several hosts: peers that others have met are this host's, too, and notifications that a dead one owed are put into the outbox.</summary>
    private async Task LookAsync()
    {
        try
        {
            while (true)
            {
                await Task.Delay(LookEvery, time, _stop.Token).ConfigureAwait(false);
                try
                {
                    await book.MeetAsync(_stop.Token).ConfigureAwait(false);
                    foreach (var peer in book.Peers) senders.Attach(peer);
                    _ = SettleAllAsync();
                }
                catch (Exception fault) when (!_stop.IsCancellationRequested)
                {
                    LogLookFailed(fault is BridgeException known ? known.Code : fault.GetType().Name);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    private async Task SettleAsync(string peer, string taskId)
    {
        try
        {
            await pushes.SettleAsync(peer, taskId, _stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // The next start settles it.
        }
        catch (Exception fault)
        {
            LogNotSettled(fault is BridgeException known ? known.Code : fault.GetType().Name, taskId);
            if (fault is not BridgeException { Retryable: false }) await SettleAllAsync().ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Puts everything that is owed into the outbox: what a crash has left, and what didn't fit. A full outbox and a busy store are waited for; neither the start nor
    /// the end of a turn fails because of them.
    /// </summary>
    private async Task SettleAllAsync()
    {
        // At most one at a time; whoever comes meanwhile makes it look once more.
        if (Interlocked.Increment(ref _settling) > 1) return;
        try
        {
            int seen;
            do
            {
                seen = Volatile.Read(ref _settling);
                for (var pause = TimeSpan.FromSeconds(1); !await TrySettleAllAsync().ConfigureAwait(false); pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
                    await Task.Delay(pause, time, _stop.Token).ConfigureAwait(false);
            }
            while (Interlocked.CompareExchange(ref _settling, 0, seen) != seen);
        }
        catch (OperationCanceledException)
        {
            // Stopping: the next start settles it.
        }
    }

    /// <summary>False: something is left that may succeed later.</summary>
    private async Task<bool> TrySettleAllAsync()
    {
        try
        {
            return await pushes.SettleAllAsync(LogNotSettled, _stop.Token).ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            LogNotSettled(fault is BridgeException known ? known.Code : fault.GetType().Name, "*");
            return false;
        }
    }

    [LoggerMessage(LogEvents.A2AChannelNotSettled, LogLevel.Warning,
        "The push notifications of task {TaskId} could not be put into the outbox ({Code}); they are kept, and that is tried again")]
    private partial void LogNotSettled(string code, string taskId);

    [LoggerMessage(LogEvents.A2AChannelLookFailed, LogLevel.Warning, "What other hosts owe A2A peers can't be looked at now ({Code}); it is tried again")]
    private partial void LogLookFailed(string code);
}
