using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Storage.Sqlite.Writing;

/// <summary>What the writer knows of a lane: its last numbers, which reach the table once for each group.</summary>
internal sealed class LaneState(long id, long account, LaneKey key)
{
    /// <summary>The lane's id.</summary>
    public long Id { get; } = id;

    /// <summary>The account's id.</summary>
    public long Account { get; } = account;

    /// <summary>The lane.</summary>
    public LaneKey Key { get; } = key;

    /// <summary>The last ordinal given out.</summary>
    public long LastIn { get; set; }

    /// <summary>The last seq given out.</summary>
    public long LastOut { get; set; }

    /// <summary>True when the open transaction is to write the last numbers to the table.</summary>
    public bool Dirty { get; set; }

    /// <summary>Neighbours in order of use.</summary>
    public LaneState? Newer { get; set; }

    /// <inheritdoc cref="Newer"/>
    public LaneState? Older { get; set; }
}

/// <summary>The lanes used last, so that a busy lane costs no look-up. Used by the writer thread only.</summary>
internal sealed class LaneCache(int capacity)
{
    private readonly Dictionary<LaneKey, LaneState> _lanes = [];
    private readonly Dictionary<long, LaneState> _byId = [];
    private LaneState? _newest;
    private LaneState? _oldest;

    /// <summary>How many lanes are known.</summary>
    public int Count => _lanes.Count;

    /// <summary>Finds a lane, or null when it must be looked up.</summary>
    public LaneState? Find(in LaneKey key) => _lanes.TryGetValue(key, out var lane) ? Use(lane) : null;

    /// <inheritdoc cref="Find(in LaneKey)"/>
    public LaneState? Find(long id) => _byId.TryGetValue(id, out var lane) ? Use(lane) : null;

    /// <summary>Adds a lane that was looked up.</summary>
    public void Add(LaneState lane)
    {
        _lanes.Add(lane.Key, lane);
        _byId.Add(lane.Id, lane);
        LinkNewest(lane);
    }

    /// <summary>Forgets the lanes that weren't used for longest, down to the capacity. Only between groups: lanes mustn't be dirty.</summary>
    public void Trim()
    {
        while (_lanes.Count > capacity && _oldest is { } lane)
        {
            Unlink(lane);
            _lanes.Remove(lane.Key);
            _byId.Remove(lane.Id);
        }
    }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        _lanes.Clear();
        _byId.Clear();
        _newest = _oldest = null;
    }

    private LaneState Use(LaneState lane)
    {
        if (ReferenceEquals(lane, _newest)) return lane;
        Unlink(lane);
        LinkNewest(lane);
        return lane;
    }

    private void LinkNewest(LaneState lane)
    {
        lane.Older = _newest;
        lane.Newer = null;
        if (_newest is not null) _newest.Newer = lane;
        _newest = lane;
        _oldest ??= lane;
    }

    private void Unlink(LaneState lane)
    {
        if (lane.Newer is null) _newest = lane.Older;
        else lane.Newer.Older = lane.Older;
        if (lane.Older is null) _oldest = lane.Newer;
        else lane.Older.Newer = lane.Newer;
        lane.Newer = lane.Older = null;
    }
}
