using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Storage;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Messaging.Receipts;

/// <summary>
/// <c>deadLetters.*</c>: see, send again or remove what was given up: messages to bridges, and messages to agents (<c>box: inbox</c>). Who did it is
/// recorded in the same commit.
/// </summary>
internal sealed partial class DeadLetterMethods(
    IStore store,
    Outbox outbox,
    DeadMessages inbox,
    ReceiptMethods receipts,
    RouteFilter routes,
    MessagingOptions options,
    TimeProvider time,
    ILogger<DeadLetterMethods> logger) : IMethodSource, IDeadLetters
{
    private const int Page = 256;
    private static readonly DeliveryState[] Ended = [DeliveryState.Dead, DeliveryState.Expired];

    public IEnumerable<RpcMethod> Methods =>
    [
        RpcMethod.Create(
            "deadLetters.list",
            Scopes.Read,
            "Messages that were given up or expired, with their reason, a page at a time.",
            ReceiptsJson.Default.OutboxListParameters,
            ReceiptsJson.Default.OutboxListResult,
            ListAsync),
        RpcMethod.Create(
            "deadLetters.show",
            Scopes.Admin,
            "One dead letter with its whole message and the history of its attempts.",
            ReceiptsJson.Default.MessageIdParameters,
            ReceiptsJson.Default.MessageView,
            ShowAsync),
        RpcMethod.Create(
            "deadLetters.replay",
            Scopes.Admin,
            "Puts dead letters back at their lanes' ends, under the same idempotency keys.",
            ReceiptsJson.Default.DeadLetterSelection,
            ReceiptsJson.Default.DeadLetterResult,
            (selection, call, cancel) => ApplyAsync("deadLetters.replay", selection, call.Caller, replay: true, cancel)),
        RpcMethod.Create(
            "deadLetters.discard",
            Scopes.Admin,
            "Removes dead letters for good.",
            ReceiptsJson.Default.DeadLetterSelection,
            ReceiptsJson.Default.DeadLetterResult,
            (selection, call, cancel) => ApplyAsync("deadLetters.discard", selection, call.Caller, replay: false, cancel)),
        RpcMethod.Create(
            "deadLetters.prune",
            Scopes.Admin,
            "Removes dead letters that are older than params.olderThanMs.",
            ReceiptsJson.Default.DeadLetterSelection,
            ReceiptsJson.Default.DeadLetterResult,
            (selection, call, cancel) => selection.OlderThanMs is null
                ? throw BridgeException.Invalid("deadLetters.prune: params.olderThanMs is missing; it says how old a dead letter must be to go.")
                : ApplyAsync("deadLetters.prune", selection, call.Caller, replay: false, cancel)),
        RpcMethod.Create(
            "deadLetters.audit",
            Scopes.Admin,
            "Who replayed or discarded which dead letters, newest first.",
            ReceiptsJson.Default.AuditParameters,
            ReceiptsJson.Default.AuditResult,
            AuditAsync),
    ];

    public async ValueTask<bool> DiscardAsync(Guid id, Caller caller, CancellationToken cancellationToken = default) =>
        await store.GetOutboxAsync(id, cancellationToken).ConfigureAwait(false) is { } entry
        && await ChangeAsync(entry, caller, replay: false).ConfigureAwait(false);

    private async ValueTask<OutboxListResult> ListAsync(OutboxListParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        const string Method = "deadLetters.list";
        var states = ReceiptMethods.StatesOf(Method, parameters, Ended);
        if (!DeadMessages.IsInbox(Method, parameters.Box))
        {
            return await receipts.ListAsync(Method, parameters, states is [] ? Ended : states, call.Caller, cancellationToken).ConfigureAwait(false);
        }

        var limit = parameters.Limit ?? 100;
        if (limit is < 1 or > 1000) throw BridgeException.Invalid($"{Method}: params.limit must be 1 to 1000.");
        if (parameters.NewestFirst) throw BridgeException.Invalid($"{Method}: params.newestFirst isn't known for the inbox; the oldest come first.");
        var account = receipts.Account(Method, parameters.Channel, parameters.AccountId, call.Caller);
        var filter = await FilterAsync(
            Method, parameters.Channel, account, parameters.SessionKey, parameters.Route, parameters.Reason, parameters.OlderThanMs, cancellationToken).ConfigureAwait(false);
        // A message to an agent never expires.
        if (states is not [] && !states.Contains(DeliveryState.Dead)) return new OutboxListResult([]);
        (long, Guid)? after = parameters.Cursor is { } cursor ? ReceiptMethods.ParseCursor(Method, cursor) : null;
        var entries = await inbox.FindAsync(filter, after, limit, cancellationToken).ConfigureAwait(false);
        var next = entries.Count == limit ? ReceiptMethods.MakeCursor(entries[^1].EndedAt, entries[^1].Id) : null;
        return new OutboxListResult([.. entries.Where(entry => routes.MaySee(call.Caller, entry.Lane)).Select(receipts.View)], next);
    }

    private async ValueTask<MessageView> ShowAsync(MessageIdParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        if (await inbox.GetAsync(ReceiptMethods.ParseId("deadLetters.show", parameters.MessageId), cancellationToken).ConfigureAwait(false) is { } message
            && routes.MaySee(call.Caller, message.Lane))
        {
            return new MessageView(receipts.View(message), null, [], MessageCodec.ReadInbound(message.Payload.Span));
        }

        var entry = await receipts.GetAsync("deadLetters.show", parameters, call.Caller, cancellationToken).ConfigureAwait(false);
        var outbound = entry.Payload.IsEmpty ? null : MessageCodec.ReadOutbound(entry.Payload.Span);
        return new MessageView(receipts.View(entry), outbound, ReadHistory(entry.History.Span));
    }

    private async ValueTask<DeadLetterResult> ApplyAsync(
        string method, DeadLetterSelection selection, Caller caller, bool replay, CancellationToken cancellationToken)
    {
        var (replies, messages) = await SelectAsync(method, selection, caller, cancellationToken).ConfigureAwait(false);
        List<string> ids = [.. replies.Select(entry => entry.Id.ToString()), .. messages.Select(entry => entry.Id.ToString())];
        if (selection.DryRun) return new DeadLetterResult(ids.Count, 0, DryRun: true, ids);
        var changed = 0;
        foreach (var entry in replies)
        {
            changed += await ChangeAsync(entry, caller, replay).ConfigureAwait(false) ? 1 : 0;
        }

        var by = NameOf(caller);
        foreach (var entry in messages)
        {
            var done = replay ? await inbox.ReplayAsync(entry, by).ConfigureAwait(false) : await inbox.DiscardAsync(entry, by).ConfigureAwait(false);
            changed += done ? 1 : 0;
        }

        LogChanged(logger, method, changed, caller.Name, caller.Door);
        return new DeadLetterResult(ids.Count, changed, DryRun: false, ids);
    }

    private async ValueTask<bool> ChangeAsync(OutboxEntry entry, Caller caller, bool replay)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var (audit, record) = DeadLetterAudit.Make(entry, replay ? "replay" : "discard", NameOf(caller), now, options.DeadLetterRetention);
        if (!replay)
        {
            var discard = new OutboxDiscard { Id = entry.Id, Claim = StoreWrite.Unfenced };
            await store.CommitAsync([discard, audit], CancellationToken.None).ConfigureAwait(false);
            if (discard.Discarded) outbox.Discarded(entry);
            return discard.Discarded;
        }

        var again = new OutboxReplay { Id = entry.Id, At = now, HistoryLine = record, Claim = StoreWrite.Unfenced };
        await store.CommitAsync([again, audit], CancellationToken.None).ConfigureAwait(false);
        if (again.Replayed) outbox.Replayed(entry, again.Seq);
        return again.Replayed;
    }

    private async ValueTask<(IReadOnlyList<OutboxEntry> Replies, IReadOnlyList<InboxEntry> Messages)> SelectAsync(
        string method, DeadLetterSelection selection, Caller caller, CancellationToken cancellationToken)
    {
        var limit = selection.Limit ?? 1000;
        if (limit is < 1 or > 10_000) throw BridgeException.Invalid($"{method}: params.limit must be 1 to 10000.");
        RefuseBlanks(method, selection);
        var filtered = selection.Channel ?? selection.AccountId ?? selection.SessionKey ?? selection.Route ?? selection.Reason;
        if (selection.MessageIds is { Count: > 0 } wanted)
        {
            if (filtered is not null || selection.OlderThanMs is not null || selection.All)
            {
                throw BridgeException.Invalid($"{method}: params.messageIds names the messages already; leave the filters and all out.");
            }

            var (named, given) = (new List<OutboxEntry>(), new List<InboxEntry>());
            foreach (var text in wanted.Distinct().Take(limit))
            {
                if (await inbox.GetAsync(ReceiptMethods.ParseId(method, text), cancellationToken).ConfigureAwait(false) is { } message && routes.MaySee(caller, message.Lane))
                {
                    given.Add(message with { Payload = default });
                    continue;
                }

                var entry = await receipts.GetAsync(method, new MessageIdParameters(text), caller, cancellationToken).ConfigureAwait(false);
                if (Ended.Contains(entry.State)) named.Add(entry);
            }

            // In the order in which they were said, whatever the order of the ids: a replay keeps it.
            return ([.. named.OrderBy(entry => entry.AcceptedAt).ThenBy(entry => entry.Seq)], [.. given.OrderBy(entry => entry.AcceptedAt).ThenBy(entry => entry.Ordinal)]);
        }

        if (filtered is null && selection.OlderThanMs is null && !selection.All)
        {
            throw BridgeException.Invalid($"{method}: say which ones: messageIds, a filter (channel, accountId, sessionKey, route, reason, olderThanMs), or all:true.");
        }

        var account = receipts.Account(method, selection.Channel, selection.AccountId, caller);
        var filter = await FilterAsync(
            method, selection.Channel, account, selection.SessionKey, selection.Route, selection.Reason, selection.OlderThanMs, cancellationToken).ConfigureAwait(false);
        if (DeadMessages.IsInbox(method, selection.Box))
            return ([],
                [.. (await inbox.FindAsync(filter, after: null, limit, cancellationToken).ConfigureAwait(false))
                    .Where(entry => routes.MaySee(caller, entry.Lane))]);
        var found = new List<OutboxEntry>();
        (long, Guid)? after = null;
        while (found.Count < limit)
        {
            var page = await store.QueryOutboxAsync(
                new OutboxQuery
                {
                    Channel = filter.Channel,
                    Account = filter.Account,
                    SessionKey = filter.SessionKey,
                    Error = filter.Reason,
                    AcceptedBefore = filter.AcceptedBefore,
                    States = Ended,
                    After = after,
                    Limit = Math.Min(Page, limit - found.Count),
                    HeadersOnly = true,
                },
                cancellationToken).ConfigureAwait(false);
            if (page.Count == 0) break;
            found.AddRange(page.Where(entry => routes.MaySee(caller, entry.Lane)));
            after = (page[^1].AcceptedAt, page[^1].Id);
        }

        return (found, []);
    }

    private async ValueTask<DeadMessages.Filter> FilterAsync(
        string method, string? channel, string? account, string? sessionKey, string? route, string? reason, long? olderThanMs, CancellationToken cancellationToken) => new(
            channel,
            account,
            await routes.ResolveAsync(method, sessionKey, route, channel, account, cancellationToken).ConfigureAwait(false),
            reason,
            receipts.Before(method, olderThanMs));

    /// <summary>A filter that is there and empty is a mistake of the caller: taken for none, it would select everything.</summary>
    private static void RefuseBlanks(string method, DeadLetterSelection selection)
    {
        ReadOnlySpan<(string Name, string? Value)> filters =
        [
            ("channel", selection.Channel), ("accountId", selection.AccountId), ("sessionKey", selection.SessionKey), ("route", selection.Route), ("reason", selection.Reason),
        ];
        foreach (var (name, value) in filters)
        {
            if (value is not null && string.IsNullOrWhiteSpace(value)) throw BridgeException.Invalid($"{method}: params.{name} is empty; name one, or leave it out.");
        }
    }

    private static string NameOf(Caller caller) => $"{caller.Name} ({caller.Door})";

    private async ValueTask<AuditResult> AuditAsync(AuditParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        if (parameters.Limit is < 1 or > 1000) throw BridgeException.Invalid("deadLetters.audit: params.limit must be 1 to 1000.");
        var lines = new List<AuditLine>();
        string? after = null;
        while (lines.Count < parameters.Limit)
        {
            var page = await store.ListRecordsAsync(DeadLetterAudit.Namespace, index: null, after, Page, cancellationToken).ConfigureAwait(false);
            lines.AddRange(page.Select(record => JsonSerializer.Deserialize(record.Value.Span, ReceiptsJson.Default.AuditLine)!)
                .Where(line => MaySee(line, call.Caller)).Take(parameters.Limit - lines.Count));
            if (page.Count < Page) break;
            after = page[^1].Key;
        }

        return new AuditResult(lines);
    }

    /// <summary>A limited token sees what was done in its own lanes; what doesn't say in which it was isn't for it.</summary>
    private bool MaySee(AuditLine line, Caller caller) => !caller.IsLimited
        || (line is { Channel: { } channel, AccountId: { } account, SessionKey: { } lane } && routes.MaySee(caller, new LaneKey(channel, account, lane)));

    /// <summary>The stored lines as they are; a line that isn't JSON (damage) is left out.</summary>
    private static List<JsonElement> ReadHistory(ReadOnlySpan<byte> history)
    {
        var lines = new List<JsonElement>();
        foreach (var range in history.Split((byte)'\n'))
        {
            var line = history[range];
            if (line.IsEmpty) continue;
            try
            {
                var reader = new Utf8JsonReader(line);
                lines.Add(JsonElement.ParseValue(ref reader));
            }
            catch (JsonException)
            {
                // Damage in one line must not hide the others.
            }
        }

        return lines;
    }

    [LoggerMessage(LogEvents.DeadLetterMethodsChanged, LogLevel.Information, "{Method}: {Count} dead letters by {Caller} ({Door}).")]
    private static partial void LogChanged(ILogger logger, string method, int count, string caller, Door door);
}
