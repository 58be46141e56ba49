namespace ChannelBridge.Channels.Bncr.Routing;

/// <summary>
/// A bounded map that forgets what hasn't been used for long: two generations, of which the older is dropped when the younger is full. Cheaper than an
/// exact LRU and as good here, where forgetting costs one write.
/// </summary>
internal sealed class GenerationCache<TKey, TValue>(int capacity)
    where TKey : notnull
{
    private readonly Lock _gate = new();
    private Dictionary<TKey, TValue> _young = [];
    private Dictionary<TKey, TValue> _old = [];

    public bool TryGet(TKey key, out TValue value)
    {
        lock (_gate)
        {
            if (_young.TryGetValue(key, out value!)) return true;
            if (!_old.Remove(key, out value!)) return false;
            Add(key, value);
            return true;
        }
    }

    public void Set(TKey key, TValue value)
    {
        lock (_gate)
        {
            _old.Remove(key);
            Add(key, value);
        }
    }

    public bool Remove(TKey key, out TValue value)
    {
        lock (_gate) return _young.Remove(key, out value!) || _old.Remove(key, out value!);
    }

    public int Count
    {
        get
        {
            lock (_gate) return _young.Count + _old.Count;
        }
    }

    private void Add(TKey key, TValue value)
    {
        _young[key] = value;
        if (_young.Count < capacity) return;
        (_old, _young) = (_young, new Dictionary<TKey, TValue>(capacity / 4));
    }
}
