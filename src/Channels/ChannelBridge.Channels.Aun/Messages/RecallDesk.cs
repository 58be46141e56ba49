using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Channels.Aun.Messages;

/// <summary>Who has sent what to whom, for as long as it may be recalled and a while longer, and what was recalled.</summary>
internal sealed class RecallDesk(IRecords records, TimeProvider time)
{
    public const int MostAtOnce = 100;
    private const string SentNamespace = "aun.sent";
    private const string RecalledNamespace = "aun.recalled";
    private const int MostRecalled = 10_000;
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Kept = TimeSpan.FromHours(1);
    private static readonly TimeSpan RecalledKept = TimeSpan.FromDays(2);
    private static readonly HashSet<string> None = [];

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>A message as it stands in the list of those recalled.</summary>
    public static string KeyOf(string from, string messageId) => $"{from}\n{messageId}";

    /// <summary>What is written beside a message, so that it can be recalled.</summary>
    public static RecordPut Remember(MessageHead head) => new()
    {
        Namespace = SentNamespace,
        Key = head.MessageId,
        Value = JsonSerializer.SerializeToUtf8Bytes(new SentRecord(head.From, head.To, head.Timestamp, false), MessagesJson.Default.SentRecord),
        ExpiresAt = head.Timestamp + (long)Kept.TotalMilliseconds,
        ExpectedVersion = 0,
        At = head.Timestamp,
    };

    /// <summary>What was recalled of an AID's messages.</summary>
    public async ValueTask<IReadOnlySet<string>> ReadAsync(string aid, CancellationToken cancellationToken)
    {
        if (await records.GetRecordAsync(RecalledNamespace, aid, cancellationToken).ConfigureAwait(false) is not { } stored) return None;
        return JsonSerializer.Deserialize(stored.Value.Span, MessagesJson.Default.ListString)!.ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Recalls messages of a sender: which were, by receiver, and why the others weren't.</summary>
    public async ValueTask<(IReadOnlyDictionary<string, List<string>> Recalled, IReadOnlyList<(string Id, string Error)> Errors)> RecallAsync(
        string sender, IReadOnlyList<string> ids, CancellationToken cancellationToken)
    {
        var recalled = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        var errors = new List<(string, string)>();
        foreach (var id in ids.Distinct(StringComparer.Ordinal))
        {
            var (to, error) = await RecallAsync(sender, id, cancellationToken).ConfigureAwait(false);
            if (error is not null)
            {
                errors.Add((id, error));
                continue;
            }

            if (!recalled.TryGetValue(to!, out var list)) recalled[to!] = list = [];
            list.Add(id);
        }

        return (recalled, errors);
    }

    private async ValueTask<(string? To, string? Error)> RecallAsync(string sender, string id, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (await records.GetRecordAsync(SentNamespace, id, cancellationToken).ConfigureAwait(false) is not { } stored) return (null, "not_found");
            var sent = JsonSerializer.Deserialize(stored.Value.Span, MessagesJson.Default.SentRecord)!;
            if (sent.From != sender) return (null, "not_sender");
            if (sent.Recalled) return (null, "already_recalled");
            var now = Now;
            if (now - sent.At > Window.TotalMilliseconds) return (null, "expired");
            var mark = new RecordPut
            {
                Namespace = SentNamespace,
                Key = id,
                Value = JsonSerializer.SerializeToUtf8Bytes(sent with { Recalled = true }, MessagesJson.Default.SentRecord),
                ExpiresAt = sent.At + (long)Kept.TotalMilliseconds,
                ExpectedVersion = stored.Version,
                At = now,
            };
            var list = await records.GetRecordAsync(RecalledNamespace, sent.To, cancellationToken).ConfigureAwait(false);
            var all = list is null ? [] : JsonSerializer.Deserialize(list.Value.Span, MessagesJson.Default.ListString)!;
            all.Add(KeyOf(sender, id));
            var put = new RecordPut
            {
                Namespace = RecalledNamespace,
                Key = sent.To,
                Value = JsonSerializer.SerializeToUtf8Bytes(all.TakeLast(MostRecalled).ToList(), MessagesJson.Default.ListString),
                ExpiresAt = now + (long)RecalledKept.TotalMilliseconds,
                ExpectedVersion = list?.Version ?? 0,
                At = now,
            };
            mark.With = put;
            await records.WriteAsync([put, mark], cancellationToken).ConfigureAwait(false);
            // Whoever was quicker with the list, or with the message: look again.
            if (!put.Conflict && !mark.Conflict) return (sent.To, null);
        }
    }
}

/// <summary>A message that was sent.</summary>
/// <param name="From">By whom.</param>
/// <param name="To">To whom.</param>
/// <param name="At">When (Unix ms).</param>
/// <param name="Recalled">It was recalled.</param>
internal sealed record SentRecord(string From, string To, long At, bool Recalled);

/// <summary>Serialization of what is kept of messages.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(SentRecord))]
[JsonSerializable(typeof(PrekeyRecord))]
[JsonSerializable(typeof(List<string>))]
internal sealed partial class MessagesJson : JsonSerializerContext;
