using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Messaging.Receipts;

/// <summary>
/// Removes dead letters that are too old or too many. Each leaves an audit record, committed together with its removal, and each sweep says in the log
/// what it removed of which account and why.
/// </summary>
internal sealed partial class DeadLetterRetention(
    IStore store, Outbox outbox, DeadMessages inbox, Backlogs backlogs, MessagingOptions options, TimeProvider time, ILogger<DeadLetterRetention> logger)
{
    private const int Page = 500;
    private const int Unit = 100;
    private static readonly DeliveryState[] Ended = [DeliveryState.Dead, DeliveryState.Expired];
    private readonly Dictionary<(string Channel, string Account), long> _looked = [];

    public async Task EnforceAsync(CancellationToken cancellationToken)
    {
        await ByAgeAsync(cancellationToken).ConfigureAwait(false);
        foreach (var (channel, account, counter) in backlogs.All)
        {
            // An account without a new dead letter since the last look has no more than it had then.
            var ended = Volatile.Read(ref counter.Ended);
            if (_looked.TryGetValue((channel, account), out var before) && before == ended) continue;
            await ByCountAsync(channel, account, cancellationToken).ConfigureAwait(false);
            _looked[(channel, account)] = ended;
        }
    }

    private async Task ByAgeAsync(CancellationToken cancellationToken)
    {
        var limit = (time.GetUtcNow() - options.DeadLetterRetention).ToUnixTimeMilliseconds();
        if (limit <= 0) return;
        // What ended before the limit was accepted before it, too.
        var query = new OutboxQuery { States = Ended, AcceptedBefore = limit, Limit = Page, HeadersOnly = true };
        var removed = new Dictionary<(string, string), int>();
        while (true)
        {
            var page = await store.QueryOutboxAsync(query, cancellationToken).ConfigureAwait(false);
            await RemoveAsync([.. page.Where(entry => entry.EndedAt < limit)], "age", removed).ConfigureAwait(false);
            if (page.Count < Page) break;
            query = query with { After = (page[^1].AcceptedAt, page[^1].Id) };
        }

        foreach (var ((channel, account), count) in removed) LogTooOld(logger, count, channel, account, options.DeadLetterRetention);
        await MessagesByAgeAsync(limit, cancellationToken).ConfigureAwait(false);
    }

    private async Task MessagesByAgeAsync(long limit, CancellationToken cancellationToken)
    {
        var removed = new Dictionary<(string, string), int>();
        while (true)
        {
            var page = await store.ListDeadInboxAsync(after: null, Unit, headersOnly: true, cancellationToken).ConfigureAwait(false);
            var old = page.TakeWhile(entry => entry.EndedAt < limit).ToList();
            foreach (var entry in old)
            {
                if (!await inbox.DiscardAsync(entry, "retention (age)").ConfigureAwait(false)) continue;
                var key = (entry.Lane.Channel, entry.Lane.Account);
                removed[key] = removed.GetValueOrDefault(key) + 1;
            }

            if (old.Count < Unit) break;
        }

        foreach (var ((channel, account), count) in removed) LogMessagesTooOld(logger, count, channel, account, options.DeadLetterRetention);
    }

    private async Task ByCountAsync(string channel, string account, CancellationToken cancellationToken)
    {
        var query = new OutboxQuery { Channel = channel, Account = account, States = Ended, Descending = true, Limit = Page, HeadersOnly = true };
        var removed = new Dictionary<(string, string), int>();
        for (var seen = 0; ; seen += Page)
        {
            var page = await store.QueryOutboxAsync(query, cancellationToken).ConfigureAwait(false);
            await RemoveAsync([.. page.Skip(Math.Max(0, options.DeadLetterCapacity - seen))], "count", removed).ConfigureAwait(false);
            if (page.Count < Page) break;
            query = query with { After = (page[^1].AcceptedAt, page[^1].Id) };
        }

        foreach (var ((_, _), count) in removed) LogTooMany(logger, count, channel, account, options.DeadLetterCapacity);
    }

    private async Task RemoveAsync(IReadOnlyList<OutboxEntry> entries, string why, Dictionary<(string, string), int> removed)
    {
        foreach (var unit in entries.Chunk(Unit))
        {
            var now = time.GetUtcNow().ToUnixTimeMilliseconds();
            var batch = new List<StoreWrite>(unit.Length * 2);
            var discards = new List<(OutboxEntry Entry, OutboxDiscard Write)>(unit.Length);
            foreach (var entry in unit)
            {
                var discard = new OutboxDiscard { Id = entry.Id, Claim = StoreWrite.Unfenced };
                discards.Add((entry, discard));
                batch.Add(discard);
                batch.Add(DeadLetterAudit.Make(entry, "discard", $"retention ({why})", now, options.DeadLetterRetention).Record);
            }

            await store.CommitAsync(batch, CancellationToken.None).ConfigureAwait(false);
            foreach (var (entry, write) in discards)
            {
                if (!write.Discarded) continue;
                outbox.Discarded(entry);
                var key = (entry.Lane.Channel, entry.Lane.Account);
                removed[key] = removed.GetValueOrDefault(key) + 1;
            }
        }
    }

    [LoggerMessage(LogEvents.DeadLetterRetentionTooOld, LogLevel.Warning,
        "Removed {Count} dead letters of {Channel}/{Account} that were older than Limits:DeadLetterRetention ({Age}); deadLetters.audit names them.")]
    private static partial void LogTooOld(ILogger logger, int count, string channel, string account, TimeSpan age);

    [LoggerMessage(LogEvents.DeadLetterRetentionMessagesTooOld, LogLevel.Warning,
        "Removed {Count} unanswered messages of {Channel}/{Account} whose turns were given up longer ago than Limits:DeadLetterRetention ({Age}); deadLetters.audit names them.")]
    private static partial void LogMessagesTooOld(ILogger logger, int count, string channel, string account, TimeSpan age);

    [LoggerMessage(LogEvents.DeadLetterRetentionTooMany, LogLevel.Warning,
        "Removed the {Count} oldest dead letters of {Channel}/{Account}, which had more than Limits:DeadLetterCapacity ({Capacity}); deadLetters.audit names them.")]
    private static partial void LogTooMany(ILogger logger, int count, string channel, string account, int capacity);
}
