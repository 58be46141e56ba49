using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Protocol;
using ChannelBridge.Storage.Sqlite.Young;

namespace ChannelBridge.Storage.Sqlite.Reading;

/// <content>What is asked of the tables and of the entries that aren't in them yet, as one answer.</content>
internal sealed partial class SqliteReader
{
    // Under load something moves every few milliseconds, which is longer than most reads take.
    private const int Attempts = 5;

    /// <summary>
    /// Asks the nursery, then the tables: what moves in between is in both answers and counts as the table has it. But there it may be settled by then,
    /// and be missing, so the question is asked again when something has moved. After some attempts an answer whose parts are of two moments is
    /// good enough: it says of each entry what was true while it was asked for.
    /// </summary>
    private List<T> Merge<T>(Func<Nursery, List<T>> young, Func<List<T>> stored, Func<T, Guid>? id, Func<List<T>, List<T>, List<T>> join)
    {
        return Steady(() =>
        {
            var fresh = young(nursery());
            var rows = stored();
            if (id is not null && fresh.Count > 0 && rows.Count > 0)
            {
                var known = rows.Select(id).ToHashSet();
                fresh.RemoveAll(entry => known.Contains(id(entry)));
            }

            return join(fresh, rows);
        });
    }

    private T Steady<T>(Func<T> read)
    {
        for (var attempt = 1; ; attempt++)
        {
            var before = nursery();
            var version = before.Version;
            var answer = read();
            if (attempt == Attempts || (nursery() == before && before.Version == version)) return answer;
        }
    }

    private static List<PendingLane> Join(List<PendingLane> young, List<PendingLane> stored, int limit)
    {
        if (young.Count == 0) return stored;
        var lanes = new SortedDictionary<long, PendingLane>();
        foreach (var lane in stored) lanes[lane.Id] = lane;
        foreach (var lane in young)
        {
            if (!lanes.TryGetValue(lane.Id, out var known) || lane.Known < known.Known) lanes[lane.Id] = lane;
        }

        return [.. lanes.Values.Take(limit)];
    }

    private static List<T> Ordered<T>(List<T> young, List<T> stored, Comparison<T> order)
    {
        if (young.Count == 0) return stored;
        young.AddRange(stored);
        young.Sort(order);
        return young;
    }

    private static List<T> Cut<T>(List<T> entries, int limit, int maxBytes, Func<T, int> size)
    {
        var bytes = 0L;
        for (var i = 0; i < entries.Count; i++)
        {
            bytes += size(entries[i]);
            if (i < limit && (bytes <= maxBytes || i == 0)) continue;
            entries.RemoveRange(i, entries.Count - i);
            break;
        }

        return entries;
    }

    private static bool Matches(OutboxQuery query, YoungOutbox entry)
    {
        if (query.Channel is { } channel && entry.Lane.Key.Channel != channel) return false;
        if (query.Account is { } account && entry.Lane.Key.Account != account) return false;
        if (query.SessionKey is { } session && entry.Lane.Key.SessionKey != session) return false;
        if (query.Error is { } error && entry.Kept.Error != SoundText.Storable(error)) return false;
        if (query.AcceptedBefore > 0 && entry.AcceptedAt >= query.AcceptedBefore) return false;
        if (query.States.Count > 0 && !query.States.Contains(entry.Kept.State)) return false;
        if (query.After is not { } after) return true;
        var order = (entry.AcceptedAt, entry.Id).CompareTo(after);
        return query.Descending ? order < 0 : order > 0;
    }
}
