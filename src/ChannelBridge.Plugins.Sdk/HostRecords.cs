using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;

namespace ChannelBridge.Plugins.Sdk;

/// <summary>The host's records, from a plugin's process. Values are JSON there, because other languages read them, too.</summary>
internal sealed class HostRecords(IPluginHost host) : IRecords
{
    public Guid StoreId =>
        throw new BridgeException(
            ErrorCodes.Unavailable, "the store's id isn't known in a plugin's process; keep one of your own as a record");

    public async ValueTask<StoreRecord?> GetRecordAsync(string ns, string key, CancellationToken cancellationToken = default) =>
        await host.GetRecordAsync(ns, key, cancellationToken).TranslateAsync().ConfigureAwait(false) is { } record ? FromWire(record)
            : null;

    public async ValueTask<IReadOnlyList<StoreRecord>> ListRecordsAsync(
        string ns, string? index, string? after, int limit, CancellationToken cancellationToken = default)
    {
        var found = await host.ListRecordsAsync(ns, index, after, limit, cancellationToken).TranslateAsync().ConfigureAwait(false);
        return [.. found.Select(FromWire)];
    }

    public async ValueTask<IReadOnlyList<SequenceEntry>> ReadSequenceAsync(
        string sequence, long after, int limit, CancellationToken cancellationToken = default)
    {
        var found = await host.ReadLogAsync(sequence, after, limit, cancellationToken).TranslateAsync().ConfigureAwait(false);
        return [.. found.Select(FromWire)];
    }

    public async ValueTask WriteAsync(IReadOnlyList<RecordWrite> writes, CancellationToken cancellationToken = default)
    {
        if (writes is [SequenceAppend append])
        {
            var appended = await host.AppendAsync(append.Sequence, Parse(append.Value), append.Once, append.ExpiresAt, cancellationToken)
                .TranslateAsync().ConfigureAwait(false);
            (append.Number, append.Duplicate) = (appended.Number, appended.Duplicate);
            return;
        }

        var written = await host.WriteRecordsAsync([.. writes.Select(ToWire)], cancellationToken).TranslateAsync().ConfigureAwait(false);
        for (var i = 0; i < writes.Count && i < written.Count; i++)
        {
            if (writes[i] is RecordPut put) (put.Conflict, put.Version) = (written[i].Conflict, written[i].Version);
        }
    }

    /// <summary>Writes that go with a message.</summary>
    public static IReadOnlyList<PluginRecordWrite>? ToWire(IReadOnlyList<RecordWrite>? writes) => writes is null ? null : [.. writes.Select(ToWire)];

    private static PluginRecordWrite ToWire(RecordWrite write) => write switch
    {
        RecordPut put => new PluginRecordWrite
        {
            Namespace = put.Namespace,
            Key = put.Key,
            Value = Parse(put.Value),
            Index = put.Index,
            ExpiresAt = put.ExpiresAt,
            ExpectedVersion = put.ExpectedVersion,
        },
        RecordDelete delete => new PluginRecordWrite { Namespace = delete.Namespace, Key = delete.Key },
        _ => throw BridgeException.Invalid("a plugin writes records, or one entry of a numbered log; other sequences aren't in protocol 1"),
    };

    private static JsonElement Parse(ReadOnlyMemory<byte> value)
    {
        try
        {
            using var document = JsonDocument.Parse(value);
            return document.RootElement.Clone();
        }
        catch (JsonException fault)
        {
            throw new BridgeException(ErrorCodes.InvalidRequest, "a plugin's records are JSON", fault);
        }
    }

    private static SequenceEntry FromWire(PluginLogEntry entry) =>
        new(entry.Number, Encoding.UTF8.GetBytes(entry.Value.GetRawText()), entry.ExpiresAt);

    private static StoreRecord FromWire(PluginRecord record) =>
        new(record.Key, Encoding.UTF8.GetBytes(record.Value.GetRawText()), record.Version, record.Index, UpdatedAt: 0);
}
