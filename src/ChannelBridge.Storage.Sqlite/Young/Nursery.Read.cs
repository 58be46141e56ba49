using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Storage.Sqlite.Writing;

namespace ChannelBridge.Storage.Sqlite.Young;

/// <content>What readers ask, on any thread: the committed state, in copies.</content>
internal sealed partial class Nursery
{
    /// <summary>
    /// Changes whenever entries have moved. Whoever looks here first and into the tables afterwards misses nothing; an entry that has moved in between
    /// may have another state there by now, so he looks again when this has changed.
    /// </summary>
    public long Version => Volatile.Read(ref _version);

    /// <summary>An inbox entry, or null when it isn't here.</summary>
    public InboxEntry? GetInbox(Guid id)
    {
        lock (_gate) return _inboxById.TryGetValue(id, out var entry) && entry.Committed ? Copy(entry, headersOnly: false) : null;
    }

    /// <summary>An outbox entry, or null when it isn't here.</summary>
    public OutboxEntry? GetOutbox(Guid id)
    {
        lock (_gate) return _outboxById.TryGetValue(id, out var entry) && entry is { Committed: true, Kept.Discarded: false } ? Copy(entry, headersOnly: false) : null;
    }

    /// <summary>A lane's unfinished inbox entries behind a number, in order; as many as a read with these limits may give, and the first that would be too much.</summary>
    public List<InboxEntry> ReadInbox(long lane, long after, int limit, int maxBytes)
    {
        lock (_gate)
        {
            var found = new List<YoungInbox>();
            if (_lanes.GetValueOrDefault(lane) is not { } state) return [];
            var bytes = 0L;
            for (var entry = state.FirstInbox; entry is not null; entry = entry.Next)
            {
                if (!(entry is { Committed: true, Kept.State: TurnState.Pending }) || entry.Kept.Ordinal <= after) continue;
                found.Add(entry);
                bytes += entry.Length;
                if (state.InOrder && (found.Count >= limit || bytes > maxBytes)) break;
            }

            if (!state.InOrder) found.Sort(static (a, b) => a.Kept.Ordinal.CompareTo(b.Kept.Ordinal));
            return Take(found, limit, maxBytes, static entry => Copy(entry, headersOnly: false));
        }
    }

    /// <summary>A lane's unsettled outbox entries behind a number, in order; as many as a read with these limits may give, and the first that would be too much.</summary>
    public List<OutboxEntry> ReadOutbox(long lane, long after, int limit, int maxBytes)
    {
        lock (_gate)
        {
            var found = new List<YoungOutbox>();
            if (_lanes.GetValueOrDefault(lane) is not { } state) return [];
            var bytes = 0L;
            for (var entry = state.FirstOutbox; entry is not null; entry = entry.Next)
            {
                if (!(entry is { Committed: true, Kept: { Settled: false, Discarded: false } }) || entry.Kept.Seq <= after) continue;
                found.Add(entry);
                bytes += entry.Length;
                if (state.InOrder && (found.Count >= limit || bytes > maxBytes)) break;
            }

            if (!state.InOrder) found.Sort(static (a, b) => a.Kept.Seq.CompareTo(b.Kept.Seq));
            return Take(found, limit, maxBytes, static entry => Copy(entry, headersOnly: false));
        }
    }

    /// <summary>Lanes behind an id that have unfinished inbox entries, each with its first.</summary>
    public List<PendingLane> TurnLanes(long after)
    {
        lock (_gate)
        {
            return Lanes(after, static lane =>
            {
                var first = long.MaxValue;
                for (var entry = lane.FirstInbox; entry is not null; entry = entry.Next)
                {
                    if (entry is { Committed: true, Kept.State: TurnState.Pending }) first = Math.Min(first, entry.Kept.Ordinal);
                }

                return first;
            });
        }
    }

    /// <summary>An account's lanes behind an id that have unsettled outbox entries, each with its first.</summary>
    public List<PendingLane> PushLanes(string channel, string account, long after)
    {
        lock (_gate)
        {
            return Lanes(after, lane =>
            {
                var first = long.MaxValue;
                if (lane.Key.Channel != channel || lane.Key.Account != account) return first;
                for (var entry = lane.FirstOutbox; entry is not null; entry = entry.Next)
                {
                    if (entry is { Committed: true, Kept: { Settled: false, Discarded: false } }) first = Math.Min(first, entry.Kept.Seq);
                }

                return first;
            });
        }
    }

