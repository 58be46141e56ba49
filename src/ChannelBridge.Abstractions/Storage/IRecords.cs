using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Abstractions.Storage;

/// <summary>
/// The durable state of a channel: small records by namespace and key, and sequences. A channel keeps to namespaces that begin with its own id
/// (<c>mychat.cursor</c>). What is written is committed as one batch, all or nothing, and durable when the task has completed.
/// </summary>
public interface IRecords
{
    /// <summary>A random id made when the store was created: what derives from it never repeats after the store was deleted.</summary>
    Guid StoreId { get; }

    /// <summary>A record, or null when it doesn't exist or has expired.</summary>
    ValueTask<StoreRecord?> GetRecordAsync(string ns, string key, CancellationToken cancellationToken = default);

    /// <summary>Records of a namespace by key, after <paramref name="after"/>; with <paramref name="index"/>, only those whose indexed field equals it.</summary>
    /// <param name="ns">The namespace.</param>
    /// <param name="index">What the indexed field must equal, or null.</param>
    /// <param name="after">Continue behind this key, or null.</param>
    /// <param name="limit">At most this many, 1…1000.</param>
    /// <param name="cancellationToken">Gives up.</param>
    ValueTask<IReadOnlyList<StoreRecord>> ListRecordsAsync(
        string ns, string? index, string? after, int limit, CancellationToken cancellationToken = default);

    /// <summary>Values of a numbered log behind a number, in order; those that have expired are left out.</summary>
    ValueTask<IReadOnlyList<SequenceEntry>> ReadSequenceAsync(string sequence, long after, int limit, CancellationToken cancellationToken = default);

    /// <summary>Writes a batch in order, all or nothing. Results, a version conflict among them, stand in the write objects afterwards.</summary>
    /// <exception cref="BridgeException">A store error; nothing was written, or (<see cref="ErrorCodes.StoreUnavailable"/>) it isn't known.</exception>
    ValueTask WriteAsync(IReadOnlyList<RecordWrite> writes, CancellationToken cancellationToken = default);
}
