using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;

namespace JujiCommunity;

/// <summary>
/// What the community knows, in the host's records: one namespace for each kind, one record for each thing. Whatever is answered with success is on disk.
/// </summary>
public sealed class CommunityBook(IRecords records, TimeProvider time)
{
    private const int Page = 500;
    private const int Tries = 8;
    private static readonly TimeSpan RememberedCalls = TimeSpan.FromDays(1);

    /// <summary>Now, as the community writes times.</summary>
    public string Now => time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>A number as a key: in the order of the numbers.</summary>
    public static string KeyOf(long id) => id.ToString("D19", CultureInfo.InvariantCulture);

    /// <summary>
    /// Makes a thing under the next number of its kind. The call's own key makes it once: a call that comes again after a crash finds what it made.
    /// </summary>
    public async ValueTask<JsonObject> CreateAsync(string kind, string? callKey, Func<long, JsonObject> make, CancellationToken cancellationToken)
    {
        if (callKey is not null && await FindAsync("calls", callKey, cancellationToken) is { } made)
            return await FindAsync(kind, (string)made["key"]!, cancellationToken) ?? throw Missing(kind);
        var next = new SequenceNext { Name = "community." + kind };
        await records.WriteAsync(next, cancellationToken);
        var thing = make(next.Value);
        var put = Put(kind, KeyOf(next.Value), thing, expectedVersion: 0);
        if (callKey is null)
        {
            await records.WriteAsync(put, cancellationToken);
            return thing;
        }

        var call = Put("calls", callKey, new JsonObject { ["key"] = KeyOf(next.Value) }, expectedVersion: 0, time.GetUtcNow() + RememberedCalls);
        put.With = call;
        await records.WriteAsync([call, put], cancellationToken);
        return call.Conflict ? await CreateAsync(kind, callKey, make, cancellationToken) : thing;
    }

    /// <summary>A thing, or null.</summary>
    public async ValueTask<JsonObject?> FindAsync(string kind, string key, CancellationToken cancellationToken) =>
        await records.GetRecordAsync("community." + kind, key, cancellationToken) is { } record ? JsonNode.Parse(record.Value.Span)!.AsObject() : null;

    /// <summary>A thing by its number.</summary>
    /// <exception cref="BridgeException"><c>NOT_FOUND</c>.</exception>
    public async ValueTask<JsonObject> GetAsync(string kind, long id, CancellationToken cancellationToken) =>
        await FindAsync(kind, KeyOf(id), cancellationToken) ?? throw Missing(kind);

    /// <summary>All things of a kind, or those with an index, in the order of their keys.</summary>
    public async ValueTask<List<JsonObject>> ListAsync(string kind, string? index, CancellationToken cancellationToken)
    {
        var result = new List<JsonObject>();
        string? after = null;
        while (true)
        {
            var page = await records.ListRecordsAsync("community." + kind, index, after, Page, cancellationToken);
            result.AddRange(page.Select(record => JsonNode.Parse(record.Value.Span)!.AsObject()));
            if (page.Count < Page) return result;
            after = page[^1].Key;
        }
    }

    /// <summary>
    /// Makes or changes a thing. The change sees what is there (null: nothing) and may refuse; when somebody else was quicker it is asked again.
    /// </summary>
    public async ValueTask<JsonObject> ChangeAsync(string kind, string key, string? index, Func<JsonObject?, JsonObject> change, CancellationToken cancellationToken)
    {
        for (var tries = 0; tries < Tries; tries++)
        {
            var found = await records.GetRecordAsync("community." + kind, key, cancellationToken);
            var thing = change(found is null ? null : JsonNode.Parse(found.Value.Span)!.AsObject());
            var put = Put(kind, key, thing, found?.Version ?? 0, index: index);
            await records.WriteAsync(put, cancellationToken);
            if (!put.Conflict) return thing;
        }

        throw new BridgeException(ErrorCodes.Conflict, "others change the same thing; try again") { Retryable = true };
    }

    private RecordPut Put(string kind, string key, JsonObject thing, long expectedVersion, DateTimeOffset? until = null, string? index = null) => new()
    {
        Namespace = "community." + kind,
        Key = key,
        Value = Encoding.UTF8.GetBytes(thing.ToJsonString()),
        Index = index,
        ExpectedVersion = expectedVersion,
        ExpiresAt = until?.ToUnixTimeMilliseconds() ?? 0,
        At = time.GetUtcNow().ToUnixTimeMilliseconds(),
    };

    private static BridgeException Missing(string kind) => new(ErrorCodes.NotFound, $"there is no such {kind[..^1]}");
}
