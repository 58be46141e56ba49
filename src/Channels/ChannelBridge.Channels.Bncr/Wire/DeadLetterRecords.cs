using System.Text.Json;

namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>Parameters of <c>bncr.deadLetter.inspect</c>.</summary>
internal class DeadLetterParams
{
    /// <summary>The account; blank means <c>Primary</c>.</summary>
    public string? AccountId { get; set; }

    /// <summary>Only these: the last failure's reason, exactly.</summary>
    public string? Reason { get; set; }

    /// <summary>Only those accepted before: Unix milliseconds (number or text), or a date in ISO 8601.</summary>
    public JsonElement? OlderThan { get; set; }

    /// <summary>0…100.</summary>
    public int? Limit { get; set; }

    /// <summary>How many to pass over, 0…10,000.</summary>
    public int? Offset { get; set; }
}

/// <summary>Parameters of <c>bncr.deadLetter.prune</c>.</summary>
internal sealed class DeadLetterPruneParams : DeadLetterParams
{
    /// <summary>True (default): says what would go. False needs a filter.</summary>
    public bool? DryRun { get; set; }
}

/// <summary>Result of <c>bncr.deadLetter.inspect</c>.</summary>
internal sealed record DeadLetterInspectResult
{
    public bool Ok { get; init; } = true;

    public required string AccountId { get; init; }

    public required DeadLetterFilters Filters { get; init; }

    public required int Total { get; init; }

    public required int Offset { get; init; }

    public required int Limit { get; init; }

    public required IReadOnlyList<DeadLetterEntry> Entries { get; init; }

    public required DeadLetterSummary Summary { get; init; }

    public required long Now { get; init; }
}

/// <summary>Result of <c>bncr.deadLetter.prune</c>.</summary>
internal sealed record DeadLetterPruneResult
{
    public bool Ok { get; init; } = true;

    public required bool DryRun { get; init; }

    public required string AccountId { get; init; }

    public required DeadLetterFilters Filters { get; init; }

    public required int Matched { get; init; }

    public required int Pruned { get; init; }

    public required int WouldPrune { get; init; }

    public required int Limit { get; init; }

    public required IReadOnlyList<DeadLetterEntry> Entries { get; init; }

    public required DeadLetterSummary Summary { get; init; }

    public required long Now { get; init; }
}

/// <summary>The filters as understood.</summary>
internal sealed record DeadLetterFilters(string? Reason, long? OlderThan);

/// <summary>A dead letter in short.</summary>
internal sealed record DeadLetterEntry
{
    public required string MessageId { get; init; }

    public required string AccountId { get; init; }

    public required string SessionKey { get; init; }

    /// <summary>The conversation in its display form.</summary>
    public required string Route { get; init; }

    /// <summary>The kind of content, e.g. <c>text</c>.</summary>
    public required string Kind { get; init; }

    public required long CreatedAt { get; init; }

    public required int RetryCount { get; init; }

    public required string? LastError { get; init; }

    /// <summary>The beginning of the text, at most 24 characters; <c>-</c> without one, and for callers that may only read.</summary>
    public required string TextPreview { get; init; }
}

/// <summary>All dead letters of the account, up to <c>cappedAt</c> of the newest.</summary>
internal sealed record DeadLetterSummary(
    long Total, long AllAccountsTotal, long SinceStart, int CappedAt, long? OldestAt, long? NewestAt, IReadOnlyList<ReasonCount> TopReasons);

/// <summary>How often a reason occurs.</summary>
internal sealed record ReasonCount(string Reason, int Count);
