using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Messaging.Receipts;

/// <summary>
/// The dead letters of the inbox: messages whose turn was given up. There are few, so filters are applied here and the store only lists them. Changes leave
/// the same audit records as those of the outbox.
/// </summary>
internal sealed class DeadMessages(IStore store, TurnScheduler turns, Backlogs backlogs, MessagingOptions options, TimeProvider time)
{
    private const int Page = 256;

    /// <summary>Those that a filter lets through, oldest end first, behind a position.</summary>
    public async ValueTask<List<InboxEntry>> FindAsync(
        Filter filter, (long EndedAt, Guid Id)? after, int limit, CancellationToken cancellationToken = default)
    {
        var found = new List<InboxEntry>();
        while (found.Count < limit)
        {
            var page = await store.ListDeadInboxAsync(after, Page, headersOnly: true, cancellationToken).ConfigureAwait(false);
            found.AddRange(page.Where(filter.Matches).Take(limit - found.Count));
            if (page.Count < Page) break;
            after = (page[^1].EndedAt, page[^1].Id);
        }

        return found;
    }

    /// <summary>One of them, with its message; null when there is none under this id.</summary>
    public async ValueTask<InboxEntry?> GetAsync(Guid id, CancellationToken cancellationToken)
    {
        var entry = await store.GetInboxAsync(id, cancellationToken).ConfigureAwait(false);
        return entry is { State: TurnState.Dead } ? entry : null;
    }

    /// <summary>Has its turn run again, at its lane's end and under its id: what it said before it was given up isn't said twice.</summary>
    public async ValueTask<bool> ReplayAsync(InboxEntry entry, string by)
    {
        // Listed without its message; read before it changes, because afterwards another host may have its turn done in no time.
        var whole = await store.GetInboxAsync(entry.Id).ConfigureAwait(false);
        if (whole is not { State: TurnState.Dead }) return false;
        var message = MessageCodec.ReadInbound(whole.Payload.Span);
        var replay = new InboxReplay { Id = entry.Id, Claim = StoreWrite.Unfenced };
        await store.CommitAsync([replay, Audit(entry, "replay", by)], CancellationToken.None).ConfigureAwait(false);
        if (!replay.Replayed) return false;
        var account = backlogs.Of(entry.Lane.Channel, entry.Lane.Account);
        backlogs.InboxAdd(account, 1);
        Interlocked.Decrement(ref account.InboxDead);
        turns.Offer(replay.LaneId, entry.Lane, new TurnItem(entry.Id, replay.Ordinal, message, 0, 0, whole.Payload.Length));
        return true;
    }

    /// <summary>Drops it for good.</summary>
    public async ValueTask<bool> DiscardAsync(InboxEntry entry, string by)
    {
        var discard = new InboxDiscard { Id = entry.Id, Claim = StoreWrite.Unfenced };
        await store.CommitAsync([discard, Audit(entry, "discard", by)], CancellationToken.None).ConfigureAwait(false);
        if (discard.Discarded) Interlocked.Decrement(ref backlogs.Of(entry.Lane.Channel, entry.Lane.Account).InboxDead);
        return discard.Discarded;
    }

    /// <summary>Whether <c>params.box</c> means the inbox.</summary>
    public static bool IsInbox(string method, string? box) => box switch
    {
        null or "outbox" => false,
        "inbox" => true,
        _ => throw BridgeException.Invalid($"{method}: params.box must be outbox or inbox."),
    };

    private RecordPut Audit(InboxEntry entry, string action, string by) => DeadLetterAudit.Make(
        entry.Id, entry.Lane, entry.Error, action, by, time.GetUtcNow().ToUnixTimeMilliseconds(), options.DeadLetterRetention).Record;

    /// <summary>Which ones; null means any.</summary>
    internal sealed record Filter(string? Channel, string? Account, string? SessionKey, string? Reason, long AcceptedBefore)
    {
        public bool Matches(InboxEntry entry) =>
            (Channel is null || entry.Lane.Channel == Channel)
            && (Account is null || entry.Lane.Account == Account)
            && (SessionKey is null || entry.Lane.SessionKey == SessionKey)
            && (AcceptedBefore == 0 || entry.AcceptedAt < AcceptedBefore)
            // A turn's reason is a code and a text behind it; the code alone will do.
            && (Reason is null || entry.Error == Reason || entry.Error?.StartsWith(Reason + ":", StringComparison.Ordinal) == true);
    }
}