    /// <summary>Inbox entries whose turn was given up and that a condition lets through.</summary>
    public List<InboxEntry> DeadInbox(Func<YoungInbox, bool> where, bool headersOnly)
    {
        lock (_gate)
        {
            return [.. _inboxById.Values.Where(entry => entry is { Committed: true, Kept.State: TurnState.Dead } && where(entry)).Select(entry => Copy(entry, headersOnly))];
        }
    }

    /// <summary>Outbox entries that a condition lets through.</summary>
    public List<OutboxEntry> Outboxes(Func<YoungOutbox, bool> where, bool headersOnly)
    {
        lock (_gate)
        {
            return [.. _outboxById.Values.Where(entry => entry is { Committed: true, Kept.Discarded: false } && where(entry)).Select(entry => Copy(entry, headersOnly))];
        }
    }

    /// <summary>Tells the account and the committed state of each entry, for counts.</summary>
    public void Each(Action<long, long, InboxState> inbox, Action<long, long, OutboxState> outbox)
    {
        lock (_gate)
        {
            foreach (var entry in _inboxById.Values) if (entry.Committed) inbox(entry.Lane.Account, entry.AcceptedAt, entry.Kept);
            foreach (var entry in _outboxById.Values) if (entry is { Committed: true, Kept.Discarded: false }) outbox(entry.Lane.Account, entry.AcceptedAt, entry.Kept);
        }
    }

    private List<PendingLane> Lanes(long after, Func<LaneState, long> first)
    {
        var lanes = new List<PendingLane>();
        foreach (var (id, lane) in _lanes)
        {
            if (id > after && first(lane) is not long.MaxValue and var number) lanes.Add(new PendingLane(id, lane.Key, number));
        }

        return lanes;
    }

    private static List<TEntry> Take<TYoung, TEntry>(List<TYoung> found, int limit, int maxBytes, Func<TYoung, TEntry> copy)
        where TYoung : YoungEntry
    {
        var entries = new List<TEntry>();
        var bytes = 0L;
        foreach (var entry in found)
        {
            if (entries.Count == limit || bytes > maxBytes) break;
            bytes += entry.Length;
            entries.Add(copy(entry));
        }

        return entries;
    }

    private static InboxEntry Copy(YoungInbox entry, bool headersOnly) => new()
    {
        Id = entry.Id,
        LaneId = entry.Lane.Id,
        Lane = entry.Lane.Key,
        Ordinal = entry.Kept.Ordinal,
        State = entry.Kept.State,
        Attempts = entry.Kept.Attempts,
        NextAttemptAt = entry.Kept.NextAttemptAt,
        AcceptedAt = entry.AcceptedAt,
        Error = entry.Kept.Error,
        Payload = headersOnly || entry.Kept.PayloadDropped ? ReadOnlyMemory<byte>.Empty : entry.Payload.ToArray(),
        EndedAt = entry.Kept.EndedAt,
    };

    private static OutboxEntry Copy(YoungOutbox entry, bool headersOnly) => new()
    {
        Id = entry.Id,
        LaneId = entry.Lane.Id,
        Lane = entry.Lane.Key,
        Seq = entry.Kept.Seq,
        State = entry.Kept.State,
        Settled = entry.Kept.Settled,
        Attempts = entry.Kept.Attempts,
        NextAttemptAt = entry.Kept.NextAttemptAt,
        AcceptedAt = entry.AcceptedAt,
        ExpiresAt = entry.Kept.ExpiresAt,
        PushedAt = entry.Kept.PushedAt,
        AckedAt = entry.Kept.AckedAt,
        DeliveredAt = entry.Kept.DeliveredAt,
        EndedAt = entry.Kept.EndedAt,
        Error = entry.Kept.Error,
        History = headersOnly ? ReadOnlyMemory<byte>.Empty : entry.Kept.History,
        Payload = headersOnly || entry.Kept.PayloadDropped ? ReadOnlyMemory<byte>.Empty : entry.Payload.ToArray(),
    };
}
