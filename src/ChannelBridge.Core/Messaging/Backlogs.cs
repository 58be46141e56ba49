using System.Collections.Concurrent;
using ChannelBridge.Core.Storage;

namespace ChannelBridge.Core.Messaging;

/// <summary>Counts of what waits, by account, kept in memory so that a heartbeat costs no query. Read from the store once, at start.</summary>
internal sealed class Backlogs
{
    private readonly ConcurrentDictionary<(string Channel, string Account), Counter> _accounts = new();
    private long _inboxPending;

    /// <summary>Messages without a finished turn, in the whole host.</summary>
    public long InboxPending => Volatile.Read(ref _inboxPending);

    /// <summary>Unsettled replies, in the whole host.</summary>
    public long OutboxPending => _accounts.Values.Sum(counter => Volatile.Read(ref counter.OutboxPending));

    /// <summary>Every account with its counts.</summary>
    public IEnumerable<(string Channel, string Account, Counter Counter)> All =>
        _accounts.Select(pair => (pair.Key.Channel, pair.Key.Account, pair.Value));

    public Counter Of(string channel, string account) => _accounts.GetOrAdd((channel, account.ToLowerInvariant()), _ => new Counter());

    public void InboxAdd(Counter account, long count)
    {
        Interlocked.Add(ref account.InboxPending, count);
        Interlocked.Add(ref _inboxPending, count);
    }

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
        public long OutboxDead;

        /// <summary>Messages that died or expired since the start.</summary>
        public long Ended;
    }
}
