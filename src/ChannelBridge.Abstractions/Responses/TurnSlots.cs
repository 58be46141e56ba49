using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Abstractions.Responses;

/// <summary>At most so many turns at once, and a bounded first-in-first-out line behind them.</summary>
/// <param name="slots">Turns at once, at least 1.</param>
/// <param name="line">How many may wait, 0 or more.</param>
public sealed class TurnSlots(int slots = 10, int line = 100)
{
    private readonly Lock _gate = new();
    private readonly LinkedList<TaskCompletionSource> _waiting = new();
    private int _taken;

    /// <summary>Turns that hold a slot.</summary>
    public int Taken
    {
        get { lock (_gate) return _taken; }
    }

    /// <summary>Turns that wait for one.</summary>
    public int Waiting
    {
        get { lock (_gate) return _waiting.Count; }
    }

    /// <summary>
    /// Takes a slot or a place in the line, at once. When the returned task isn't complete the caller waits in line; when it completes, the caller holds
    /// a slot and must <see cref="Release"/> it, once. A cancelled wait leaves the line and holds nothing.
    /// </summary>
    /// <exception cref="BridgeException"><c>BUSY</c>: the line is full.</exception>
    public Task EnterAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        LinkedListNode<TaskCompletionSource> node;
        lock (_gate)
        {
            if (_taken < slots)
            {
                _taken++;
                return Task.CompletedTask;
            }

            if (_waiting.Count >= line)
            {
                throw BridgeException.Busy($"{slots} turns are running and {line} are waiting; try again later.", TimeSpan.FromSeconds(1));
            }

            node = _waiting.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        return WaitAsync(node, cancellationToken);
    }

    /// <summary>Gives a slot back; the first in line gets it.</summary>
    public void Release()
    {
        lock (_gate)
        {
            if (_waiting.First is { } first)
            {
                _waiting.RemoveFirst();
                first.Value.SetResult();
                return;
            }

            _taken--;
        }
    }

    private async Task WaitAsync(LinkedListNode<TaskCompletionSource> node, CancellationToken cancellationToken)
    {
        var registration = cancellationToken.Register(() =>
        {
            lock (_gate)
            {
                // Whoever was given the slot in this moment keeps it, and gives it back in the ordinary way.
                if (node.List is null) return;
                _waiting.Remove(node);
                node.Value.SetCanceled(cancellationToken);
            }
        });
        await using (registration.ConfigureAwait(false)) await node.Value.Task.ConfigureAwait(false);
    }
}
