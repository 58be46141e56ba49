using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.InstaClaw.Wire;

namespace ChannelBridge.Channels.InstaClaw.Messages;

/// <summary>What an account keeps on disk: its requests, for as long as a message's id is remembered, and each session's last response.</summary>
internal sealed class RequestBook(string accountId, InstaClawOptions options, IRecords records, TimeProvider time)
{
    private const string Requests = "instaclaw.request";
    private const string Sessions = "instaclaw.session";
    private const int Page = 200;
    private readonly string _account = AccountIds.Key(accountId);

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    private string OpenIndex => _account + ":open";

    /// <summary>A request that is remembered, or null.</summary>
    public async ValueTask<StoredRequest?> FindAsync(string messageId, CancellationToken cancellationToken) =>
        await records.GetRecordAsync(Requests, Key(messageId), cancellationToken).ConfigureAwait(false) is { } record ? Read(record) : null;

    /// <summary>Requests whose answers the platform doesn't wholly have, oldest first.</summary>
    public async Task<List<StoredRequest>> ListOpenAsync(CancellationToken cancellationToken)
    {
        var found = new List<StoredRequest>();
        string? after = null;
        while (true)
        {
            var page = await records.ListRecordsAsync(Requests, OpenIndex, after, Page, cancellationToken).ConfigureAwait(false);
            foreach (var record in page)
            {
                if (Read(record) is { } request) found.Add(request);
            }

            if (page.Count < Page) break;
            after = page[^1].Key;
        }

        found.Sort((left, right) => left.AcceptedAt.CompareTo(right.AcceptedAt));
        return found;
    }

    /// <summary>Remembers a request that is new; false when its id is known already. Durable when it returns.</summary>
    public async ValueTask<bool> AddAsync(StoredRequest request, CancellationToken cancellationToken)
    {
        var put = Put(request, OpenIndex, 0);
        await records.WriteAsync(put, cancellationToken).ConfigureAwait(false);
        return !put.Conflict;
    }

    /// <summary>Records how far the platform has it; with <see cref="StoredRequest.Done"/> only the id stays.</summary>
    public ValueTask UpdateAsync(StoredRequest request) =>
        records.WriteAsync(Put(request.Done ? request with { Data = null } : request, request.Done ? null : OpenIndex, null), CancellationToken.None);

    /// <summary>The response that a session's next message continues, or null.</summary>
    public async ValueTask<string?> PreviousAsync(string sessionId, CancellationToken cancellationToken) =>
        await records.GetRecordAsync(Sessions, Key(sessionId), cancellationToken).ConfigureAwait(false) is { } record ? Encoding.UTF8.GetString(record.Value.Span) : null;

    /// <summary>A session has got an answer.</summary>
    public ValueTask AnsweredAsync(string sessionId, string responseId) => records.WriteAsync(
        new RecordPut
        {
            Namespace = Sessions,
            Key = Key(sessionId),
            Value = Encoding.UTF8.GetBytes(responseId),
            ExpiresAt = Now + (long)options.SessionTimeToLive.TotalMilliseconds,
            At = Now,
        },
        CancellationToken.None);

    private RecordPut Put(StoredRequest request, string? index, long? expected) => new()
    {
        Namespace = Requests,
        Key = Key(request.MessageId),
        Value = JsonSerializer.SerializeToUtf8Bytes(request, InstaClawJson.Relaxed.StoredRequest),
        Index = index,
        ExpiresAt = request.AcceptedAt + (long)options.DedupeWindow.TotalMilliseconds,
        ExpectedVersion = expected,
        At = Now,
    };

    private string Key(string id) => $"{_account}|{id}";

    private static StoredRequest? Read(StoreRecord record)
    {
        try
        {
            return JsonSerializer.Deserialize(record.Value.Span, InstaClawJson.Default.StoredRequest);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
