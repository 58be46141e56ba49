using ChannelBridge.Channels.Aun.Endpoint;

namespace ChannelBridge.Channels.Aun.Messages;

/// <summary>
/// Who gets which message of an AID whose connections share them: in memory, for as long as such a message is kept. Used under its owner's lock.
/// </summary>
internal sealed class QueueState(bool isDurable, TimeProvider time)
{
    /// <summary>Messages that are kept for an AID, unless queues are durable.</summary>
    public const int MostKept = 200;

    private const int MostAssigned = 10_000;
    private const int MostSenders = 10_000;
    private readonly SortedDictionary<long, GatewayConnection?> _taken = [];
    private readonly Dictionary<string, (SlotKey Key, GatewayConnection Connection, long At)> _affinity = new(StringComparer.Ordinal);
    private int _next;

    /// <summary>Messages that were put out by newer ones.</summary>
    public long Dropped { get; private set; }

    /// <summary>The oldest that is kept, or 0.</summary>
    public long Earliest => _taken.Count > 0 ? _taken.First().Key : 0;

    /// <summary>Chooses who gets a message; null: nobody is there.</summary>
    public GatewayConnection? Choose(IReadOnlyList<GatewayConnection> longs, string from)
    {
        if (longs.Count == 0) return null;
        if (!longs[0].Mode.HasAffinity) return longs[Next(longs.Count)];
        var patience = TimeSpan.FromMilliseconds(longs[0].Mode.AffinityMs);
        if (_affinity.TryGetValue(from, out var known) && time.GetElapsedTime(known.At) < patience)
        {
            var same = longs.FirstOrDefault(one => one == known.Connection || one.Is(known.Key));
            if (same is not null)
            {
                _affinity[from] = (known.Key, same, time.GetTimestamp());
                return same;
            }
        }

        var chosen = longs[Next(longs.Count)];
        if (_affinity.Count >= MostSenders) _affinity.Clear();
        _affinity[from] = (chosen.Key!.Value, chosen, time.GetTimestamp());
        return chosen;
    }

    /// <summary>A message is a connection's, or waits for one.</summary>
    public void Assign(long number, GatewayConnection? connection)
    {
        _taken[number] = connection;
        while (_taken.Count > (isDurable ? MostAssigned : MostKept))
        {
            _taken.Remove(_taken.First().Key);
            if (!isDurable) Dropped++;
        }
    }

    /// <summary>Whether a message is told to who pulls; it is its from then on.</summary>
    /// <param name="number">The message.</param>
    /// <param name="kinds">What its entry says.</param>
    /// <param name="who">Who pulls.</param>
    /// <param name="isThere">Whether a connection is still there.</param>
    public bool TryTake(long number, MessageKinds kinds, GatewayConnection who, Func<GatewayConnection, bool> isThere)
    {
        if (!_taken.TryGetValue(number, out var owner))
        {
            // Of an earlier run of the host, put out by newer ones, or of another host: kept only where that was asked for, or nobody has had it.
            if (!isDurable && (kinds.HasFlag(MessageKinds.Taken) || number < Earliest)) return false;
            Assign(number, who);
            return true;
        }

        if (owner is null || (owner != who && !owner.Is(who.Key!.Value) && !isThere(owner))) _taken[number] = owner = who;
        return owner == who || owner.Is(who.Key!.Value);
    }

    /// <summary>A connection has left: what it had and didn't ack waits for another one.</summary>
    public IReadOnlyList<long> Release(GatewayConnection connection)
    {
        var open = _taken.Where(one => one.Value == connection && one.Key > connection.Acks.Acked).Select(static one => one.Key).ToArray();
        foreach (var number in open) _taken[number] = null;
        return open;
    }

    private int Next(int count)
    {
        _next = (_next + 1) % count;
        return _next;
    }
}
