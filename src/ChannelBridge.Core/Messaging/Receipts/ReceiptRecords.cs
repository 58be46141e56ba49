using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Events;

namespace ChannelBridge.Core.Messaging.Receipts;

/// <summary>How far a message to a bridge got, with the time of each step (Unix ms; absent where it hasn't happened).</summary>
internal sealed record ReceiptView
{
    /// <summary>The outbox id, on pushes <c>messageId</c> and <c>idempotencyKey</c>; of a dead letter of the inbox, the inbox id.</summary>
    public required string MessageId { get; init; }

    /// <summary><c>inbox</c> for a message to an agent whose turn was given up; absent for a message to a bridge.</summary>
    public string? Box { get; init; }

    /// <summary>The channel id.</summary>
    public required string Channel { get; init; }

    /// <summary>The account, as it was first written.</summary>
    public required string AccountId { get; init; }

    /// <summary>The lane.</summary>
    public required string SessionKey { get; init; }

    /// <summary>The number in the lane.</summary>
    public required long Seq { get; init; }

    /// <summary><c>accepted</c>, <c>pushed</c>, <c>acked</c>, <c>delivered</c>, <c>expired</c> or <c>dead</c>.</summary>
    public required string State { get; init; }

    /// <summary>True when nothing more will happen.</summary>
    public required bool Settled { get; init; }

    /// <summary>Failed pushes.</summary>
    public int Attempts { get; init; }

    /// <summary>When it was accepted.</summary>
    public required long AcceptedAt { get; init; }

    /// <summary>When it was last pushed.</summary>
    public long? PushedAt { get; init; }

    /// <summary>When the client confirmed it.</summary>
    public long? AckedAt { get; init; }

    /// <summary>When the platform had it.</summary>
    public long? DeliveredAt { get; init; }

    /// <summary>When it expired or became a dead letter.</summary>
    public long? EndedAt { get; init; }

    /// <summary>When it is tried again, at the earliest; absent when <see cref="Held"/>.</summary>
    public long? NextAttemptAt { get; init; }

    /// <summary>True while it waits for its user to write again; absent otherwise.</summary>
    public bool? Held { get; init; }

    /// <summary>Until when it is worth delivering.</summary>
    public long? ExpiresAt { get; init; }

    /// <summary>The last failure's reason.</summary>
    public string? Reason { get; init; }

    internal static ReceiptView Of(OutboxEntry entry, string account, long pushedNow)
    {
        var state = entry.State == DeliveryState.Accepted && pushedNow > 0 ? DeliveryState.Pushed : entry.State;
        return new ReceiptView
        {
            MessageId = entry.Id.ToString(),
            Channel = entry.Lane.Channel,
            AccountId = account,
            SessionKey = entry.Lane.SessionKey,
            Seq = entry.Seq,
            State = DeliveryStates.NameOf(state),
            Settled = entry.Settled,
            Attempts = entry.Attempts,
            AcceptedAt = entry.AcceptedAt,
            PushedAt = Time(Math.Max(entry.PushedAt, pushedNow)),
            AckedAt = Time(entry.AckedAt),
            DeliveredAt = Time(entry.DeliveredAt),
            EndedAt = Time(entry.EndedAt),
            NextAttemptAt = entry.Settled || entry.NextAttemptAt == AccountOutbox.Held ? null : Time(entry.NextAttemptAt),
            Held = !entry.Settled && entry.NextAttemptAt == AccountOutbox.Held ? true : null,
            ExpiresAt = Time(entry.ExpiresAt),
            Reason = entry.Error,
        };
    }

    internal static ReceiptView Of(InboxEntry entry, string account) => new()
    {
        MessageId = entry.Id.ToString(),
        Box = "inbox",
        Channel = entry.Lane.Channel,
        AccountId = account,
        SessionKey = entry.Lane.SessionKey,
        Seq = entry.Ordinal,
        State = DeliveryStates.NameOf(DeliveryState.Dead),
        Settled = true,
        Attempts = entry.Attempts,
        AcceptedAt = entry.AcceptedAt,
        EndedAt = Time(entry.EndedAt),
        Reason = entry.Error,
    };

    internal static DeliveryState? StateOf(string name) => name switch
    {
        "accepted" => DeliveryState.Accepted,
        "pushed" => DeliveryState.Pushed,
        "acked" => DeliveryState.Acked,
        "delivered" => DeliveryState.Delivered,
        "expired" => DeliveryState.Expired,
        "dead" => DeliveryState.Dead,
        _ => null,
    };

    private static long? Time(long milliseconds) => milliseconds > 0 ? milliseconds : null;
}

/// <summary>Parameters of <c>outbox.get</c> and <c>deadLetters.show</c>.</summary>
/// <param name="MessageId">The outbox id.</param>
internal sealed record MessageIdParameters(string MessageId);

/// <summary>Result of <c>deadLetters.show</c>: the receipt with everything that is kept.</summary>
/// <param name="Receipt">How far it got.</param>
/// <param name="Message">The whole message, or null when its payload was dropped (settled well).</param>
/// <param name="History">What happened to it, oldest first.</param>
/// <param name="Inbound">The whole message of a dead letter of the inbox; absent otherwise.</param>
internal sealed record MessageView(ReceiptView Receipt, OutboundMessage? Message, IReadOnlyList<JsonElement> History, InboundMessage? Inbound = null);

