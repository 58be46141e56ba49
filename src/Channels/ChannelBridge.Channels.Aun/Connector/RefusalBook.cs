using System.Globalization;
using System.Text.Json;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Channels.Aun.Connector;

/// <summary>The receipts of messages that no agent was given: who sent them and why, and nothing of what they said. Kept for a week.</summary>
internal sealed class RefusalBook(IRecords records, TimeProvider time)
{
    /// <summary>Where they stand in the store.</summary>
    public const string Namespace = "aun.refused";

    private static readonly TimeSpan KeepFor = TimeSpan.FromDays(7);
    private long _last;

    /// <summary>What is written when one is refused.</summary>
    /// <param name="aid">Whose message it would have been.</param>
    /// <param name="from">Who sent it, as the gateway says.</param>
    /// <param name="messageId">Its id, or null.</param>
    /// <param name="reason">Why.</param>
    public RecordWrite Refused(string aid, string from, string? messageId, string reason)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var refusal = new Refusal(from, messageId is { Length: > 128 } ? messageId[..128] : messageId, "dead", reason, now);
        // Newest first: keys are read in their order.
        var place = (long.MaxValue - now).ToString("d19", CultureInfo.InvariantCulture);
        return new RecordPut
        {
            Namespace = Namespace,
            Key = $"{aid}/{place}/{Interlocked.Increment(ref _last):x}",
            Index = aid,
            Value = JsonSerializer.SerializeToUtf8Bytes(refusal, AunConnectorJson.Relaxed.Refusal),
            ExpiresAt = now + (long)KeepFor.TotalMilliseconds,
            At = now,
        };
    }

    /// <summary>The last ones, the newest first.</summary>
    public async ValueTask<IReadOnlyList<Refusal>> ListAsync(string aid, int most, CancellationToken cancellationToken) =>
        [.. (await records.ListRecordsAsync(Namespace, aid, null, most, cancellationToken).ConfigureAwait(false))
            .Select(static one => JsonSerializer.Deserialize(one.Value.Span, AunConnectorJson.Relaxed.Refusal)!)];
}

/// <summary>The receipt of a message that was refused.</summary>
/// <param name="From">Who sent it, as the gateway says.</param>
/// <param name="MessageId">Its id, if it has one.</param>
/// <param name="State"><c>dead</c>.</param>
/// <param name="Reason">Why.</param>
/// <param name="At">When (Unix ms).</param>
internal sealed record Refusal(string From, string? MessageId, string State, string Reason, long At);
