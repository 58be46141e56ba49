using System.Buffers.Text;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Core.Events;
using ChannelBridge.Protocol;

namespace ChannelBridge.Core.Messaging.Receipts;

/// <summary><c>outbox.get</c> and <c>outbox.list</c>: how far messages to bridges got.</summary>
internal sealed class ReceiptMethods(IStore store, Outbox outbox, RouteFilter routes, AccountNames accounts, TimeProvider time) : IMethodSource
{
    private static readonly DeliveryState[] All = Enum.GetValues<DeliveryState>();

    public IEnumerable<RpcMethod> Methods =>
    [
        RpcMethod.Create(
            "outbox.get",
            Scopes.Read,
            "The receipt of one message to a bridge.",
            ReceiptsJson.Default.MessageIdParameters,
            ReceiptsJson.Default.ReceiptView,
            async (parameters, call, cancel) => View(await GetAsync("outbox.get", parameters, call.Caller, cancel).ConfigureAwait(false))),
        RpcMethod.Create(
            "outbox.list",
            Scopes.Read,
            "Receipts by channel, account, lane, state, reason and age, a page at a time.",
            ReceiptsJson.Default.OutboxListParameters,
            ReceiptsJson.Default.OutboxListResult,
            (parameters, call, cancel) => parameters.Box is null or "outbox"
                ? ListAsync("outbox.list", parameters, StatesOf("outbox.list", parameters, All), call.Caller, cancel)
                : throw BridgeException.Invalid("outbox.list: params.box can only be outbox; deadLetters.list knows inbox.")),
    ];

    public async ValueTask<OutboxEntry> GetAsync(string method, MessageIdParameters parameters, Caller caller, CancellationToken cancellationToken)
    {
        var entry = await store.GetOutboxAsync(ParseId(method, parameters.MessageId), cancellationToken).ConfigureAwait(false);
        return entry is not null && routes.MaySee(caller, entry.Lane) ? entry : throw NoSuchMessage(method, parameters.MessageId);
    }

    public async ValueTask<OutboxListResult> ListAsync(
        string method, OutboxListParameters parameters, IReadOnlyList<DeliveryState> states, Caller caller, CancellationToken cancellationToken)
    {
        var limit = parameters.Limit ?? 100;
        if (limit is < 1 or > 1000) throw BridgeException.Invalid($"{method}: params.limit must be 1 to 1000.");
        var account = Account(method, parameters.Channel, parameters.AccountId, caller);
        var query = new OutboxQuery
        {
            Channel = Blank(parameters.Channel),
            Account = account,
            SessionKey = await routes.ResolveAsync(
                method, Blank(parameters.SessionKey), parameters.Route, Blank(parameters.Channel), account, cancellationToken).ConfigureAwait(false),
            States = states,
            Error = Blank(parameters.Reason),
            AcceptedBefore = Before(method, parameters.OlderThanMs),
            Descending = parameters.NewestFirst,
            Limit = limit,
            After = parameters.Cursor is { } cursor ? ParseCursor(method, cursor) : null,
            HeadersOnly = true,
        };
        var entries = await store.QueryOutboxAsync(query, cancellationToken).ConfigureAwait(false);
        var next = entries.Count == limit ? MakeCursor(entries[^1].AcceptedAt, entries[^1].Id) : null;
        return new OutboxListResult([.. entries.Where(entry => routes.MaySee(caller, entry.Lane)).Select(View)], next);
    }

    public ReceiptView View(OutboxEntry entry) => ReceiptView.Of(entry, accounts.Shown(entry.Lane), entry.Settled ? 0 : outbox.PushedNow(entry));

    public ReceiptView View(InboxEntry entry) => ReceiptView.Of(entry, accounts.Shown(entry.Lane));

    public long Before(string method, long? olderThanMs) => olderThanMs switch
    {
        null => 0,
        < 0 => throw BridgeException.Invalid($"{method}: params.olderThanMs must not be negative."),
        // Never 0, which would mean any age.
        { } age => Math.Max(1, time.GetUtcNow().ToUnixTimeMilliseconds() - age),
    };

    /// <summary>The account to filter by, as it is stored; null for all.</summary>
    /// <exception cref="BridgeException">The caller may not look at it.</exception>
    public string? Account(string method, string? channel, string? accountId, Caller caller)
    {
        var account = accounts.Meant(Blank(channel), accountId);
        if (caller.Accounts is null || (account is not null && caller.MayUseAccount(account))) return account;
        throw new BridgeException(ErrorCodes.Forbidden, $"{method}: this token is limited to accounts; name one of them in params.accountId.");
    }

    /// <summary>An id as a caller wrote it. What can't be one names no message, as an id that isn't known.</summary>
    public static Guid ParseId(string method, string text)
    {
        if (string.IsNullOrWhiteSpace(text)) throw BridgeException.Invalid($"{method}: params.messageId is empty; it is the messageId of a push.");
        return Guid.TryParse(text, out var id) ? id : throw NoSuchMessage(method, text);
    }

    public static IReadOnlyList<DeliveryState> StatesOf(string method, OutboxListParameters parameters, IReadOnlyCollection<DeliveryState> known)
    {
        if (Blank(parameters.State) is not { } one) return [.. (parameters.States ?? []).Select(Parse)];
        return parameters.States is null ? [Parse(one)] : throw BridgeException.Invalid($"{method}: params.state and params.states mean the same; give one of them.");

        DeliveryState Parse(string name) => ReceiptView.StateOf(name) is { } state && known.Contains(state)
            ? state
            : throw BridgeException.Invalid($"{method}: params.states knows {string.Join(", ", known.Select(DeliveryStates.NameOf))}.");
    }

    private static BridgeException NoSuchMessage(string method, string id) =>
        new(ErrorCodes.NotFound, $"{method}: there is no message '{SoundText.Cut(id, 64, "…")}', or its receipt has outlived its retention.");

    private static string? Blank(string? text) => string.IsNullOrWhiteSpace(text) ? null : text;

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
