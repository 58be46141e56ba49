using System.Globalization;
using System.Text.Json;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Channels.MultiClaws.Sessions;

/// <summary>The sessions in the store: a record for each, and one for each of its messages.</summary>
internal sealed class SessionBook(IRecords records)
{
    private const string Heads = "multiclaws.session";
    private const string Messages = "multiclaws.message";
    private const int Page = 500;

    /// <summary>Every session.</summary>
    public async ValueTask<IReadOnlyList<SessionHead>> LoadAsync(CancellationToken cancellationToken)
    {
        var found = new List<SessionHead>();
        string? after = null;
        while (true)
        {
            var page = await records.ListRecordsAsync(Heads, null, after, Page, cancellationToken).ConfigureAwait(false);
            found.AddRange(page.Select(static record => JsonSerializer.Deserialize(record.Value.Span, SessionJson.Default.SessionHead)!));
            if (page.Count < Page) return found;
            after = page[^1].Key;
        }
    }

    /// <summary>A session as it is on disk, or null.</summary>
    public async ValueTask<SessionHead?> FindAsync(string id, CancellationToken cancellationToken) =>
        await records.GetRecordAsync(Heads, id, cancellationToken).ConfigureAwait(false) is { } record
            ? JsonSerializer.Deserialize(record.Value.Span, SessionJson.Default.SessionHead)
            : null;

    /// <summary>A session's messages, the oldest first.</summary>
    public async ValueTask<IReadOnlyList<SessionMessage>> MessagesAsync(SessionHead head, CancellationToken cancellationToken)
    {
        if (head.Next == head.First) return [];
        var page = await records.ListRecordsAsync(Messages, head.SessionId, KeyOf(head.SessionId, head.First - 1), SessionMachine.MaxMessages + SessionMachine.MaxPending + 1,
            cancellationToken).ConfigureAwait(false);
        return [.. page.Select(static record => JsonSerializer.Deserialize(record.Value.Span, SessionJson.Default.SessionMessage)!)];
    }

    /// <summary>A single message, or null.</summary>
    public async ValueTask<SessionMessage?> MessageAsync(string sessionId, int number, CancellationToken cancellationToken) =>
        number > 0 && await records.GetRecordAsync(Messages, KeyOf(sessionId, number), cancellationToken).ConfigureAwait(false) is { } record
            ? JsonSerializer.Deserialize(record.Value.Span, SessionJson.Default.SessionMessage)
            : null;

    /// <summary>What a change writes.</summary>
    public static List<RecordWrite> Writes(SessionStep step, long now)
    {
        var (head, id) = (step.Head, step.Head.SessionId);
        var writes = new List<RecordWrite>(1 + step.Added.Count + step.Gone.Count) { Put(head, now) };
        foreach (var (number, message) in step.Added)
        {
            writes.Add(new RecordPut
            {
                Namespace = Messages,
                Key = KeyOf(id, number),
                Index = id,
                Value = JsonSerializer.SerializeToUtf8Bytes(message, SessionJson.Relaxed.SessionMessage),
                At = now,
            });
        }

        foreach (var number in step.Gone) writes.Add(new RecordDelete { Namespace = Messages, Key = KeyOf(id, number) });
        return writes;
    }

    /// <summary>Writes a session.</summary>
    public static RecordPut Put(SessionHead head, long now) => new()
    {
        Namespace = Heads,
        Key = head.SessionId,
        Value = JsonSerializer.SerializeToUtf8Bytes(head, SessionJson.Relaxed.SessionHead),
        At = now,
    };

    /// <summary>Deletes sessions with their messages.</summary>
    public async ValueTask RemoveAsync(IEnumerable<SessionHead> sessions, CancellationToken cancellationToken)
    {
        foreach (var head in sessions)
        {
            var writes = new List<RecordWrite> { new RecordDelete { Namespace = Heads, Key = head.SessionId } };
            for (var number = head.First; number < head.Next; number++) writes.Add(new RecordDelete { Namespace = Messages, Key = KeyOf(head.SessionId, number) });
            await records.WriteAsync(writes, cancellationToken).ConfigureAwait(false);
        }
    }

    private static string KeyOf(string id, int number) => string.Create(CultureInfo.InvariantCulture, $"{id}/{number:D8}");
}
