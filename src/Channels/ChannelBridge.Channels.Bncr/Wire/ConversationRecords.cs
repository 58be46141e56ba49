namespace ChannelBridge.Channels.Bncr.Wire;

/// <summary>Parameters of <c>bncr.conversations</c>.</summary>
internal sealed class ConversationsParams
{
    /// <summary>Only this account; null means every one.</summary>
    public string? AccountId { get; set; }

    /// <summary>Where to go on: <c>nextCursor</c> of the page before.</summary>
    public string? Cursor { get; set; }

    /// <summary>1…1000; 100 when left out.</summary>
    public int? Limit { get; set; }
}

/// <summary>Result of <c>bncr.conversations</c>.</summary>
/// <param name="Entries">By account and route.</param>
/// <param name="NextCursor">Where the next page begins; absent on the last one.</param>
internal sealed record ConversationsResult(IReadOnlyList<Conversation> Entries, string? NextCursor = null);

/// <summary>A conversation that has written.</summary>
/// <param name="AccountId">The account in its display case.</param>
/// <param name="Target">How people and <c>send</c> name it.</param>
/// <param name="SessionKey">The lane.</param>
/// <param name="UpdatedAt">When it last wrote, to the hour (Unix ms).</param>
internal sealed record Conversation(string AccountId, string Target, string SessionKey, long UpdatedAt);
