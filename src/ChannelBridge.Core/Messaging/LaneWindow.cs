namespace ChannelBridge.Core.Messaging;

/// <summary>How many bytes of messages lanes may hold together. A window that finds it used up leaves its messages in the store.</summary>
internal sealed class LaneMemory(long limit)
{
    private long _used;

    public long Used => Volatile.Read(ref _used);

    public bool HasRoom => Volatile.Read(ref _used) < limit;

    public void Take(int bytes) => Interlocked.Add(ref _used, bytes);

    public void Give(int bytes) => Interlocked.Add(ref _used, -bytes);
}

/// <summary>What a lane has to do next.</summary>
internal enum LaneNext
{
    /// <summary>Nothing: every known entry is behind it.</summary>
    Nothing,

    /// <summary>The head is in memory.</summary>
    Item,

    /// <summary>There are entries, but the head must be read from the store.</summary>
    Load,
}

/// <summary>
/// The next few entries of a lane, in memory, by their number. New entries are offered as their commits complete, in any order; what doesn't fit,
/// or came before the lane's position was known, is read from the store when its turn comes. Not thread-safe: the lane's lock guards it.
/// </summary>
/// <remarks>
/// It relies on the journal's promise that numbers of a lane become visible in their order: when a read shows entry n, then an entry below n that it
/// doesn't show is finished, not late.
/// </remarks>
internal sealed class LaneWindow<T>(int capacity, LaneMemory memory)
    where T : class
{
    private const long Unknown = -1;

    private (T? Item, int Size)[] _slots = [];
    private long _last = Unknown;
    private long _known;
    private long _loaded;
    private long _seen;
    private bool _more;

    /// <summary>The number of the entry behind which the lane stands, or -1 before the first load.</summary>
    public long Last => _last;

    /// <summary>The highest number known to exist.</summary>
    public long Known => _known;

    /// <summary>How many entries are before it; 0 while its position isn't known.</summary>
    public long Depth => _last == Unknown ? 0 : Math.Max(0, _known - _last);

    /// <summary>How many entries a load should ask for.</summary>
    public int LoadLimit => memory.HasRoom ? capacity : 1;

    /// <summary>Tells that entries up to this number exist, without giving them.</summary>
    public void Announce(long number) => _known = Math.Max(_known, number);

    /// <summary>Gives an entry that has just been committed.</summary>
    public void Offer(long number, T item, int size)
    {
        _known = Math.Max(_known, number);
        // Number 1 is the first of a new lane: nothing can be before it, so the store need not be asked.
        if (_last == Unknown && number == 1) _last = _loaded = 0;
        // What a load has shown before may be finished by now: a late offer of it, after a rewind, must not bring it back.
        if (_last == Unknown || number <= _last || number <= _seen || !memory.HasRoom) return;
        Place(number, item, size);
    }

    /// <summary>Takes over what a read showed that asked for entries above <see cref="Last"/>.</summary>
    /// <param name="entries">The read's entries, in order.</param>
    /// <param name="complete">True when the read can't have been cut by its limits: then it showed all entries up to <paramref name="knownBefore"/>.</param>
    /// <param name="knownBefore"><see cref="Known"/> from before the read.</param>
    public void Load(IReadOnlyList<(long Number, T Item, int Size)> entries, bool complete, long knownBefore)
    {
        if (_last == Unknown) _last = 0;
        if (entries.Count > 0 && entries[0].Number > _last + capacity && IsEmpty()) _last = entries[0].Number - 1;
        var shown = _last;
        var all = true;
        foreach (var (number, item, size) in entries)
        {
            if (number <= _last) continue;
            if (!Place(number, item, size))
            {
                all = false;
                break;
            }

            shown = number;
        }

        _more = !(complete && all);
        if (!_more) shown = Math.Max(shown, knownBefore);
        _loaded = Math.Max(_loaded, shown);
        _seen = Math.Max(_seen, shown);
        _known = Math.Max(_known, shown);
    }

    /// <summary>What comes next.</summary>
    public LaneNext Peek(out long number, out T? item)
    {
        for (number = _last + 1; _last != Unknown && number <= _known; number++)
        {
            item = number - _last <= _slots.Length ? _slots[Slot(number)].Item : null;
            if (item is not null) return LaneNext.Item;
            if (number > _loaded) return LaneNext.Load;
        }

        item = null;
        return _more || (_last == Unknown && _known > 0) ? LaneNext.Load : LaneNext.Nothing;
    }

    /// <summary>Moves behind an entry: it is finished.</summary>
    public void Advance(long number)
    {
        for (var passed = _last + 1; passed <= number && passed - _last <= _slots.Length; passed++) Clear(passed);
        _last = Math.Max(_last, number);
        _seen = Math.Max(_seen, number);
        _loaded = Math.Max(_loaded, _last);
    }

    /// <summary>Goes back (or forgets what it holds): everything behind <paramref name="number"/> is read again.</summary>
    public void Reset(long number)
    {
        for (var index = 0; index < _slots.Length; index++)
        {
            if (_slots[index].Item is not null) memory.Give(_slots[index].Size);
        }

        _slots = [];
        _last = _last == Unknown ? Unknown : Math.Min(_last, number);
        _loaded = Math.Max(_last, 0);
    }

    /// <summary>Somebody else works on the lane: neither what it holds nor where it stands counts any more.</summary>
    public void Forget()
    {
        Reset(_last);
        _last = Unknown;
        _loaded = 0;
    }

    private bool Place(long number, T item, int size)
    {
        var distance = number - _last;
        if (distance > capacity) return false;
        if (distance > _slots.Length) Grow(distance);
        ref var slot = ref _slots[Slot(number)];
        if (slot.Item is not null) return true;
        slot = (item, size);
        memory.Take(size);
        return true;
    }

    private void Grow(long distance)
    {
        var length = Math.Max(4, _slots.Length);
        while (length < distance) length *= 2;
        var old = _slots;
        _slots = new (T?, int)[length];
        for (var number = _last + 1; number - _last <= old.Length; number++) _slots[Slot(number)] = old[(int)(number % old.Length)];
    }

    private void Clear(long number)
    {
        ref var slot = ref _slots[Slot(number)];
        if (slot.Item is not null) memory.Give(slot.Size);
        slot = default;
    }

    private bool IsEmpty() => Array.TrueForAll(_slots, slot => slot.Item is null);

    private int Slot(long number) => (int)(number % _slots.Length);
}