/// <summary>Filter and page of <c>outbox.list</c> and <c>deadLetters.list</c>. A misspelt filter is refused, not passed over.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record OutboxListParameters
{
    /// <summary>Only this channel.</summary>
    public string? Channel { get; init; }

    /// <summary>Only this account.</summary>
    public string? AccountId { get; init; }

    /// <summary>Only this lane.</summary>
    public string? SessionKey { get; init; }

    /// <summary>Only this conversation, as people write it (<c>Bncr:qq:888888</c>), of the account named or else of the channel's first.</summary>
    public string? Route { get; init; }

    /// <summary><c>deadLetters.list</c>: <c>outbox</c> (default), or <c>inbox</c> for messages to agents whose turn was given up.</summary>
    public string? Box { get; init; }

    /// <summary>Only these states; <c>deadLetters.list</c> knows <c>dead</c> and <c>expired</c>.</summary>
    public IReadOnlyList<string>? States { get; init; }

    /// <summary>Only this state; the same as <see cref="States"/> with one.</summary>
    public string? State { get; init; }

    /// <summary>Only entries whose last failure's reason is this.</summary>
    public string? Reason { get; init; }

    /// <summary>Only entries accepted at least this long ago, in milliseconds.</summary>
    public long? OlderThanMs { get; init; }

    /// <summary>Newest first instead of oldest first.</summary>
    public bool NewestFirst { get; init; }

    /// <summary>1…1000, default 100.</summary>
    public int? Limit { get; init; }

    /// <summary>The <c>nextCursor</c> of the page before.</summary>
    public string? Cursor { get; init; }
}

/// <summary>A page of receipts.</summary>
/// <param name="Entries">The receipts.</param>
/// <param name="NextCursor">Where the next page begins; null at the end.</param>
internal sealed record OutboxListResult(IReadOnlyList<ReceiptView> Entries, string? NextCursor = null);

/// <summary>Which dead letters are meant: ids, or a filter, or all. A misspelt filter is refused: passed over, it would select more.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record DeadLetterSelection
{
    /// <summary>These ids, of whichever box.</summary>
    public IReadOnlyList<string>? MessageIds { get; init; }

    /// <summary>Where the filters look: <c>outbox</c> (default), or <c>inbox</c> for messages to agents whose turn was given up.</summary>
    public string? Box { get; init; }

    /// <summary>Only this channel.</summary>
    public string? Channel { get; init; }

    /// <summary>Only this account.</summary>
    public string? AccountId { get; init; }

    /// <summary>Only this lane.</summary>
    public string? SessionKey { get; init; }

    /// <summary>Only this conversation, as people write it (<c>Bncr:qq:888888</c>), of the account named or else of the channel's first.</summary>
    public string? Route { get; init; }

    /// <summary>Only this reason.</summary>
    public string? Reason { get; init; }

    /// <summary>Only those accepted at least this long ago, in milliseconds.</summary>
    public long? OlderThanMs { get; init; }

    /// <summary>Every dead letter: must be said when there is neither an id nor a filter.</summary>
    public bool All { get; init; }

    /// <summary>Only say what would be done.</summary>
    public bool DryRun { get; init; }

    /// <summary>At most this many, 1…10,000, default 1,000; call again for more.</summary>
    public int? Limit { get; init; }
}

/// <summary>What was done to dead letters.</summary>
/// <param name="Matched">How many the selection matched (up to its limit).</param>
/// <param name="Changed">How many were replayed or discarded; 0 in a dry run.</param>
/// <param name="DryRun">True when nothing was done.</param>
/// <param name="MessageIds">Their ids.</param>
internal sealed record DeadLetterResult(int Matched, int Changed, bool DryRun, IReadOnlyList<string> MessageIds);

/// <summary>Who replayed or discarded what.</summary>
/// <param name="At">When (Unix ms).</param>
/// <param name="Action"><c>replay</c> or <c>discard</c>.</param>
/// <param name="By">The token's name and the door.</param>
/// <param name="MessageId">The dead letter.</param>
/// <param name="Reason">Why it had died.</param>
/// <param name="Channel">Its channel; absent in records of before this was kept, as are the two that follow.</param>
/// <param name="AccountId">Its account, in lower case.</param>
/// <param name="SessionKey">Its lane.</param>
internal sealed record AuditLine(
    long At, string Action, string By, string MessageId, string? Reason, string? Channel = null, string? AccountId = null, string? SessionKey = null);

/// <summary>Parameters of <c>deadLetters.audit</c>.</summary>
/// <param name="Limit">1…1000, default 100: the newest so many.</param>
internal sealed record AuditParameters(int Limit = 100);

/// <summary>Result of <c>deadLetters.audit</c>.</summary>
/// <param name="Entries">Newest first.</param>
internal sealed record AuditResult(IReadOnlyList<AuditLine> Entries);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(MessageIdParameters))]
[JsonSerializable(typeof(ReceiptView))]
[JsonSerializable(typeof(MessageView))]
[JsonSerializable(typeof(OutboxListParameters))]
[JsonSerializable(typeof(OutboxListResult))]
[JsonSerializable(typeof(DeadLetterSelection))]
[JsonSerializable(typeof(DeadLetterResult))]
[JsonSerializable(typeof(AuditLine))]
[JsonSerializable(typeof(AuditParameters))]
[JsonSerializable(typeof(AuditResult))]
internal sealed partial class ReceiptsJson : JsonSerializerContext;
