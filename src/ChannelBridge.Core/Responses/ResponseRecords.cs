using System.Text.Json;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Core.Responses;

/// <summary>Stored responses: what <c>previous_response_id</c> continues and <c>GET</c> gives, kept in the store for their time.</summary>
internal sealed class ResponseRecords(IStore store, ResponseOptions options, TimeProvider time)
{
    private const string Namespace = "response";

    /// <summary>A stored response, or null when it is unknown, expired or another owner's.</summary>
    public async ValueTask<ResponseRecord?> GetAsync(string id, string owner, CancellationToken cancellationToken)
    {
        if (id.Length is 0 or > 256) return null;
        var record = await store.GetRecordAsync(Namespace, id, cancellationToken).ConfigureAwait(false);
        if (record is null) return null;
        var value = JsonSerializer.Deserialize(record.Value.Span, ResponsesJson.Default.ResponseRecord);
        return value?.Owner == owner ? value : null;
    }

    /// <summary>Stores a response at its end.</summary>
    public async ValueTask PutAsync(
        string id,
        JournalHeader header,
        ReadOnlyMemory<byte> response,
        IReadOnlyList<ResponseItem>? kept,
        CancellationToken cancellationToken)
    {
        using var document = JsonDocument.Parse(response, ResponseRequestReader.Deep);
        var record = new ResponseRecord(
            header.Owner,
            header.Session,
            header.Previous,
            header.Input ?? ItemJson.ToElement([]),
            document.RootElement,
            kept is null ? null : ItemJson.ToElement(kept));
        var now = time.GetUtcNow();
        await store.CommitAsync(
            new RecordPut
            {
                Namespace = Namespace,
                Key = id,
                Value = JsonSerializer.SerializeToUtf8Bytes(record, ResponsesJson.Default.ResponseRecord),
                Index = header.Owner,
                ExpiresAt = (now + options.Retention).ToUnixTimeMilliseconds(),
                At = now.ToUnixTimeMilliseconds(),
            },
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Forgets a response.</summary>
    public ValueTask DeleteAsync(string id, CancellationToken cancellationToken) =>
        store.CommitAsync(new RecordDelete { Namespace = Namespace, Key = id }, cancellationToken);

    /// <summary>Gives items of a response that have none ids by which they can be named later.</summary>
    public static IReadOnlyList<ResponseItem> Named(string responseId, IReadOnlyList<ResponseItem> items)
    {
        var suffix = Suffix(responseId);
        return [.. items.Select(
            (item, index) => item.Id is null ? item with { Id = $"{Prefix(item)}_{suffix}_i{index}", Status = item.Status ?? ResponseStatus.Completed }
            : item)];
    }

    /// <summary>The response whose item has this id, or null when the id doesn't say.</summary>
    public static string? ResponseOf(string itemId)
    {
        var first = itemId.IndexOf('_', StringComparison.Ordinal);
        var last = itemId.LastIndexOf('_');
        return first > 0 && last > first + 1 ? "resp_" + itemId[(first + 1)..last] : null;
    }

    private static string Suffix(string id) => id.StartsWith("resp_", StringComparison.Ordinal) ? id["resp_".Length..] : id;

    private static string Prefix(ResponseItem item) => item switch
    {
        FunctionCallItem => "fc",
        FunctionCallOutputItem => "fco",
        ReasoningItem => "rs",
        CompactionItem => "cmp",
        _ => "msg",
    };
}
