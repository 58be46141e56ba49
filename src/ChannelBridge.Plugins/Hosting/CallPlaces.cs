namespace ChannelBridge.Plugins.Hosting;

/// <summary>
/// Places for what is under way with one process: pushes that have no answer yet, and acks that are being recorded. Pushes wait for one; an ack, which
/// can't wait, takes one anyway, and pushes wait the longer. So there are never more acks under way than places.
/// </summary>
/// <param name="most">The places.</param>
internal sealed class CallPlaces(int most)
{
    private readonly Lock _gate = new();
    private readonly Queue<TaskCompletionSource> _waiting = new();
    private int _taken;

    /// <summary>Places that are taken; more than there are while acks have come for as many pushes as there are places.</summary>
    public int Taken
    {
        get
        {
            lock (_gate) return _taken;
        }
    }

    /// <summary>Takes a place if there is one.</summary>
    public bool TryEnter()
    {
        lock (_gate)
        {
            if (_taken >= most) return false;
            _taken++;
            return true;
        }
    }

    /// <summary>Takes a place, and waits for one.</summary>
    /// <param name="cancellationToken">Stops waiting; no place is taken then.</param>
    public async Task EnterAsync(CancellationToken cancellationToken)
    {
        TaskCompletionSource place;
        lock (_gate)
        {
            if (TryEnter()) return;
            place = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue(place);
        }

        using var stop = cancellationToken.UnsafeRegister(static (place, token) => ((TaskCompletionSource)place!).TrySetCanceled(token), place);
        await place.Task.ConfigureAwait(false);
    }

    /// <summary>Takes a place whether there is one or not.</summary>
    public void Enter()
    {
        lock (_gate) _taken++;
    }

    /// <summary>Leaves a place to who waits longest.</summary>
    public void Leave()
    {
        lock (_gate)
        {
            _taken--;
            while (_taken < most && _waiting.TryDequeue(out var next))
            {
                // One that has stopped waiting takes none.
                if (next.TrySetResult()) _taken++;
            }
        }
    }
}
