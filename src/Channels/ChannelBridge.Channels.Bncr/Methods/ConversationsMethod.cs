using System.Text.Json;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Bncr.Leases;
using ChannelBridge.Channels.Bncr.Routing;
using ChannelBridge.Channels.Bncr.Wire;

namespace ChannelBridge.Channels.Bncr.Methods;

/// <summary><c>bncr.conversations</c>: who has ever written, as <c>send</c> names them; by account and route, a page at a time.</summary>
internal sealed class ConversationsMethod(BncrAccounts accounts, IRecords records)
{
    private const int Most = 1000;

    public async ValueTask<ConversationsResult> InvokeAsync(ConversationsParams parameters, MethodCall call,
        CancellationToken cancellationToken)
    {
        var limit = parameters.Limit ?? 100;
        if (limit is < 1 or > Most) throw Refusals.Invalid("limit", $"limit must be 1 to {Most}");
        if (parameters.AccountId is null && call.Caller.Accounts is not null)
            throw Refusals.Make(ErrorCodes.Forbidden, "account-not-covered",
                "your access token is limited to accounts; name one of them (accountId)");
        // Keys are account|route: those of an account stand together, behind its name with the bar.
        var prefix = parameters.AccountId is null ? "" : accounts.Look(parameters.AccountId, call.Caller).Key + "|";
        var after = parameters.Cursor is { } cursor && cursor.StartsWith(prefix, StringComparison.Ordinal) ? cursor : prefix.Length > 0
            ? prefix : null;
        var page = await records.ListRecordsAsync(RouteBook.Namespace, null, after, limit, cancellationToken).ConfigureAwait(false);
        var wanted = page.TakeWhile(record => record.Key.StartsWith(prefix, StringComparison.Ordinal)).ToList();
        var more = wanted.Count == limit;
        return new ConversationsResult([.. wanted.Select(record => Read(record, call.Caller)).OfType<Conversation>()], more ? wanted[^1].Key : null);
    }

    private static Conversation? Read(StoreRecord record, Caller caller)
    {
        var known = JsonSerializer.Deserialize(record.Value.Span, BncrJson.Default.KnownRoute);
        return known is not null && BncrRoute.Create(known.Platform, known.GroupId, known.UserId, out _) is { } route
            && caller.MayUsePlatform(route.Platform)
            ? new Conversation(known.AccountId, route.Display, known.SessionKey, known.UpdatedAt)
            : null;
    }
}
