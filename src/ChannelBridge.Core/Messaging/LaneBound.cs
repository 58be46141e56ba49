using System.Collections.Concurrent;

namespace ChannelBridge.Core.Messaging;

/// <summary>
/// The lanes whose inbox is at its bound. Only those are remembered, so the bound costs nothing for the others, however many there are. A lane is found to
/// be full by the message that filled it, so what is being written at that moment may go a little above the bound.
/// </summary>
/// <param name="capacity">Messages without a finished turn that one lane may hold.</param>
internal sealed class LaneBound(int capacity)
{
    private readonly ConcurrentDictionary<LaneKey, long> _full = new();

    /// <summary>The bound.</summary>
    public int Capacity => capacity;

    /// <summary>How many lanes are full.</summary>
    public int FullCount => _full.Count;

    /// <summary>True when the lane was at its bound at the last look.</summary>
    public bool IsFull(LaneKey key) => !_full.IsEmpty && _full.ContainsKey(key);

    /// <summary>Notes how many messages a lane holds now.</summary>
    public void Note(LaneKey key, long laneId, long depth)
    {
        if (depth >= capacity) _full[key] = laneId;
        else if (!_full.IsEmpty) _full.TryRemove(key, out _);
    }
}
