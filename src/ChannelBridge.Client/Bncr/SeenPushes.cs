namespace ChannelBridge.Client.Bncr;

/// <summary>Remembers the pushes that were shown, bounded: the oldest are forgotten first.</summary>
internal sealed class SeenPushes(int capacity)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, LinkedListNode<(string Key, bool Done)>> _known = new(StringComparer.Ordinal);
    private readonly LinkedList<(string Key, bool Done)> _order = new();

    /// <summary>What is known of a push.</summary>
    public enum Sight
    {
        /// <summary>Not seen before; it counts as shown now.</summary>
        New,

        /// <summary>Shown and still being worked on.</summary>
        Shown,

        /// <summary>Worked on and confirmed.</summary>
        Done,
    }

    /// <summary>Looks at a push.</summary>
    public Sight See(string key)
    {
        lock (_gate)
        {
            if (_known.TryGetValue(key, out var node)) return node.Value.Done ? Sight.Done : Sight.Shown;
            _known[key] = _order.AddLast((key, false));
            if (_known.Count > capacity)
            {
                _known.Remove(_order.First!.Value.Key);
                _order.RemoveFirst();
            }

            return Sight.New;
        }
    }

    /// <summary>The push was worked on; it isn't shown again.</summary>
    public void Finish(string key)
    {
        lock (_gate)
        {
            if (_known.TryGetValue(key, out var node)) node.Value = (key, true);
        }
    }

    /// <summary>The push couldn't be worked on; it is shown when it comes again.</summary>
    public void Forget(string key)
    {
        lock (_gate)
        {
            if (_known.Remove(key, out var node)) _order.Remove(node);
        }
    }
}
