using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Tests.MultiClaws.Sessions;

/// <summary>Records in memory, with faults on demand. What is written stays when a lab starts its channel anew.</summary>
internal sealed class MemoryRecords : IRecords
{
    private readonly SortedDictionary<(string Namespace, string Key), StoreRecord> _records = new(Comparer<(string, string)>.Create(static (a, b) =>
        string.CompareOrdinal(a.Item1, b.Item1) is var order and not 0 ? order : string.CompareOrdinal(a.Item2, b.Item2)));

    private readonly Lock _lock = new();

    /// <summary>How many of the next writes fail.</summary>
    public int Failing { get; set; }

    public Guid StoreId { get; } = Guid.NewGuid();

    public int Count(string ns)
    {
        lock (_lock) return _records.Keys.Count(key => key.Namespace == ns);
    }

    public ValueTask<StoreRecord?> GetRecordAsync(string ns, string key, CancellationToken cancellationToken = default)
    {
        lock (_lock) return ValueTask.FromResult(_records.GetValueOrDefault((ns, key)));
    }

    public ValueTask<IReadOnlyList<StoreRecord>> ListRecordsAsync(string ns, string? index, string? after, int limit, CancellationToken cancellationToken = default)
    {
        lock (_lock)
        {
            return ValueTask.FromResult<IReadOnlyList<StoreRecord>>([.. _records
                .Where(record => record.Key.Namespace == ns && (index is null || record.Value.Index == index))
                .Where(record => after is null || string.CompareOrdinal(record.Key.Key, after) > 0)
                .Select(static record => record.Value).Take(limit)]);
        }
    }

    public ValueTask<IReadOnlyList<SequenceEntry>> ReadSequenceAsync(string sequence, long after, int limit, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    public ValueTask WriteAsync(IReadOnlyList<RecordWrite> writes, CancellationToken cancellationToken = default)
    {
        Write(writes);
        return default;
    }

    public void Write(IReadOnlyList<RecordWrite> writes)
    {
        lock (_lock)
        {
            if (Failing > 0)
            {
                Failing--;
                throw new BridgeException(ErrorCodes.StoreFull, "the store is full") { Retryable = true };
            }

            foreach (var write in writes)
            {
                switch (write)
                {
                    case RecordPut put:
                        var version = (_records.GetValueOrDefault((put.Namespace, put.Key))?.Version ?? 0) + 1;
                        _records[(put.Namespace, put.Key)] = new StoreRecord(put.Key, put.Value.ToArray(), version, put.Index, put.At);
                        break;
                    case RecordDelete delete:
                        _records.Remove((delete.Namespace, delete.Key));
                        break;
                    default:
                        throw new NotSupportedException();
                }
            }
        }
    }
}

/// <summary>Notes what is told, once per key, in the commit of the records that come with it.</summary>
internal sealed class MemoryNotifier(MemoryRecords records) : INotifier
{
    private readonly Dictionary<string, (NoticeOrigin Origin, string Text)> _told = [];
    private readonly Lock _lock = new();

    /// <summary>What the next notices fail with.</summary>
    public Queue<BridgeException> Faults { get; } = [];

    public IReadOnlyList<(NoticeOrigin Origin, string Text)> Told
    {
        get
        {
            lock (_lock) return [.. _told.Values];
        }
    }

    public ValueTask NotifyAsync(
        NoticeOrigin origin, string text, string key, IReadOnlyList<RecordWrite>? records1 = null, CancellationToken cancellationToken = default)
    {
        // Whoever has seen the records asks for what was told under the same lock: one commit, as in a store.
        lock (_lock)
        {
            if (Faults.TryDequeue(out var fault)) throw fault;
            if (_told.ContainsKey(key)) return default;
            records.Write(records1 ?? []);
            _told[key] = (origin, text);
            return default;
        }
    }
}
