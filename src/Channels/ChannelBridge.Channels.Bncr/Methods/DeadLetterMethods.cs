using System.Globalization;
using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Bncr.Leases;
using ChannelBridge.Channels.Bncr.Routing;
using ChannelBridge.Channels.Bncr.Wire;
using ChannelBridge.Protocol;
using ChannelBridge.Protocol.Json;

namespace ChannelBridge.Channels.Bncr.Methods;

/// <summary>
/// <c>bncr.deadLetter.inspect</c> and <c>bncr.deadLetter.prune</c>: the existing plugin's names for what <c>deadLetters.*</c> does for every channel. Expired
/// messages count as dead letters here.
/// </summary>
internal sealed class DeadLetterMethods(
    BncrAccounts accounts, LeaseTable desk, IOutbox outbox, IDeliveries deliveries, IDeadLetters? deadLetters, TimeProvider time)
{
    /// <summary>How many of an account's dead letters a call looks at.</summary>
    private const int Cap = 10_000;
    private const int Page = 1000;
    private const int MaxLimit = 100;
    private const int PreviewLength = 24;
    private const string NoPreview = "-";
    private static readonly DeliveryState[] Ended = [DeliveryState.Dead, DeliveryState.Expired];
    private readonly long _startedAt = time.GetUtcNow().ToUnixTimeMilliseconds();

    public async ValueTask<DeadLetterInspectResult> InspectAsync(DeadLetterParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var account = accounts.Look(parameters.AccountId, call.Caller);
        var filters = Filters(parameters);
        var limit = Range(parameters.Limit, 20, MaxLimit, "limit");
        var offset = Range(parameters.Offset, 0, Cap, "offset");
        var all = await ListAsync(account, call.Caller, descending: true, cancellationToken).ConfigureAwait(false);
        var matches = all.Where(entry => Matches(entry, filters)).ToList();
        return new DeadLetterInspectResult
        {
            AccountId = account.DisplayId,
            Filters = filters,
            Total = matches.Count,
            Offset = offset,
            Limit = limit,
            Entries = await DescribeAsync(account, matches.Skip(offset).Take(limit), call.Caller, cancellationToken).ConfigureAwait(false),
            Summary = Summarize(account, all, call.Caller),
            Now = Now,
        };
    }

    public async ValueTask<DeadLetterPruneResult> PruneAsync(DeadLetterPruneParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var account = accounts.Look(parameters.AccountId, call.Caller);
        var filters = Filters(parameters);
        var limit = Range(parameters.Limit, 100, MaxLimit, "limit");
        var dryRun = parameters.DryRun ?? true;
        if (!dryRun)
        {
            // The method itself is open to whoever writes, as it was: it shows. What removes for good is an operator's.
            if (!call.Caller.Scopes.Covers(Scopes.Admin))
                throw Refusals.Make(ErrorCodes.Forbidden, "admin-required", $"dryRun:false removes dead letters for good and needs the scope {ScopeNames.Admin}");
            if (filters is { Reason: null, OlderThan: null })
            {
                throw Refusals.Invalid(
                    "filter-required", "dryRun:false needs a filter: reason, or olderThan, or both", "deadLetter-prune-requires-filter");
            }

            desk.EnsureHolder(account, call.Caller);
        }

        var all = await ListAsync(account, call.Caller, descending: false, cancellationToken).ConfigureAwait(false);
        var matches = all.Where(entry => Matches(entry, filters)).ToList();
        var selected = matches.Take(limit).ToList();
        // Described while they are there.
        var described = await DescribeAsync(account, selected, call.Caller, cancellationToken).ConfigureAwait(false);
        var pruned = 0;
        if (!dryRun)
        {
            foreach (var entry in selected)
            {
                if (await DiscardAsync(entry, call, cancellationToken).ConfigureAwait(false)) pruned++;
            }

            all = await ListAsync(account, call.Caller, descending: false, cancellationToken).ConfigureAwait(false);
        }

        return new DeadLetterPruneResult
        {
            DryRun = dryRun,
            AccountId = account.DisplayId,
            Filters = filters,
            Matched = matches.Count,
            Pruned = pruned,
            WouldPrune = selected.Count,
            Limit = limit,
            Entries = described,
            Summary = Summarize(account, all, call.Caller),
            Now = Now,
        };
    }

    private long Now => time.GetUtcNow().ToUnixTimeMilliseconds();

    private ValueTask<bool> DiscardAsync(Delivery entry, MethodCall call, CancellationToken cancellationToken) =>
        deadLetters?.DiscardAsync(entry.Id, call.Caller, cancellationToken)
        ?? throw BridgeException.Unavailable("dead letters can't be removed in this host");

    private async ValueTask<List<Delivery>> ListAsync(BncrAccount account, Caller caller, bool descending, CancellationToken cancellationToken)
    {
        var found = new List<Delivery>();
        (long, Guid)? after = null;
        while (found.Count < Cap)
        {
            var page = await deliveries.ListAsync(
                new OutboxQuery
                {
                    Channel = BncrChannel.ChannelId,
                    Account = account.Key,
                    States = Ended,
                    Descending = descending,
                    After = after,
                    Limit = Page,
                    HeadersOnly = true,
                },
                cancellationToken).ConfigureAwait(false);
            found.AddRange(caller.Platforms is null ? page : page.Where(entry => MaySee(entry, caller)));
            if (page.Count < Page) break;
            after = (page[^1].AcceptedAt, page[^1].Id);
        }

        return found;
    }

    private async ValueTask<List<DeadLetterEntry>> DescribeAsync(
        BncrAccount account, IEnumerable<Delivery> entries, Caller caller, CancellationToken cancellationToken)
    {
        // A piece of a body is for whom deadLetters.show would show all of it.
        var mayReadText = caller.Scopes.Covers(Scopes.Admin);
        var described = new List<DeadLetterEntry>();
        foreach (var header in entries)
        {
            // Headers don't hold the message; at most a hundred are read.
            if (await deliveries.FindAsync(header.Id, cancellationToken).ConfigureAwait(false) is not { } entry) continue;
            var message = entry.Message;
            described.Add(new DeadLetterEntry
            {
                MessageId = entry.Id.ToString(),
                AccountId = account.DisplayId,
                SessionKey = entry.Lane.SessionKey,
                Route = Target.TryParse(entry.Lane.SessionKey, out var target) ? target.Route.Display : message?.Route ?? "",
                Kind = message?.Type ?? "message",
                CreatedAt = entry.AcceptedAt,
                RetryCount = entry.Attempts,
                LastError = entry.Error,
                TextPreview = mayReadText ? Preview(message?.Text) : NoPreview,
            });
        }

        return described;
    }

    private static bool MaySee(Delivery entry, Caller caller) =>
        Target.TryParse(entry.Lane.SessionKey, out var target) && caller.MayUsePlatform(target.Route.Platform);

    private DeadLetterSummary Summarize(BncrAccount account, List<Delivery> entries, Caller caller) => new(
        entries.Count,
        accounts.All.Where(other => caller.MayUseAccount(other.DisplayId)).Sum(other => outbox.GetBacklog(BncrChannel.ChannelId, other.DisplayId).DeadLetter),
        entries.Count(entry => entry.EndedAt >= _startedAt),
        Cap,
        entries.Count == 0 ? null : entries.Min(entry => entry.AcceptedAt),
        entries.Count == 0 ? null : entries.Max(entry => entry.AcceptedAt),
        [
            .. entries.GroupBy(entry => entry.Error ?? "unknown")
                .Select(group => new ReasonCount(group.Key, group.Count()))
                .OrderByDescending(reason => reason.Count)
                .ThenBy(reason => reason.Reason, StringComparer.Ordinal)
                .Take(5),
        ]);

    private static bool Matches(Delivery entry, DeadLetterFilters filters) =>
        (filters.Reason is null || entry.Error == filters.Reason) && (filters.OlderThan is not { } before || entry.AcceptedAt < before);

    private static DeadLetterFilters Filters(DeadLetterParams parameters) => new(InboundValidator.Blank(parameters.Reason), OlderThan(parameters.OlderThan));

    private static long? OlderThan(JsonElement? value)
    {
        switch (value?.ValueKind)
        {
            case null or JsonValueKind.Null or JsonValueKind.Undefined:
                return null;
            case JsonValueKind.Number when WholeNumbers.TryGet(value.Value, out var number) && number >= 0:
                return number;
            case JsonValueKind.String:
                if (InboundValidator.Blank(value.Value.GetString()) is not { } text) return null;
                if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)) return milliseconds;
                if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date)) return date.ToUnixTimeMilliseconds();
                break;
        }

        throw Refusals.Invalid("invalid-older-than", "olderThan must be Unix milliseconds or a date such as 2026-01-31T00:00:00Z");
    }

    private static int Range(int? value, int fallback, int max, string field)
    {
        if (value is not { } number) return fallback;
        return number >= 0 && number <= max ? number : throw Refusals.Invalid("invalid-" + field, $"{field} must be 0 to {max}");
    }

    /// <summary>One line of the text's beginning, cut between characters.</summary>
    private static string Preview(string? text)
    {
        if (string.IsNullOrWhiteSpace(text)) return NoPreview;
        var head = SoundText.Cut(text, 200);
        var line = string.Join(' ', head.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        var elements = StringInfo.ParseCombiningCharacters(line);
        return elements.Length <= PreviewLength ? line : string.Concat(line.AsSpan(0, elements[PreviewLength - 1]), "…");
    }
}
