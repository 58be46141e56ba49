using System.Collections.Concurrent;
using ChannelBridge.Channels.Aun.Endpoint;

namespace ChannelBridge.Channels.Aun.Messages;

/// <summary>AIDs whose connections share their messages, as long as messages of that kind may be kept.</summary>
internal sealed class QueueBook(AunOptions options, TimeProvider time)
{
    /// <summary>How long a message of a queue is kept, unless queues are durable.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromMinutes(5);

    private const int Most = 10_000;
    private readonly ConcurrentDictionary<string, Entry> _queues = new(StringComparer.Ordinal);

    /// <summary>How long a message is kept.</summary>
    public TimeSpan TimeToLive(bool isQueue) => isQueue && !options.DurableQueues ? Kept : options.MessageTimeToLive;

    /// <summary>An AID's connections have this mode from now on.</summary>
    public void Note(string aid, DeliveryMode mode)
    {
        if (mode.IsQueue) For(aid).Mode = mode;
        else _queues.TryRemove(aid, out _);
    }

    /// <summary>True when an AID's messages are for one connection; when none is there, as the last one had it.</summary>
    public bool IsQueue(string aid) => !_queues.IsEmpty && _queues.ContainsKey(aid);

    /// <summary>An AID's queue, or null.</summary>
    public Entry? Find(string aid) => _queues.IsEmpty ? null : _queues.GetValueOrDefault(aid);

    /// <summary>An AID's queue.</summary>
    public Entry For(string aid)
    {
        if (_queues.Count >= Most)
        {
            foreach (var (name, old) in _queues)
            {
                if (old.Idle > Kept) _queues.TryRemove(name, out _);
            }
        }

        return _queues.GetOrAdd(aid, _ => new Entry(new QueueState(options.DurableQueues, time), time));
    }

    /// <summary>One queue, used by one at a time.</summary>
    internal sealed class Entry(QueueState state, TimeProvider time)
    {
        private readonly Lock _lock = new();
        private long _usedAt = time.GetTimestamp();

        /// <summary>How the connections share.</summary>
        public DeliveryMode Mode { get; set; }

        /// <summary>Since when nobody has used it.</summary>
        public TimeSpan Idle => time.GetElapsedTime(Volatile.Read(ref _usedAt));

        /// <summary>Uses it.</summary>
        public T Use<T>(Func<QueueState, T> action)
        {
            Volatile.Write(ref _usedAt, time.GetTimestamp());
            lock (_lock) return action(state);
        }
    }
}
