using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Core.Messaging;

/// <summary>
/// The lanes whose inbox is at its bound. Only those are remembered, so the bound costs nothing for the others, however many there are. A lane is found to
/// be full by the message that filled it, so what is being written at that moment may go above the bound: a little above a large one, and of a small one
/// those that are being written are counted, so that they never go to twice as many.
/// </summary>
/// <param name="capacity">Messages without a finished turn that one lane may hold.</param>
internal sealed class LaneBound(int capacity)
{
    // More than that are hardly ever on their way at once; to count them for a larger bound would cost each message something.
    private const int Small = 10_000;

    private readonly ConcurrentDictionary<LaneKey, long> _full = new();
    private readonly ConcurrentDictionary<LaneKey, int> _arriving = new();

    /// <summary>The bound.</summary>
    public int Capacity => capacity;

    /// <summary>How many lanes are full.</summary>
    public int FullCount => _full.Count;

    /// <summary>True when the lane was at its bound at the last look.</summary>
    public bool IsFull(LaneKey key) => !_full.IsEmpty && _full.ContainsKey(key);

    /// <summary>True when messages that are being written count.</summary>
    public bool CountsArriving => capacity < Small;

    /// <summary>Counts a message that is about to be written; false, and not counted, when as many are as the bound allows.</summary>
    public bool Arrive(LaneKey key)
    {
        if (_arriving.AddOrUpdate(key, 1, static (_, count) => count + 1) <= capacity) return true;
        Arrived(key);
        return false;
    }

    /// <summary>It is written, or isn't going to be.</summary>
    public void Arrived(LaneKey key)
    {
        var left = _arriving.AddOrUpdate(key, 0, static (_, count) => count - 1);
        if (left == 0) _arriving.TryRemove(KeyValuePair.Create(key, 0));
    }

    /// <summary>Notes how many messages a lane holds now.</summary>
    public void Note(LaneKey key, long laneId, long depth)
    {
        if (depth >= capacity) _full[key] = laneId;
        else if (!_full.IsEmpty) _full.TryRemove(key, out _);
    }
}
