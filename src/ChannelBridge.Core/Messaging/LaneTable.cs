using ChannelBridge.Abstractions.Messaging;
namespace ChannelBridge.Core.Messaging;

/// <summary>
/// The lanes in memory. A lane is pinned while somebody works with it or it has work; a lane without a pin stays for a while, because its known
/// position saves a read when it wakes, and is forgotten when too many others have come to rest after it. So a million cold lanes cost nothing.
/// </summary>
/// <remarks>There is never a second object for a lane as long as the first one is pinned: that is what keeps a lane's order.</remarks>
internal sealed class LaneTable<TLane>(int maxActive, int maxIdle, Func<long, LaneKey, TLane> create)
    where TLane : class, IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<long, Entry> _entries = [];
    private readonly LinkedList<Entry> _idle = new();
    private TaskCompletionSource? _room;

    /// <summary>Lanes with at least one pin.</summary>
    public int ActiveCount
    {
        get
        {
            lock (_gate) return _entries.Count - _idle.Count;
        }
    }

    /// <summary>Lanes in memory, with or without a pin; never more than both bounds together.</summary>
    public int Count
    {
        get
        {
            lock (_gate) return _entries.Count;
        }
    }

    /// <summary>The lane if it is in memory; not pinned, so only for a look.</summary>
    public TLane? Look(long id)
    {
        lock (_gate) return _entries.TryGetValue(id, out var entry) ? entry.Lane : null;
    }

    /// <summary>Pins a lane, making it if need be. Null when the lane isn't in memory and the bound is reached.</summary>
    public TLane? TryPin(long id, LaneKey key)
    {
        lock (_gate)
        {
            if (_entries.TryGetValue(id, out var entry))
            {
                if (entry.Pins++ == 0) _idle.Remove(entry.Node);
                return entry.Lane;
            }

            if (_entries.Count - _idle.Count >= maxActive) return null;
            _entries[id] = entry = new Entry(id, create(id, key));
            return entry.Lane;
        }
    }

    /// <summary>Gives one pin back.</summary>
    public void Unpin(long id)
    {
        TLane? forgotten = null;
        TaskCompletionSource? room = null;
        lock (_gate)
        {
            var entry = _entries[id];
            if (--entry.Pins > 0) return;
            _idle.AddLast(entry.Node);
            if (_idle.Count > maxIdle)
            {
                var oldest = _idle.First!.Value;
                _idle.RemoveFirst();
                _entries.Remove(oldest.Id);
                forgotten = oldest.Lane;
            }

            (room, _room) = (_room, null);
        }

        forgotten?.Dispose();
        room?.TrySetResult();
    }

    /// <summary>Completes when <see cref="TryPin"/> has a chance again.</summary>
    public Task WaitForRoomAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_entries.Count - _idle.Count < maxActive) return Task.CompletedTask;
            _room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _room.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>The pinned lanes, as they are now.</summary>
    public IReadOnlyList<TLane> Active()
    {
        lock (_gate) return [.. _entries.Values.Where(entry => entry.Pins > 0).Select(entry => entry.Lane)];
    }

    private sealed class Entry
    {
        public Entry(long id, TLane lane)
        {
            Id = id;
            Lane = lane;
            Node = new LinkedListNode<Entry>(this);
        }

        public long Id { get; }

        public TLane Lane { get; }

        public LinkedListNode<Entry> Node { get; }

        public int Pins { get; set; } = 1;
    }
}
