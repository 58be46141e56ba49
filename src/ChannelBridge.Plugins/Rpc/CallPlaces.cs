namespace ChannelBridge.Plugins.Rpc;

/// <summary>
/// Places for calls that are under way with one process. Most wait for one; what can't wait takes one anyway, and the others wait the longer.
/// </summary>
/// <param name="most">The places.</param>
/// <param name="gone">The process is gone; nothing waits any more.</param>
[System.Diagnostics.CodeAnalysis.SuppressMessage("Design", "CA1001", Justification = "A semaphore whose handle nobody takes holds nothing.")]
internal sealed class CallPlaces(int most, CancellationToken gone)
{
    private readonly SemaphoreSlim _free = new(most);
    private readonly Lock _gate = new();
    // Places that were taken without being there: as many are not given back.
    private int _owed;

    /// <summary>Places that are taken; more than there are while some were taken anyway.</summary>
    public int Taken
    {
        get
        {
            lock (_gate) return most - _free.CurrentCount + _owed;
        }
    }

    /// <summary>Takes a place if there is one.</summary>
    public bool TryEnter() => _free.Wait(0, CancellationToken.None);

    /// <summary>Takes a place, and waits for one. False: the process is gone.</summary>
    /// <param name="cancellationToken">Stops waiting; no place is taken then.</param>
    public async ValueTask<bool> EnterAsync(CancellationToken cancellationToken)
    {
        if (TryEnter()) return true;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, gone);
        try
        {
            await _free.WaitAsync(either.Token).ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException) when (gone.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>Takes a place whether there is one or not.</summary>
    public void Enter()
    {
        lock (_gate)
        {
            if (!TryEnter()) _owed++;
        }
    }

    /// <summary>Leaves a place to who waits longest.</summary>
    public void Leave()
    {
        lock (_gate)
        {
            if (_owed > 0) _owed--;
            else _free.Release();
        }
    }
}
