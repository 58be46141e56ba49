namespace ChannelBridge.Endpoints.Connections;

/// <summary>
/// The running requests of one connection: their number, their bytes, and their ids, of which none may run twice. They stand side by side in an
/// array, so looking for an id among a few hundred is a scan of as many hashes.
/// </summary>
internal sealed class RequestTable(int maxRequests, long maxBytes)
{
    private readonly Lock _gate = new();
    private PendingRequest[] _requests = [];
    private ulong[] _hashes = [];
    private TaskCompletionSource? _room;
    private TaskCompletionSource? _empty;
    private int _count;
    private long _bytes;
    private bool _closed;

    /// <summary>Running requests.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>The most requests; see <see cref="EndpointLimits.MaxRequestsInFlight"/>.</summary>
    public int MaxRequests { get; set; } = maxRequests;

    /// <summary>True when another request would be one too many.</summary>
    public bool IsFull => Volatile.Read(ref _count) >= MaxRequests || Interlocked.Read(ref _bytes) >= maxBytes;

    /// <summary>Adds a request; false when one with the same id runs already.</summary>
    public bool TryAdd(PendingRequest request)
    {
        var hash = request.IsNotification ? 0 : IdHash.Compute(request.Id.Span) | 1;
        lock (_gate)
        {
            if (hash != 0 && Find(hash, request.Id.Span) >= 0) return false;
            if (_count == _requests.Length)
            {
                Array.Resize(ref _requests, Math.Max(8, _count * 2));
                Array.Resize(ref _hashes, Math.Max(8, _count * 2));
            }

            request.IdHash = hash;
            request.Slot = _count;
            _requests[_count] = request;
            _hashes[_count] = hash;
            _count++;
            _bytes += request.Bytes;
            return true;
        }
    }

    /// <summary>Removes a request.</summary>
    public void Remove(PendingRequest request)
    {
        TaskCompletionSource? room = null;
        TaskCompletionSource? empty = null;
        lock (_gate)
        {
            if (request.Slot < 0) return;
            var last = --_count;
            var moved = _requests[last];
            _requests[request.Slot] = moved;
            _hashes[request.Slot] = _hashes[last];
            moved.Slot = request.Slot;
            _requests[last] = null!;
            request.Slot = -1;
            _bytes -= request.Bytes;
            if (_room is not null && !IsFull) (room, _room) = (_room, null);
            if (_empty is not null && _count == 0) (empty, _empty) = (_empty, null);
        }

        room?.TrySetResult();
        empty?.TrySetResult();
    }

    /// <summary>Cancels the request with this id, if it runs.</summary>
    public void Cancel(ReadOnlySpan<byte> id)
    {
        lock (_gate)
        {
            var slot = Find(IdHash.Compute(id) | 1, id);
            if (slot >= 0) _requests[slot].Cancel(bySender: true);
        }
    }

    /// <summary>Cancels everything: the connection has ended.</summary>
    public void CancelAll()
    {
        PendingRequest[] running;
        lock (_gate)
        {
            _closed = true;
            running = _requests[.._count];
            _room?.TrySetResult();
            // Under the lock, as a request that ends now could be another one's a moment later.
            foreach (var request in running) request.Cancel(bySender: false);
        }
    }

    /// <summary>Completes when there is room for one more request, or <see cref="Wake"/> was called.</summary>
    public Task RoomAsync()
    {
        lock (_gate)
        {
            if (!IsFull || _closed) return Task.CompletedTask;
            _room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _room.Task;
        }
    }

    /// <summary>Ends a wait for room without room.</summary>
    public void Wake()
    {
        lock (_gate)
        {
            _room?.TrySetResult();
            _room = null;
        }
    }

    /// <summary>Completes when no request runs.</summary>
    public Task EmptyAsync()
    {
        lock (_gate)
        {
            if (_count == 0) return Task.CompletedTask;
            _empty ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _empty.Task;
        }
    }

    private int Find(ulong hash, ReadOnlySpan<byte> id)
    {
        var from = 0;
        while (true)
        {
            var at = _hashes.AsSpan(from, _count - from).IndexOf(hash);
            if (at < 0) return -1;
            if (_requests[from + at].Id.Span.SequenceEqual(id)) return from + at;
            from += at + 1;
        }
    }
}
