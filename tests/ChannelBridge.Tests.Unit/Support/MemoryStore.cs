using System.Text;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Protocol;

namespace ChannelBridge.Tests.Unit.Support;

/// <summary>
/// The store contract in memory: the model that engines are compared with, and the ground for tests of inbox and outbox. It survives a "crash"
/// (a new core over the same store) and can be told to fail or to hold commits.
/// </summary>
public sealed class MemoryStore(TimeProvider? time = null) : IStore
{
    private readonly Lock _gate = new();
    private readonly Dictionary<LaneKey, long> _laneIds = [];
    private readonly Dictionary<long, (LaneKey Key, long NextIn, long NextOut)> _lanes = [];
    private readonly Dictionary<UInt128, (Guid Id, long Until)> _seen = [];
    private readonly Dictionary<Guid, InboxEntry> _inbox = [];
    private readonly Dictionary<Guid, (long Until, long EndedAt)> _inboxTimes = [];
    private readonly Dictionary<Guid, OutboxEntry> _outbox = [];
    private readonly Dictionary<(string, string), (StoreRecord Record, long ExpiresAt)> _records = [];
    private readonly Dictionary<string, long> _sequences = [];
    private readonly Dictionary<string, (long Last, List<LogEntry> Kept)> _logs = [];
    private bool _closed;

    private sealed record LogEntry(long Number, string? Once, byte[] Value, long ExpiresAt);

    /// <summary>True: as with the engine of a single host, a claim other than 1 is outdated. False: claims aren't looked at.</summary>
    public bool ChecksClaims { get; init; }

    /// <summary>Called before each commit; may throw, wait, or count.</summary>
    public Func<IReadOnlyList<StoreWrite>, Task>? BeforeCommit { get; set; }

    /// <summary>Called before each read; may throw.</summary>
    public Action? BeforeRead { get; set; }

    public string Description => "memory";

    public Guid StoreId { get; } = Guid.NewGuid();

