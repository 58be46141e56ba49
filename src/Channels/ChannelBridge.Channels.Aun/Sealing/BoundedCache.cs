namespace ChannelBridge.Channels.Aun.Sealing;

/// <summary>A cache of so many; when it is full the older half goes.</summary>
internal sealed class BoundedCache<TKey, TValue>(int most)
    where TKey : notnull
{
    private readonly Dictionary<TKey, TValue> _young = [];
    private readonly Lock _lock = new();
    private Dictionary<TKey, TValue> _old = [];

    /// <summary>How many there are.</summary>
    public int Count
    {
        get
        {
            lock (_lock) return _young.Count + _old.Count;
        }
    }

    /// <summary>Looks.</summary>
    public bool TryGet(TKey key, out TValue value)
    {
        lock (_lock)
        {
            if (_young.TryGetValue(key, out value!)) return true;
            if (!_old.Remove(key, out value!)) return false;
            AddLocked(key, value);
            return true;
        }
    }

    /// <summary>Looks, or makes it; of two that make it at the same time one is kept.</summary>
    public TValue GetOrAdd(TKey key, Func<TValue> make)
    {
        if (TryGet(key, out var found)) return found;
        var made = make();
        Set(key, made);
        return made;
    }

    /// <summary>Puts.</summary>
    public void Set(TKey key, TValue value)
    {
        lock (_lock)
        {
            _old.Remove(key);
            AddLocked(key, value);
        }
    }

    /// <summary>Removes.</summary>
    public void Remove(TKey key)
    {
        lock (_lock)
        {
            _young.Remove(key);
            _old.Remove(key);
        }
    }

    private void AddLocked(TKey key, TValue value)
    {
        if (_young.Count >= most / 2)
        {
            _old = new Dictionary<TKey, TValue>(_young);
            _young.Clear();
        }

        _young[key] = value;
    }
}
