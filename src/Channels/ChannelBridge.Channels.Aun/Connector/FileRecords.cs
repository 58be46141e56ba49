using System.Text.Json;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>
/// The records of a command that runs without a host: prekeys, what was seen, the stored number, in one file beside the identity's tokens. Few, and written whole each time.
/// </summary>
/// <param name="path">The file; null: in memory only.</param>
/// <param name="time">The clock.</param>
internal sealed class FileRecords(string? path, TimeProvider time) : IRecords
{
    private readonly SortedDictionary<string, FileRecord> _records = Load(path);
    private readonly Lock _lock = new();

    /// <inheritdoc/>
    public Guid StoreId { get; } = Guid.NewGuid();

    /// <inheritdoc/>
    public ValueTask<StoreRecord?> GetRecordAsync(string ns, string key, CancellationToken cancellationToken = default)
    {
        lock (_lock) return ValueTask.FromResult(_records.TryGetValue(KeyOf(ns, key), out var found) && IsAlive(found) ? found.ToRecord(key) : null);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<StoreRecord>> ListRecordsAsync(string ns, string? index, string? after, int limit, CancellationToken cancellationToken = default)
    {
        lock (_lock)
        {
            var prefix = KeyOf(ns, "");
            return ValueTask.FromResult<IReadOnlyList<StoreRecord>>([.. _records
                .Where(one => one.Key.StartsWith(prefix, StringComparison.Ordinal) && IsAlive(one.Value) && (index is null || one.Value.Index == index))
                .Select(one => one.Value.ToRecord(one.Key[prefix.Length..]))
                .Where(one => after is null || string.CompareOrdinal(one.Key, after) > 0).Take(limit)]);
        }
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<SequenceEntry>> ReadSequenceAsync(string sequence, long after, int limit, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    /// <inheritdoc/>
    public ValueTask WriteAsync(IReadOnlyList<RecordWrite> writes, CancellationToken cancellationToken = default)
    {
        lock (_lock)
        {
            foreach (var write in writes)
            {
                if (write is RecordPut put) _records[KeyOf(put.Namespace, put.Key)] = new FileRecord(put.Value.ToArray(), put.Index, put.ExpiresAt, put.At);
                else if (write is RecordDelete delete) _records.Remove(KeyOf(delete.Namespace, delete.Key));
                else throw new NotSupportedException();
            }

            foreach (var (key, _) in _records.Where(one => !IsAlive(one.Value)).ToList()) _records.Remove(key);
            if (path is not null) PrivateFiles.Write(path, JsonSerializer.SerializeToUtf8Bytes(_records, AunConnectorJson.Default.SortedDictionaryStringFileRecord));
        }

        return default;
    }

    private bool IsAlive(FileRecord record) => record.ExpiresAt == 0 || record.ExpiresAt > time.GetUtcNow().ToUnixTimeMilliseconds();

    private static string KeyOf(string ns, string key) => $"{ns}\n{key}";

    private static SortedDictionary<string, FileRecord> Load(string? path)
    {
        var records = path is not null && File.Exists(path)
            ? JsonSerializer.Deserialize(File.ReadAllBytes(path), AunConnectorJson.Default.SortedDictionaryStringFileRecord)
            : null;
        return new SortedDictionary<string, FileRecord>(records ?? [], StringComparer.Ordinal);
    }
}

/// <summary>A record in a file.</summary>
internal sealed record FileRecord(byte[] Value, string? Index, long ExpiresAt, long At)
{
    /// <summary>As the store gives it.</summary>
    public StoreRecord ToRecord(string key) => new(key, Value, 1, Index, At);
}
