using System.Buffers.Text;
using ChannelBridge.Core.Access;
using ChannelBridge.Core.Errors;
using ChannelBridge.Core.Methods;
using ChannelBridge.Core.Storage;

namespace ChannelBridge.Core.Messaging.Receipts;

/// <summary><c>outbox.get</c> and <c>outbox.list</c>: how far messages to bridges got.</summary>
internal sealed class ReceiptMethods(IStore store, Outbox outbox, RouteFilter routes, TimeProvider time) : IMethodSource
{
    public IEnumerable<GatewayMethod> Methods =>
    [
        GatewayMethod.Create(
            "outbox.get",
            Scopes.Read,
            "The receipt of one message to a bridge.",
            ReceiptsJson.Default.MessageIdParameters,
            ReceiptsJson.Default.ReceiptView,
            async (parameters, call, cancel) => View(await GetAsync("outbox.get", parameters, call.Caller, cancel).ConfigureAwait(false))),
        GatewayMethod.Create(
            "outbox.list",
            Scopes.Read,
            "Receipts by channel, account, lane, state, reason and age, a page at a time.",
            ReceiptsJson.Default.OutboxListParameters,
            ReceiptsJson.Default.OutboxListResult,
            (parameters, call, cancel) => ListAsync("outbox.list", parameters, StatesOf(parameters), call.Caller, cancel)),
    ];

    public async ValueTask<OutboxEntry> GetAsync(string method, MessageIdParameters parameters, Caller caller, CancellationToken cancellationToken)
    {
        var entry = await store.GetOutboxAsync(ParseId(method, parameters.MessageId), cancellationToken).ConfigureAwait(false);
        if (entry is null || !caller.MayUseAccount(entry.Lane.Account))
        {
            throw new BridgeException(ErrorCodes.NotFound, $"{method}: there is no such message, or its receipt has outlived its retention.");
        }

        return entry;
    }

    public async ValueTask<OutboxListResult> ListAsync(
        string method, OutboxListParameters parameters, IReadOnlyList<DeliveryState> states, Caller caller, CancellationToken cancellationToken)
    {
        var limit = parameters.Limit ?? 100;
        if (limit is < 1 or > 1000) throw BridgeException.Invalid($"{method}: params.limit must be 1 to 1000.");
        RequireAccount(method, parameters.AccountId, caller);
        var query = new OutboxQuery
        {
            Channel = parameters.Channel,
            Account = parameters.AccountId?.ToLowerInvariant(),
            SessionKey = await routes.ResolveAsync(
                method, parameters.SessionKey, parameters.Route, parameters.Channel, parameters.AccountId, cancellationToken).ConfigureAwait(false),
            States = states,
            Error = parameters.Reason,
            AcceptedBefore = Before(method, parameters.OlderThanMs),
            Descending = parameters.NewestFirst,
            Limit = limit,
            After = parameters.Cursor is { } cursor ? ParseCursor(method, cursor) : null,
            HeadersOnly = true,
        };
        var entries = await store.QueryOutboxAsync(query, cancellationToken).ConfigureAwait(false);
        var next = entries.Count == limit ? MakeCursor(entries[^1].AcceptedAt, entries[^1].Id) : null;
        return new OutboxListResult([.. entries.Select(View)], next);
    }

    public ReceiptView View(OutboxEntry entry) => ReceiptView.Of(entry, entry.Settled ? 0 : outbox.PushedNow(entry));

    public long Before(string method, long? olderThanMs) => olderThanMs switch
    {
        null => 0,
        < 0 => throw BridgeException.Invalid($"{method}: params.olderThanMs must not be negative."),
        { } age => time.GetUtcNow().ToUnixTimeMilliseconds() - age,
    };

    public static void RequireAccount(string method, string? accountId, Caller caller)
    {
        if (caller.Accounts is null || (accountId is not null && caller.MayUseAccount(accountId))) return;
        throw new BridgeException(ErrorCodes.Forbidden, $"{method}: this token is limited to accounts; name one of them in params.accountId.");
    }

    public static Guid ParseId(string method, string text) => Guid.TryParse(text, out var id)
        ? id
        : throw BridgeException.Invalid($"{method}: params.messageId must be the messageId of a push, a UUID.");

    private static IReadOnlyList<DeliveryState> StatesOf(OutboxListParameters parameters) =>
        [.. (parameters.States ?? []).Select(name => ReceiptView.StateOf(name)
            ?? throw BridgeException.Invalid("outbox.list: params.states knows accepted, pushed, acked, delivered, expired and dead."))];

    public static string MakeCursor(long at, Guid id)
    {
        Span<byte> bytes = stackalloc byte[24];
        BitConverter.TryWriteBytes(bytes, at);
        id.TryWriteBytes(bytes[8..], bigEndian: true, out _);
        return Base64Url.EncodeToString(bytes);
    }

    public static (long At, Guid Id) ParseCursor(string method, string cursor)
    {
        Span<byte> bytes = stackalloc byte[24];
        if (cursor.Length == 32 && Base64Url.TryDecodeFromChars(cursor, bytes, out var written) && written == bytes.Length)
        {
            return (BitConverter.ToInt64(bytes), new Guid(bytes[8..], bigEndian: true));
        }

        throw BridgeException.Invalid($"{method}: params.cursor isn't one that this method gave.");
    }
}
