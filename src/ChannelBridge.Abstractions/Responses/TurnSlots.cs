using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Abstractions.Responses;

/// <summary>
/// At most so many turns at once, and a bounded line behind them. Owners that wait are served in turn, so that a busy one doesn't keep out
/// the others.
/// </summary>
/// <param name="slots">Turns at once, at least 1.</param>
/// <param name="line">How many may wait, 0 or more.</param>
/// <param name="shared">True where owners don't know of each other: then none can take all the slots or the whole line.</param>
public sealed class TurnSlots(int slots = 10, int line = 100, bool shared = false)
{
    private readonly Lock _gate = new();
    // Owners that wait, the next one first, each with its own line.
    private readonly LinkedList<Owner> _turn = new();
    private readonly Dictionary<string, Owner> _owners = new(StringComparer.Ordinal);
    private int _taken;
    private int _waiting;

    /// <summary>Turns that hold a slot.</summary>
    public int Taken
    {
        get { lock (_gate) return _taken; }
    }

    /// <summary>Turns that wait for one.</summary>
    public int Waiting
    {
        get { lock (_gate) return _waiting; }
    }

    /// <summary>The most slots that one owner holds; where they are shared four of five, so that there is one left for another.</summary>
    public int Share { get; } = !shared || slots == 1 ? slots : Math.Min(slots - (slots / 5), slots - 1);

    /// <summary>The most that one owner has in the line; where it is shared three of four.</summary>
    public int LineShare { get; } = shared ? line - (line / 4) : line;

    /// <summary>
    /// Takes a slot or a place in the line, at once. When the returned task isn't complete the caller waits in line; when it completes, the caller holds
    /// a slot and must <see cref="Release"/> it, once. A cancelled wait leaves the line and holds nothing.
    /// </summary>
    /// <param name="owner">Whose turn it is; the same for <see cref="Release"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="BridgeException"><c>BUSY</c>: the line is full.</exception>
    public Task EnterAsync(string owner, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(owner);
        cancellationToken.ThrowIfCancellationRequested();
        Owner mine;
        LinkedListNode<TaskCompletionSource> node;
        lock (_gate)
        {
            if (!_owners.TryGetValue(owner, out mine!)) _owners[owner] = mine = new Owner(owner);
            if (_taken < slots && mine.Taken < Share)
            {
                _taken++;
                mine.Taken++;
                return Task.CompletedTask;
            }

            if (_waiting >= line || mine.Line.Count >= LineShare)
            {
                Forget(mine);
                throw BridgeException.Busy(
                    _waiting >= line
                        ? $"{_taken} turns are running and {_waiting} are waiting; try again later."
                        : $"{mine.Taken} turns of this token are running and {mine.Line.Count} are waiting; try again later.",
                    TimeSpan.FromSeconds(1));
            }

            _waiting++;
            node = mine.Line.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            if (mine.Place is null) mine.Place = _turn.AddLast(mine);
        }

        return WaitAsync(mine, node, cancellationToken);
    }

    /// <summary>Gives a slot back; the next owner in turn gets it.</summary>
    /// <param name="owner">Whose it was.</param>
    public void Release(string owner)
    {
        ArgumentNullException.ThrowIfNull(owner);
        lock (_gate)
        {
            _taken--;
            var mine = _owners[owner];
            mine.Taken--;
            Forget(mine);
            for (var next = _turn.First; next is not null && _taken < slots; next = next.Next)
            {
                if (next.Value.Taken >= Share) continue;
                Give(next.Value);
                break;
            }
        }
    }

    private void Give(Owner next)
    {
        var first = next.Line.First!;
        next.Line.RemoveFirst();
        _waiting--;
        _taken++;
        next.Taken++;
        // Behind the others, if it still waits.
        _turn.Remove(next.Place!);
        next.Place = next.Line.Count > 0 ? _turn.AddLast(next) : null;
        first.Value.SetResult();
    }

    private void Forget(Owner owner)
    {
        if (owner.Taken == 0 && owner.Line.Count == 0) _owners.Remove(owner.Name);
    }

    private async Task WaitAsync(Owner owner, LinkedListNode<TaskCompletionSource> node, CancellationToken cancellationToken)
    {
        var registration = cancellationToken.Register(() =>
        {
            lock (_gate)
            {
                // Whoever was given the slot in this moment keeps it, and gives it back in the ordinary way.
                if (node.List is null) return;
                owner.Line.Remove(node);
                _waiting--;
                if (owner.Line.Count == 0 && owner.Place is { } place)
                {
                    _turn.Remove(place);
                    owner.Place = null;
                }

                Forget(owner);
                node.Value.SetCanceled(cancellationToken);
            }
        });
        await using (registration.ConfigureAwait(false)) await node.Value.Task.ConfigureAwait(false);
    }

    private sealed class Owner(string name)
    {
        public string Name => name;

        public int Taken { get; set; }

        public LinkedList<TaskCompletionSource> Line { get; } = new();

        public LinkedListNode<Owner>? Place { get; set; }
    }
}
