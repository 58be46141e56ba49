using System.Diagnostics;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Endpoints.Buffers;
using Microsoft.Extensions.ObjectPool;

namespace ChannelBridge.Endpoints.Connections;

/// <summary>
/// One request from its start to its answer. Pooled, and it is its own continuation: a request that completes later costs no state machine of ours.
/// </summary>
internal sealed class PendingRequest
{
    private static readonly ObjectPool<PendingRequest> Pool = new DefaultObjectPool<PendingRequest>(new DefaultPooledObjectPolicy<PendingRequest>(), 2048);

    private readonly Action _continue;
    private System.Runtime.CompilerServices.ConfiguredValueTaskAwaitable.ConfiguredValueTaskAwaiter _awaiter;
    private CancellationTokenSource? _cancellation;
    private ClientConnection? _connection;
    private IncomingMessage? _incoming;

    /// <summary>Creates an empty request for the pool.</summary>
    public PendingRequest() => _continue = Continue;

    /// <summary>The id as raw JSON text; empty for a notification. A slice of the incoming message.</summary>
    public ReadOnlyMemory<byte> Id { get; private set; }

    /// <summary>The method; null when it isn't known.</summary>
    public RpcMethod? Method { get; set; }

    /// <summary>The call, when its method acts after its answer.</summary>
    public MethodCall? Call { get; set; }

    /// <summary>Where the result goes.</summary>
    public OutgoingMessage Response { get; private set; } = null!;

    /// <summary>Bytes that came beside the parameters; a slice of the incoming message.</summary>
    public ReadOnlyMemory<byte> Content { get; set; }

    /// <summary>The batch that the answer belongs to, or null.</summary>
    public BatchReply? Batch { get; set; }

    /// <summary>The span of the request, when somebody listens.</summary>
    public Activity? Activity { get; set; }

    /// <summary>When it started, as a timestamp of the clock.</summary>
    public long StartedAt { get; private set; }

    /// <summary>The bytes that it keeps.</summary>
    public long Bytes { get; private set; }

    /// <summary>Where it is in the table of its connection, or -1.</summary>
    public int Slot { get; set; }

    /// <summary>The hash of its id in that table.</summary>
    public ulong IdHash { get; set; }

    /// <summary>True when the sender doesn't want an answer.</summary>
    public bool IsNotification => Id.IsEmpty;

    /// <summary>True when the sender has cancelled it.</summary>
    public bool IsCancelled { get; private set; }

    /// <summary>Takes a request from the pool.</summary>
    public static PendingRequest Rent(ClientConnection connection, IncomingMessage incoming, ReadOnlyMemory<byte> id, long startedAt)
    {
        var request = Pool.Get();
        request._connection = connection;
        incoming.AddReference();
        request._incoming = incoming;
        request.Id = id;
        request.Bytes = incoming.Length;
        request.StartedAt = startedAt;
        request.Response = OutgoingMessage.Rent();
        request.Slot = -1;
        return request;
    }

    /// <summary>The token of a request that can be cancelled by its sender.</summary>
    public CancellationToken MakeCancellable()
    {
        _cancellation ??= new CancellationTokenSource();
        return _cancellation.Token;
    }

    /// <summary>Cancels it.</summary>
    /// <param name="bySender">False when the connection has ended.</param>
    public void Cancel(bool bySender)
    {
        IsCancelled |= bySender;
        // Its callbacks must not run here, under the lock of the table.
        _ = _cancellation?.CancelAsync();
    }

    /// <summary>Waits for the method; the connection hears of its end.</summary>
    public void Await(ValueTask task)
    {
        _awaiter = task.ConfigureAwait(false).GetAwaiter();
        _awaiter.UnsafeOnCompleted(_continue);
    }

    /// <summary>The answer is on its way and belongs to somebody else now.</summary>
    public void ReleaseResponse() => Response = null!;

    /// <summary>Gives everything back.</summary>
    public void Return()
    {
        Response?.Return();
        Response = null!;
        _incoming!.Release();
        _incoming = null;
        _connection = null;
        _awaiter = default;
        if (_cancellation is { } cancellation && !cancellation.TryReset())
        {
            cancellation.Dispose();
            _cancellation = null;
        }

        Id = default;
        Content = default;
        Method = null;
        Call = null;
        Batch = null;
        Activity = null;
        IsCancelled = false;
        Bytes = 0;
        Pool.Return(this);
    }

    private void Continue()
    {
        Exception? fault = null;
        try
        {
            _awaiter.GetResult();
        }
        catch (Exception thrown)
        {
            fault = thrown;
        }

        _connection!.Complete(this, fault);
    }
}