    public ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        _closed = false;
        return default;
    }

    public ValueTask ProbeAsync(CancellationToken cancellationToken) => default;

    public StoreHealth Health { get; set; }

    public ValueTask<StoreSpace> MeasureAsync(CancellationToken cancellationToken = default) => Read(() => new StoreSpace
    {
        MeasuredAt = (time ?? TimeProvider.System).GetUtcNow().ToUnixTimeMilliseconds(),
        DataBytes = 1,
        InboxRows = _inbox.Count,
        OutboxRows = _outbox.Count,
        RecordRows = _records.Count,
        LogRows = _logs.Values.Sum(log => log.Kept.Count),
        DedupeKeys = _seen.Count,
        DeadLetters = _inbox.Values.Count(entry => entry.State == TurnState.Dead) + _outbox.Values.Count(entry => entry.State >= DeliveryState.Expired),
    });

    public ValueTask DisposeAsync()
    {
        _closed = ChecksClaims;
        return default;
    }

    public ValueTask CommitAsync(StoreWrite write, CancellationToken cancellationToken = default) => CommitAsync([write], cancellationToken);

    public async ValueTask CommitAsync(IReadOnlyList<StoreWrite> batch, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (BeforeCommit is { } hook) await hook(batch);
        lock (_gate)
        {
            ThrowIfClosed();

            // Before anything is applied: a batch is all or nothing.
            if (batch.OfType<InboxAppend>().Any(IdIsTaken)) throw new BridgeException(ErrorCodes.Conflict, "the id exists");
            if (ChecksClaims && batch.Any(IsOutdated)) throw new BridgeException(ErrorCodes.ClaimLost, "outdated claim");
            foreach (var write in batch)
            {
                if (write is not RecordWrite { With.TookPlace: false }) Apply(write);
            }
        }
    }

    public ValueTask<IReadOnlyList<PendingLane>> ListTurnLanesAsync(long after, int limit, CancellationToken cancellationToken = default) =>
        Read<IReadOnlyList<PendingLane>>(() =>
            [.. _inbox.Values.Where(entry => entry.State == TurnState.Pending && entry.LaneId > after).GroupBy(entry => entry.LaneId).OrderBy(group => group.Key)
                .Take(limit).Select(group => new PendingLane(group.Key, _lanes[group.Key].Key, group.Min(entry => entry.Ordinal)))]);

    public ValueTask<IReadOnlyList<PendingLane>> ListPushLanesAsync(
        string channel, string account, long after, int limit, CancellationToken cancellationToken = default) =>
        Read<IReadOnlyList<PendingLane>>(() =>
            [.. _outbox.Values.Where(entry => !entry.Settled && entry.LaneId > after && entry.Lane.Channel == channel && entry.Lane.Account == account)
                .GroupBy(entry => entry.LaneId).OrderBy(group => group.Key).Take(limit)
                .Select(group => new PendingLane(group.Key, _lanes[group.Key].Key, group.Min(entry => entry.Seq)))]);

    public ValueTask<IReadOnlyList<InboxEntry>> ReadInboxAsync(long lane, long after, int limit, int maxBytes, CancellationToken cancellationToken = default) =>
        Read(() => Cut(
            _inbox.Values.Where(entry => entry.LaneId == lane && entry.State == TurnState.Pending && entry.Ordinal > after).OrderBy(entry => entry.Ordinal),
            entry => entry.Payload.Length, limit, maxBytes));

    public ValueTask<IReadOnlyList<OutboxEntry>> ReadOutboxAsync(long lane, long after, int limit, int maxBytes, CancellationToken cancellationToken = default) =>
        Read(() => Cut(
            _outbox.Values.Where(entry => entry.LaneId == lane && !entry.Settled && entry.Seq > after).OrderBy(entry => entry.Seq),
            entry => entry.Payload.Length, limit, maxBytes));

    public ValueTask<IReadOnlyList<InboxEntry>> ListDeadInboxAsync(
        (long EndedAt, Guid Id)? after, int limit, bool headersOnly, CancellationToken cancellationToken = default) =>
        Read<IReadOnlyList<InboxEntry>>(() =>
            [.. _inbox.Values.Where(entry => entry.State == TurnState.Dead).OrderBy(entry => entry.EndedAt).ThenBy(entry => entry.Id.ToString())
                .SkipWhile(entry => after is { } last && (entry.EndedAt, entry.Id.ToString()).CompareTo((last.EndedAt, last.Id.ToString())) <= 0)
                .Take(limit).Select(entry => headersOnly ? entry with { Payload = default } : entry)]);

    public ValueTask<InboxEntry?> GetInboxAsync(Guid id, CancellationToken cancellationToken = default) => Read(() => _inbox.GetValueOrDefault(id));

    public ValueTask<OutboxEntry?> GetOutboxAsync(Guid id, CancellationToken cancellationToken = default) => Read(() => _outbox.GetValueOrDefault(id));

    public ValueTask<IReadOnlyList<OutboxEntry>> QueryOutboxAsync(OutboxQuery query, CancellationToken cancellationToken = default) =>
        query.Limit is < 1 or > 1000 ? throw BridgeException.Invalid("limit must be 1 to 1000.") : Read<IReadOnlyList<OutboxEntry>>(() =>
        {
            var found = _outbox.Values.Where(entry =>
                (query.Channel is null || entry.Lane.Channel == query.Channel)
                && (query.Account is null || entry.Lane.Account == query.Account)
                && (query.SessionKey is null || entry.Lane.SessionKey == query.SessionKey)
                && (query.States.Count == 0 || query.States.Contains(entry.State))
                && (query.Error is null || entry.Error == Sound(query.Error))
                && (query.AcceptedBefore == 0 || entry.AcceptedAt < query.AcceptedBefore));
            int Compare(OutboxEntry left, OutboxEntry right) => left.AcceptedAt != right.AcceptedAt
                ? left.AcceptedAt.CompareTo(right.AcceptedAt)
                : left.Id.ToByteArray(bigEndian: true).AsSpan().SequenceCompareTo(right.Id.ToByteArray(bigEndian: true));
            var sorted = found.ToList();
            sorted.Sort((left, right) => query.Descending ? Compare(right, left) : Compare(left, right));
            if (query.After is { } after)
            {
                var position = new OutboxEntry
                {
                    Id = after.Id,
                    AcceptedAt = after.AcceptedAt,
                    LaneId = 0,
                    Lane = default,
                    Seq = 0,
                    State = default,
                    Settled = false,
                    Payload = default,
                };
                sorted.RemoveAll(entry => query.Descending ? Compare(entry, position) >= 0 : Compare(entry, position) <= 0);
            }

            return [.. sorted.Take(query.Limit).Select(entry => query.HeadersOnly ? entry with { Payload = default, History = default } : entry)];
        });

    public ValueTask<IReadOnlyList<AccountCounts>> CountAsync(CancellationToken cancellationToken = default) =>
        Read<IReadOnlyList<AccountCounts>>(() =>
            [.. _lanes.Values.Select(lane => (lane.Key.Channel, lane.Key.Account)).Distinct().Select(account =>
            {
                var inbox = _inbox.Values.Where(entry => (entry.Lane.Channel, entry.Lane.Account) == account).ToList();
                var outbox = _outbox.Values.Where(entry => (entry.Lane.Channel, entry.Lane.Account) == account).ToList();
                var waiting = inbox.Where(entry => entry.State == TurnState.Pending).ToList();
                var unsettled = outbox.Where(entry => !entry.Settled).ToList();
                return new AccountCounts(
                    account.Channel,
                    account.Account,
                    waiting.Count,
                    inbox.Count(entry => entry.State == TurnState.Dead),
                    unsettled.Count,
                    outbox.Count(entry => entry.State == DeliveryState.Dead),
                    waiting.Count == 0 ? 0 : waiting.Min(entry => entry.AcceptedAt),
                    unsettled.Count == 0 ? 0 : unsettled.Min(entry => entry.AcceptedAt));
            }).Where(counts => counts.InboxPending + counts.InboxDead + counts.OutboxPending + counts.OutboxDead > 0)]);

    public ValueTask<StoreRecord?> GetRecordAsync(string ns, string key, CancellationToken cancellationToken = default) =>
        Read(() => _records.TryGetValue((Sound(ns)!, Sound(key)!), out var found) && Lives(found.ExpiresAt, Now()) ? found.Record : null);

    public ValueTask<IReadOnlyList<StoreRecord>> ListRecordsAsync(
        string ns, string? index, string? after, int limit, CancellationToken cancellationToken = default) =>
        Read<IReadOnlyList<StoreRecord>>(() =>
            [.. _records.Where(pair => pair.Key.Item1 == Sound(ns) && Lives(pair.Value.ExpiresAt, Now()) && (index is null || pair.Value.Record.Index == Sound(index))
                    && (after is null || string.CompareOrdinal(pair.Key.Item2, after) > 0))
                .OrderBy(pair => pair.Key.Item2, StringComparer.Ordinal).Take(limit).Select(pair => pair.Value.Record)]);

    public ValueTask<IReadOnlyList<SequenceEntry>> ReadSequenceAsync(string sequence, long after, int limit, CancellationToken cancellationToken = default) =>
        Read<IReadOnlyList<SequenceEntry>>(() => !_logs.TryGetValue(Sound(sequence)!, out var log) ? [] :
            [.. log.Kept.Where(entry => entry.Number > after && Lives(entry.ExpiresAt, Now())).Take(limit)
                .Select(entry => new SequenceEntry(entry.Number, entry.Value, entry.ExpiresAt))]);

    public ValueTask<long> SweepAsync(SweepLimits limits, CancellationToken cancellationToken = default) => Read(() =>
    {
        var removed = 0L;
        foreach (var entry in _inbox.Values.ToList())
        {
            var (until, ended) = _inboxTimes[entry.Id];
            var over = entry.State == TurnState.Done || (entry.State == TurnState.Dead && ended < limits.DeadBefore);
            if (over && until <= limits.Now && _inbox.Remove(entry.Id)) removed++;
        }

        foreach (var entry in _outbox.Values.Where(entry => entry.Settled).ToList())
        {
            var over = entry.State is DeliveryState.Dead or DeliveryState.Expired
                ? entry.EndedAt < limits.DeadBefore
                : new[] { entry.AcceptedAt, entry.PushedAt, entry.AckedAt, entry.DeliveredAt }.Max() < limits.SettledBefore;
            if (over && _outbox.Remove(entry.Id)) removed++;
        }

        foreach (var (key, value) in _records.ToList())
        {
            if (!Lives(value.ExpiresAt, limits.Now) && _records.Remove(key)) removed++;
        }

        foreach (var log in _logs.Values) removed += log.Kept.RemoveAll(entry => !Lives(entry.ExpiresAt, limits.Now));

        return removed;
    });

    /// <summary>Every outbox entry in the order of lane and seq, for assertions.</summary>
    public IReadOnlyList<OutboxEntry> Outbox()
    {
        lock (_gate) return [.. _outbox.Values.OrderBy(entry => entry.LaneId).ThenBy(entry => entry.Seq)];
    }

    /// <summary>Every inbox entry, for assertions.</summary>
    public IReadOnlyList<InboxEntry> Inbox()
    {
        lock (_gate) return [.. _inbox.Values.OrderBy(entry => entry.LaneId).ThenBy(entry => entry.Ordinal)];
    }

    private static IReadOnlyList<T> Cut<T>(IEnumerable<T> entries, Func<T, int> size, int limit, int maxBytes)
    {
        var taken = new List<T>();
        var bytes = 0;
        foreach (var entry in entries)
        {
            bytes += size(entry);
            if (taken.Count == limit || (taken.Count > 0 && bytes > maxBytes)) break;
            taken.Add(entry);
        }

        return taken;
    }

    private static bool Lives(long expiresAt, long now) => expiresAt == 0 || expiresAt > now;

    private long Now() => (time ?? TimeProvider.System).GetUtcNow().ToUnixTimeMilliseconds();

    private ValueTask<T> Read<T>(Func<T> read)
    {
        BeforeRead?.Invoke();
        lock (_gate)
        {
            ThrowIfClosed();
            return ValueTask.FromResult(read());
        }
    }

    private void ThrowIfClosed()
    {
        if (_closed) throw new BridgeException(ErrorCodes.StoreUnavailable, "The store is closed.");
    }

    private bool IdIsTaken(InboxAppend append) =>
        _inbox.ContainsKey(append.Id) && !(_seen.TryGetValue(append.DedupeKey, out var known) && known.Until > append.At);

    private static bool IsOutdated(StoreWrite write) =>
        write.Claim is not (1 or StoreWrite.Unfenced) && write is not (InboxAppend or RecordPut or RecordDelete or SequenceNext or SequenceAppend);

    private static string? Sound(string? text) => text is null ? null : SoundText.Storable(text);

    private long LaneOf(LaneKey key)
    {
        key = new LaneKey(Sound(key.Channel)!, Sound(key.Account)!, Sound(key.SessionKey)!);
        if (_laneIds.TryGetValue(key, out var id)) return id;
        id = _laneIds.Count + 1;
        _laneIds[key] = id;
        _lanes[id] = (key, 1, 1);
        return id;
    }

    private void Apply(StoreWrite write)
    {
        switch (write)
        {
            case InboxAppend append: Append(append); break;
            case InboxUpdate update: Update(update); break;
            case OutboxAppend append: Append(append); break;
            case OutboxUpdate update: Update(update); break;
            case InboxReplay replay: Replay(replay); break;
            case InboxDiscard discard:
                discard.Discarded = _inbox.TryGetValue(discard.Id, out var given) && given.State == TurnState.Dead;
                if (discard.Discarded) _inbox[discard.Id] = given! with { State = TurnState.Done, Payload = default };
                break;
            case OutboxReplay replay: Replay(replay); break;
            case OutboxDiscard discard:
                discard.Discarded = _outbox.TryGetValue(discard.Id, out var dead) && dead.State is DeliveryState.Dead or DeliveryState.Expired;
                if (discard.Discarded) _outbox.Remove(discard.Id);
                break;
            case RecordPut put: Put(put); break;
            case RecordDelete delete: _records.Remove((Sound(delete.Namespace)!, Sound(delete.Key)!)); break;
            case SequenceAppend append: Append(append); break;
            case SequenceNext next: next.Value = _sequences[next.Name] = _sequences.GetValueOrDefault(next.Name) + 1; break;
            default: throw new BridgeException(ErrorCodes.Internal, $"unknown write {write.GetType().Name}");
        }
    }

    private void Append(InboxAppend append)
    {
        append.LaneId = LaneOf(append.Lane);
        append.Duplicate = _seen.TryGetValue(append.DedupeKey, out var known) && known.Until > append.At;
        append.KnownId = append.Duplicate ? known.Id : append.Id;
        if (append.Duplicate)
        {
            if (_inbox.TryGetValue(known.Id, out var first)) (append.LaneId, append.Ordinal) = (first.LaneId, first.Ordinal);
            return;
        }

        _seen[append.DedupeKey] = (append.Id, append.DedupeUntil);
        var (key, nextIn, nextOut) = _lanes[append.LaneId];
        append.Ordinal = nextIn;
        _lanes[append.LaneId] = (key, nextIn + 1, nextOut);
        _inboxTimes[append.Id] = (append.DedupeUntil, 0);
        _inbox[append.Id] = new InboxEntry
        {
            Id = append.Id,
            LaneId = append.LaneId,
            Lane = key,
            Ordinal = append.Ordinal,
            State = TurnState.Pending,
            AcceptedAt = append.At,
            Payload = append.Payload.ToArray(),
        };
    }

    private void Update(InboxUpdate update)
    {
        var entry = _inbox.Values.SingleOrDefault(candidate => candidate.LaneId == update.LaneId && candidate.Ordinal == update.Ordinal);
        update.Changed = entry is { State: TurnState.Pending };
        if (entry is not { State: TurnState.Pending }) return;
        _inboxTimes[entry.Id] = (_inboxTimes[entry.Id].Until, update.At);
        _inbox[entry.Id] = entry with
        {
            State = update.State,
            Attempts = update.Attempts,
            NextAttemptAt = update.State == TurnState.Pending ? update.NextAttemptAt : 0,
            Error = Sound(update.Error) ?? entry.Error,
            EndedAt = update.State == TurnState.Pending ? entry.EndedAt : update.At,
            Payload = update.State == TurnState.Done ? default : entry.Payload,
        };
    }

    private void Replay(InboxReplay replay)
    {
        replay.Replayed = _inbox.TryGetValue(replay.Id, out var entry) && entry.State == TurnState.Dead;
        if (!replay.Replayed) return;
        var (key, nextIn, nextOut) = _lanes[entry!.LaneId];
        (replay.LaneId, replay.Ordinal) = (entry.LaneId, nextIn);
        _lanes[entry.LaneId] = (key, nextIn + 1, nextOut);
        _inbox[replay.Id] = entry with { Ordinal = nextIn, State = TurnState.Pending, Attempts = 0, NextAttemptAt = 0, EndedAt = 0, Error = null };
    }

    private void Append(OutboxAppend append)
    {
        append.LaneId = LaneOf(append.Lane);
        append.Duplicate = _outbox.TryGetValue(append.Id, out var known);
        if (append.Duplicate)
        {
            (append.LaneId, append.Seq) = (known!.LaneId, known.Seq);
            return;
        }

        var (key, nextIn, nextOut) = _lanes[append.LaneId];
        append.Seq = nextOut;
        _lanes[append.LaneId] = (key, nextIn, nextOut + 1);
        _outbox[append.Id] = new OutboxEntry
        {
            Id = append.Id,
            LaneId = append.LaneId,
            Lane = key,
            Seq = append.Seq,
            State = DeliveryState.Accepted,
            Settled = false,
            AcceptedAt = append.At,
            ExpiresAt = append.ExpiresAt,
            Payload = append.Payload.ToArray(),
        };
    }

    private void Update(OutboxUpdate update)
    {
        var entry = _outbox.Values.SingleOrDefault(candidate => candidate.LaneId == update.LaneId && candidate.Seq == update.Seq);
        update.Changed = false;
        if (entry is null) return;
        if (entry.Settled)
        {
            var upgrade = update.State is DeliveryState.Acked or DeliveryState.Delivered
                && (entry.State is DeliveryState.Dead or DeliveryState.Expired || (entry.State > DeliveryState.Accepted && update.State > entry.State));
            if (!upgrade || update.Id != entry.Id) return;
            update.Changed = true;
            _outbox[entry.Id] = entry with
            {
                State = update.State,
                PushedAt = update.PushedAt > 0 ? update.PushedAt : entry.PushedAt,
                AckedAt = entry.AckedAt > 0 ? entry.AckedAt : update.At,
                DeliveredAt = update.State == DeliveryState.Delivered ? update.At : entry.DeliveredAt,
                EndedAt = 0,
                Payload = default,
            };
            return;
        }

        update.Changed = true;
        var keepsPayload = !update.Settled || update.State is DeliveryState.Dead or DeliveryState.Expired;
        _outbox[entry.Id] = entry with
        {
            State = update.State,
            Settled = update.Settled,
            Attempts = update.Attempts,
            NextAttemptAt = update.NextAttemptAt,
            Error = Sound(update.Error) ?? entry.Error,
            History = Join(entry.History, update.HistoryLine),
            PushedAt = update.PushedAt > 0 ? update.PushedAt : update.State == DeliveryState.Pushed ? update.At : entry.PushedAt,
            AckedAt = update.State is DeliveryState.Acked or DeliveryState.Delivered ? update.At : entry.AckedAt,
            DeliveredAt = update.State == DeliveryState.Delivered ? update.At : entry.DeliveredAt,
            EndedAt = update.State is DeliveryState.Dead or DeliveryState.Expired ? update.At : entry.EndedAt,
            Payload = keepsPayload ? entry.Payload : default,
        };
    }

    private void Replay(OutboxReplay replay)
    {
        replay.Replayed = _outbox.TryGetValue(replay.Id, out var entry) && entry.State is DeliveryState.Dead or DeliveryState.Expired;
        if (!replay.Replayed) return;
        var (key, nextIn, nextOut) = _lanes[entry!.LaneId];
        _lanes[entry.LaneId] = (key, nextIn, nextOut + 1);
        (replay.LaneId, replay.Seq) = (entry.LaneId, nextOut);
        _outbox[entry.Id] = entry with
        {
            Seq = nextOut,
            State = DeliveryState.Accepted,
            Settled = false,
            Attempts = 0,
            NextAttemptAt = 0,
            ExpiresAt = 0,
            EndedAt = 0,
            Error = null,
            History = Join(entry.History, replay.HistoryLine),
        };
    }

    private void Append(SequenceAppend append)
    {
        var (sequence, once) = (Sound(append.Sequence)!, Sound(append.Once));
        var (last, kept) = _logs.GetValueOrDefault(sequence, (0, []));
        var known = once is null ? null : kept.Find(entry => entry.Once == once && Lives(entry.ExpiresAt, append.At));
        append.Duplicate = known is not null;
        append.Number = known?.Number ?? last + 1;
        if (append.Duplicate) return;
        kept.Add(new LogEntry(append.Number, once, append.Value.ToArray(), append.ExpiresAt));
        _logs[sequence] = (append.Number, kept);
    }

    private void Put(RecordPut put)
    {
        var (ns, key) = (Sound(put.Namespace)!, Sound(put.Key)!);
        var current = _records.TryGetValue((ns, key), out var known) && Lives(known.ExpiresAt, put.At) ? known.Record.Version : 0;
        put.Conflict = put.ExpectedVersion is { } expected && expected != current;
        put.Version = put.Conflict ? current : current + 1;
        if (put.Conflict) return;
        _records[(ns, key)] = (new StoreRecord(key, put.Value.ToArray(), put.Version, Sound(put.Index), put.At), put.ExpiresAt);
    }

    private static ReadOnlyMemory<byte> Join(ReadOnlyMemory<byte> history, ReadOnlyMemory<byte> line) =>
        line.IsEmpty ? history : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(history.Span) + Encoding.UTF8.GetString(line.Span) + "\n");
}
