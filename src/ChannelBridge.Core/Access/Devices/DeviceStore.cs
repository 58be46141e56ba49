using System.Text.Json;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Access.Devices;

/// <summary>The devices and their requests in the store, and the number that says when a device has changed.</summary>
internal sealed class DeviceStore(IStore store, TimeProvider time)
{
    private const string VersionNamespace = "access";
    private const string VersionKey = "devices";
    private const int Page = 500;

    /// <summary>One device, or null.</summary>
    public async ValueTask<(DeviceRecord Record, long Version)?> ReadAsync(string deviceId, CancellationToken cancellationToken) =>
        await store.GetRecordAsync(DeviceRecord.Namespace, deviceId, cancellationToken).ConfigureAwait(false) is { } record
            ? (JsonSerializer.Deserialize(record.Value.Span, DeviceRecordJson.Default.DeviceRecord)!, record.Version)
            : null;

    /// <summary>All devices, by id.</summary>
    public async ValueTask<List<DeviceRecord>> ListAsync(CancellationToken cancellationToken)
    {
        var result = new List<DeviceRecord>();
        string? after = null;
        while (true)
        {
            var page = await store.ListRecordsAsync(DeviceRecord.Namespace, null, after, Page, cancellationToken).ConfigureAwait(false);
            foreach (var record in page)
            {
                if (JsonSerializer.Deserialize(record.Value.Span, DeviceRecordJson.Default.DeviceRecord) is { } device) result.Add(device);
            }

            if (page.Count < Page) return result;
            after = page[^1].Key;
        }
    }

    /// <summary>One request that waits, or null.</summary>
    public async ValueTask<DeviceRequest?> ReadRequestAsync(string requestId, CancellationToken cancellationToken) =>
        await store.GetRecordAsync(DeviceRequest.Namespace, requestId, cancellationToken).ConfigureAwait(false) is { } record
            ? Alive(JsonSerializer.Deserialize(record.Value.Span, DeviceRecordJson.Default.DeviceRequest))
            : null;

    /// <summary>The requests that wait, the oldest first.</summary>
    public async ValueTask<List<DeviceRequest>> ListRequestsAsync(CancellationToken cancellationToken)
    {
        // Their number is bounded, and what has expired is swept away.
        var page = await store.ListRecordsAsync(DeviceRequest.Namespace, null, null, Page, cancellationToken).ConfigureAwait(false);
        return
        [
            .. page.Select(record => Alive(JsonSerializer.Deserialize(record.Value.Span, DeviceRecordJson.Default.DeviceRequest))).OfType<DeviceRequest>()
                .OrderBy(request => request.At),
        ];
    }

    /// <summary>The number that grows with each change of a device.</summary>
    public async ValueTask<long> ReadVersionAsync(CancellationToken cancellationToken) =>
        (await store.GetRecordAsync(VersionNamespace, VersionKey, cancellationToken).ConfigureAwait(false))?.Version ?? 0;

    /// <summary>Puts a device if its record still has a version (0: there is none); what else is to be written goes with it, or not at all.</summary>
    /// <returns>False: somebody else was quicker, and nothing was changed.</returns>
    public async ValueTask<bool> PutAsync(DeviceRecord record, long expectedVersion, IEnumerable<RecordWrite> along, CancellationToken cancellationToken)
    {
        var put = new RecordPut
        {
            Namespace = DeviceRecord.Namespace,
            Key = record.DeviceId,
            Value = JsonSerializer.SerializeToUtf8Bytes(record, DeviceRecordJson.Default.DeviceRecord),
            ExpectedVersion = expectedVersion,
            At = Now(),
        };
        var writes = new List<StoreWrite> { put };
        foreach (var write in along.Append(Bump()))
        {
            write.With = put;
            writes.Add(write);
        }

        await store.CommitAsync(writes, cancellationToken).ConfigureAwait(false);
        return !put.Conflict;
    }

    /// <summary>Removes a device and what goes with it.</summary>
    public ValueTask DeleteAsync(string deviceId, IEnumerable<RecordWrite> along, CancellationToken cancellationToken) =>
        store.CommitAsync([new RecordDelete { Namespace = DeviceRecord.Namespace, Key = deviceId }, .. along, Bump()], cancellationToken);

    /// <summary>Writes what changes no device.</summary>
    public ValueTask WriteAsync(IEnumerable<RecordWrite> writes, CancellationToken cancellationToken) => store.CommitAsync([.. writes], cancellationToken);

    /// <summary>A request, to be written.</summary>
    public RecordPut Put(DeviceRequest request) => new()
    {
        Namespace = DeviceRequest.Namespace,
        Key = request.RequestId,
        Value = JsonSerializer.SerializeToUtf8Bytes(request, DeviceRecordJson.Default.DeviceRequest),
        Index = request.Claim.DeviceId,
        ExpiresAt = request.ExpiresAt,
        At = Now(),
    };

    /// <summary>The end of a request, to be written.</summary>
    public static RecordDelete Delete(DeviceRequest request) => new() { Namespace = DeviceRequest.Namespace, Key = request.RequestId };

    /// <summary>Now (Unix ms).</summary>
    public long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();

    private DeviceRequest? Alive(DeviceRequest? request) => request is not null && request.ExpiresAt > Now() ? request : null;

    private RecordPut Bump() => new() { Namespace = VersionNamespace, Key = VersionKey, Value = "{}"u8.ToArray(), At = Now() };
}
