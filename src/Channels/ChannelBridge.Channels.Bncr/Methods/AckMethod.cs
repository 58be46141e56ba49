using System.Diagnostics;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Channels.Bncr.Leases;
using ChannelBridge.Channels.Bncr.Wire;

namespace ChannelBridge.Channels.Bncr.Methods;

/// <summary><c>bncr.ack</c>: a client's word about a push. The answer comes when its consequence is on disk.</summary>
internal sealed class AckMethod(BncrAccounts accounts, LeaseTable desk, LeaseContext context, AckingClients ackers, IOutbox outbox)
{
    private const string Missing = "already-acked-or-missing";
    private static readonly TimeSpan LongestRetryAfter = TimeSpan.FromDays(1);

    public async ValueTask<AckReply> InvokeAsync(AckParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        if (InboundValidator.Blank(parameters.MessageId) is not { } text)
        {
            throw Refusals.Invalid("missing-message-id", "messageId is required: the messageId of the push", "messageId required");
        }

        var retryAfter = RetryAfter(parameters.RetryAfterMs);
        var caller = call.Caller;
        var account = accounts.Resolve(parameters.AccountId, caller);
        using var activity = Telemetry.Source.StartActivity("bncr.ack", ActivityKind.Consumer, call.TraceContext);
        activity?.SetTag("messaging.message.id", text);
        desk.EnsureHolder(account, caller);
        var stale = LeaseTable.IsStale(account, parameters.LeaseId, parameters.ConnectionEpoch);
        if (!Guid.TryParse(text, out var id)) return Reply(AckResult.AlreadyAckedOrMissing, stale);

        var known = context.Ledger.TryGet(id, out var push);
        // The ack's own trace is the client's; what it is about is the message's.
        if (known && ActivityContext.TryParse(push.TraceParent, null, isRemote: true, out var trace)) activity?.AddLink(new ActivityLink(trace));
        if (known && !ReferenceEquals(push.Account, account)) throw Mismatch();
        if (known && !LeaseTable.SameHolder(push.Caller, caller)) throw Refusals.Held(account.DisplayId, null);
        if (stale)
        {
            account.Stats.CountStale(StaleKind.Ack, context.Now);
            if (!known || push.ConnectionId != call.Connection.Id)
            {
                Count("stale");
                return new AckReply { Accepted = false, Stale = true, Ignored = true };
            }
        }

        var result = await outbox.AckAsync(
            new Ack(
                id,
                BncrChannel.ChannelId,
                account.DisplayId,
                Ok: parameters.Ok ?? true,
                Fatal: parameters.Fatal ?? false,
                Delivered: parameters.Delivered ?? false,
                Error: parameters.Error,
                RetryAfter: retryAfter),
            cancellationToken: cancellationToken).ConfigureAwait(false);
        if (result is AckResult.AccountMismatch) throw Mismatch();
        if (result is not AckResult.AlreadyAckedOrMissing) await SettledAsync(account, call, id, result).ConfigureAwait(false);
        return Reply(result, stale);
    }

    private async ValueTask SettledAsync(BncrAccount account, MethodCall call, Guid id, AckResult result)
    {
        account.Stats.Acked(context.Now);
        if (result is not (AckResult.WillRetry or AckResult.Held)) context.Ledger.Forget(id);
        BncrSession? session;
        lock (account.Gate) account.Sessions.TryGetValue(call.Connection.Id, out session);
        if (session is not null) await ackers.RememberAsync(session).ConfigureAwait(false);
    }

    private static AckReply Reply(AckResult result, bool stale)
    {
        Count(NameOf(result));
        return new AckReply
        {
            Message = result is AckResult.AlreadyAckedOrMissing ? Missing : null,
            WillRetry = result is AckResult.WillRetry or AckResult.Held,
            Held = result is AckResult.Held ? true : null,
            MovedToDeadLetter = result is AckResult.MovedToDeadLetter,
            Stale = stale,
            StaleAccepted = stale && result is not AckResult.AlreadyAckedOrMissing,
        };
    }

    private static TimeSpan? RetryAfter(long? milliseconds)
    {
        if (milliseconds is not { } value) return null;
        if (value < 0 || value > LongestRetryAfter.TotalMilliseconds)
        {
            throw Refusals.Invalid("invalid-retry-after", $"retryAfterMs must be 0 to {LongestRetryAfter.TotalMilliseconds}");
        }

        return TimeSpan.FromMilliseconds(value);
    }

    private static BridgeException Mismatch() =>
        Refusals.Make(ErrorCodes.Forbidden, "account-mismatch", "the message belongs to another account; nothing was changed", "account mismatch");

    private static string NameOf(AckResult result) => result switch
    {
        AckResult.Acked => "acked",
        AckResult.WillRetry => "will_retry",
        AckResult.Held => "held",
        AckResult.MovedToDeadLetter => "dead",
        AckResult.AccountMismatch => "account_mismatch",
        _ => "missing",
    };

    private static void Count(string outcome) => Telemetry.Acks.Add(1, new KeyValuePair<string, object?>("channelbridge.outcome", outcome));
}
