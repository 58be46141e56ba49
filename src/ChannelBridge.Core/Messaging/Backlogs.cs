using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Messaging;

/// <summary>Counts of what waits, by account, kept in memory so that a heartbeat costs no query. Read from the store once, at start.</summary>
internal sealed class Backlogs
{
    private readonly ConcurrentDictionary<(string Channel, string Account), Counter> _accounts = new();
    private long _inboxPending;
    private long _inboxArriving;

    /// <summary>Messages without a finished turn, in the whole host.</summary>
    public long InboxPending => Shown(ref _inboxPending);

    /// <summary>Unsettled replies, in the whole host.</summary>
    public long OutboxPending => _accounts.Values.Sum(counter => Shown(ref counter.OutboxPending));

    /// <summary>Every account with its counts.</summary>
    public IEnumerable<(string Channel, string Account, Counter Counter)> All =>
        _accounts.Select(pair => (pair.Key.Channel, pair.Key.Account, pair.Value));

    /// <summary>
    /// A count to show or to compare. Never less than nothing: where several hosts share a store, one that settles what another took counts below zero until
    /// the next look at the store.
    /// </summary>
    public static long Shown(ref long count) => Math.Max(0, Volatile.Read(ref count));

    public Counter Of(string channel, string account) => _accounts.GetOrAdd((channel, account.ToLowerInvariant()), _ => new Counter());

    public void InboxAdd(Counter account, long count)
    {
        Interlocked.Add(ref account.InboxPending, count);
        Interlocked.Add(ref _inboxPending, count);
    }

    /// <summary>
    /// Takes a place for a message that is about to be written, so that those which arrive together don't pass the bound together. False: all are taken. What
    /// was taken is given back with <see cref="InboxArrived"/>, once the message counts or has failed.
    /// </summary>
    public bool InboxTake(int capacity)
    {
        if (Interlocked.Increment(ref _inboxArriving) + InboxPending <= capacity) return true;
        InboxArrived();
        return false;
    }

    /// <summary>Gives the place of <see cref="InboxTake"/> back.</summary>
    public void InboxArrived() => Interlocked.Decrement(ref _inboxArriving);

    public void Load(IReadOnlyList<AccountCounts> counts)
    {
        foreach (var count in counts)
        {
            var counter = Of(count.Channel, count.Account);
            InboxAdd(counter, count.InboxPending);
            Interlocked.Add(ref counter.InboxDead, count.InboxDead);
            Interlocked.Add(ref counter.OutboxPending, count.OutboxPending);
            Interlocked.Add(ref counter.OutboxDead, count.OutboxDead);
        }
    }

    /// <summary>
    /// Puts what the store counted in the place of what was counted here: where several hosts share a store, one counts a message in and another one out.
    /// </summary>
    public void Replace(IReadOnlyList<AccountCounts> counts)
    {
        var stored = counts.ToDictionary(count => (count.Channel, count.Account));
        foreach (var key in stored.Keys) Of(key.Channel, key.Account);
        foreach (var (key, counter) in _accounts)
        {
            var count = stored.GetValueOrDefault(key);
            InboxAdd(counter, count.InboxPending - Volatile.Read(ref counter.InboxPending));
            Volatile.Write(ref counter.InboxDead, count.InboxDead);
            Volatile.Write(ref counter.OutboxPending, count.OutboxPending);
            Volatile.Write(ref counter.OutboxDead, count.OutboxDead);
        }
    }

    internal sealed class Counter
    {
        public long InboxPending;
        public long InboxDead;
        public long OutboxPending;

        /// <summary>Sends that are being written.</summary>
        public long OutboxArriving;

        public long OutboxDead;

        /// <summary>Messages that died or expired since the start.</summary>
        public long Ended;

        /// <summary>As <see cref="InboxTake"/>, for a send of this account; given back with <see cref="OutboxArrived"/>.</summary>
        public bool OutboxTake(int capacity)
        {
            if (Interlocked.Increment(ref OutboxArriving) + Shown(ref OutboxPending) <= capacity) return true;
            OutboxArrived();
            return false;
        }

        public void OutboxArrived() => Interlocked.Decrement(ref OutboxArriving);
    }
}
