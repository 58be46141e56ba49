using System.Text.Json;
using ChannelBridge.Core.Access;
using ChannelBridge.Core.Errors;
using ChannelBridge.Core.Methods;
using ChannelBridge.Core.Storage;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Messaging.Receipts;

/// <summary>
/// <c>deadLetters.*</c>: see, send again or remove what was given up. Who did it is recorded in the same commit.
/// </summary>
internal sealed partial class DeadLetterMethods(
    IStore store, Outbox outbox, ReceiptMethods receipts, RouteFilter routes, MessagingOptions options, TimeProvider time, ILogger<DeadLetterMethods> logger)
    : IMethodSource, IDeadLetters
{
    private const int Page = 256;
    private static readonly DeliveryState[] Ended = [DeliveryState.Dead, DeliveryState.Expired];

    public IEnumerable<GatewayMethod> Methods =>
    [
        GatewayMethod.Create(
            "deadLetters.list",
            Scopes.Read,
            "Messages that were given up or expired, with their reason, a page at a time.",
            ReceiptsJson.Default.OutboxListParameters,
            ReceiptsJson.Default.OutboxListResult,
            (parameters, call, cancel) => receipts.ListAsync("deadLetters.list", parameters, Ended, call.Caller, cancel)),
        GatewayMethod.Create(
            "deadLetters.show",
            Scopes.Admin,
            "One dead letter with its whole message and the history of its attempts.",
            ReceiptsJson.Default.MessageIdParameters,
            ReceiptsJson.Default.MessageView,
            ShowAsync),
        GatewayMethod.Create(
            "deadLetters.replay",
            Scopes.Admin,
            "Puts dead letters back at their lanes' ends, under the same idempotency keys.",
            ReceiptsJson.Default.DeadLetterSelection,
            ReceiptsJson.Default.DeadLetterResult,
            (selection, call, cancel) => ApplyAsync("deadLetters.replay", selection, call.Caller, replay: true, cancel)),
        GatewayMethod.Create(
            "deadLetters.discard",
            Scopes.Admin,
            "Removes dead letters for good.",
            ReceiptsJson.Default.DeadLetterSelection,
            ReceiptsJson.Default.DeadLetterResult,
            (selection, call, cancel) => ApplyAsync("deadLetters.discard", selection, call.Caller, replay: false, cancel)),
        GatewayMethod.Create(
            "deadLetters.prune",
            Scopes.Admin,
            "Removes dead letters that are older than params.olderThanMs.",
            ReceiptsJson.Default.DeadLetterSelection,
            ReceiptsJson.Default.DeadLetterResult,
            (selection, call, cancel) => selection.OlderThanMs is null
                ? throw BridgeException.Invalid("deadLetters.prune: params.olderThanMs is missing; it says how old a dead letter must be to go.")
                : ApplyAsync("deadLetters.prune", selection, call.Caller, replay: false, cancel)),
        GatewayMethod.Create(
            "deadLetters.audit",
            Scopes.Admin,
            "Who replayed or discarded which dead letters, newest first.",
            ReceiptsJson.Default.AuditParameters,
            ReceiptsJson.Default.AuditResult,
            AuditAsync),
    ];

    public ValueTask<bool> DiscardAsync(OutboxEntry entry, Caller caller, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ChangeAsync(entry, caller, replay: false);
    }

    private async ValueTask<MessageView> ShowAsync(MessageIdParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var entry = await receipts.GetAsync("deadLetters.show", parameters, call.Caller, cancellationToken).ConfigureAwait(false);
        var message = entry.Payload.IsEmpty ? null : MessageCodec.ReadOutbound(entry.Payload.Span);
        return new MessageView(receipts.View(entry), message, ReadHistory(entry.History.Span));
    }

    private async ValueTask<DeadLetterResult> ApplyAsync(
        string method, DeadLetterSelection selection, Caller caller, bool replay, CancellationToken cancellationToken)
    {
        var selected = await SelectAsync(method, selection, caller, cancellationToken).ConfigureAwait(false);
        var ids = selected.Select(entry => entry.Id.ToString()).ToList();
        if (selection.DryRun) return new DeadLetterResult(selected.Count, 0, DryRun: true, ids);
        var changed = 0;
        foreach (var entry in selected)
        {
            changed += await ChangeAsync(entry, caller, replay).ConfigureAwait(false) ? 1 : 0;
        }

        LogChanged(logger, method, changed, caller.Name, caller.Door);
        return new DeadLetterResult(selected.Count, changed, DryRun: false, ids);
    }

    private async ValueTask<bool> ChangeAsync(OutboxEntry entry, Caller caller, bool replay)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var (audit, record) = DeadLetterAudit.Make(entry, replay ? "replay" : "discard", $"{caller.Name} ({caller.Door})", now, options.DeadLetterRetention);
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

    private async ValueTask<IReadOnlyList<OutboxEntry>> SelectAsync(
        string method, DeadLetterSelection selection, Caller caller, CancellationToken cancellationToken)
    {
        var limit = selection.Limit ?? 1000;
        if (limit is < 1 or > 10_000) throw BridgeException.Invalid($"{method}: params.limit must be 1 to 10000.");
        var filtered = selection.Channel ?? selection.AccountId ?? selection.SessionKey ?? selection.Route ?? selection.Reason;
        if (selection.MessageIds is { Count: > 0 } wanted)
        {
            if (filtered is not null || selection.OlderThanMs is not null || selection.All)
            {
                throw BridgeException.Invalid($"{method}: params.messageIds names the messages already; leave the filters and all out.");
            }

            var named = new List<OutboxEntry>();
            foreach (var text in wanted.Distinct().Take(limit))
            {
                var entry = await receipts.GetAsync(method, new MessageIdParameters(text), caller, cancellationToken).ConfigureAwait(false);
                if (Ended.Contains(entry.State)) named.Add(entry);
            }

            // In the order in which they were said, whatever the order of the ids: a replay keeps it.
            return [.. named.OrderBy(entry => entry.AcceptedAt).ThenBy(entry => entry.Seq)];
        }

        if (filtered is null && selection.OlderThanMs is null && !selection.All)
        {
            throw BridgeException.Invalid($"{method}: say which ones: messageIds, a filter (channel, accountId, sessionKey, route, reason, olderThanMs), or all:true.");
        }

        ReceiptMethods.RequireAccount(method, selection.AccountId, caller);
        var sessionKey = await routes.ResolveAsync(
            method, selection.SessionKey, selection.Route, selection.Channel, selection.AccountId, cancellationToken).ConfigureAwait(false);
        var found = new List<OutboxEntry>();
        (long, Guid)? after = null;
        while (found.Count < limit)
        {
            var page = await store.QueryOutboxAsync(
                new OutboxQuery
                {
                    Channel = selection.Channel,
                    Account = selection.AccountId?.ToLowerInvariant(),
                    SessionKey = sessionKey,
                    Error = selection.Reason,
                    AcceptedBefore = receipts.Before(method, selection.OlderThanMs),
                    States = Ended,
                    After = after,
                    Limit = Math.Min(Page, limit - found.Count),
                    HeadersOnly = true,
                },
                cancellationToken).ConfigureAwait(false);
            if (page.Count == 0) break;
            found.AddRange(page);
            after = (page[^1].AcceptedAt, page[^1].Id);
        }

        return found;
    }

    private async ValueTask<AuditResult> AuditAsync(AuditParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        if (parameters.Limit is < 1 or > 1000) throw BridgeException.Invalid("deadLetters.audit: params.limit must be 1 to 1000.");
        var records = await store.ListRecordsAsync(DeadLetterAudit.Namespace, index: null, after: null, parameters.Limit, cancellationToken).ConfigureAwait(false);
        return new AuditResult([.. records.Select(record => JsonSerializer.Deserialize(record.Value.Span, ReceiptsJson.Default.AuditLine)!)]);
    }

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

    [LoggerMessage(2401, LogLevel.Information, "{Method}: {Count} dead letters by {Caller} ({Door}).")]
    private static partial void LogChanged(ILogger logger, string method, int count, string caller, Door door);
}
