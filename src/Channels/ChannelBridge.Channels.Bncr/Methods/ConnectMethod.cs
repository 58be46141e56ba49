using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Storage;
using ChannelBridge.Channels.Bncr.Leases;
using ChannelBridge.Channels.Bncr.Wire;

namespace ChannelBridge.Channels.Bncr.Methods;

/// <summary><c>bncr.connect</c>: a client becomes its account's primary, and what waits for it is pushed.</summary>
internal sealed class ConnectMethod(
    BncrAccounts accounts, LeaseTable desk, StatusReporter status, IRecords records, IDeliveries deliveries, BncrOptions options, TimeProvider time)
{
    private const long MaxInlineBytes = 16 << 20;

    public async ValueTask<ConnectResult> InvokeAsync(ConnectParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var account = accounts.Resolve(parameters.AccountId, call.Caller);
        var clientId = InboundValidator.ClientId(parameters.ClientId);
        var prefix = EventPrefixes.Choose(call.Caller.Door, parameters.EventPrefix, options.EventPrefix);
        if (LeaseTable.IsStale(account, parameters.LeaseId, parameters.ConnectionEpoch))
        {
            account.Stats.CountStale(StaleKind.Connect, time.GetUtcNow().ToUnixTimeMilliseconds());
        }

        var recorded = accounts.RecordAsync(account);
        ResumeResult? resume;
        BncrSession session;
        try
        {
            resume = await ResumeAsync(account, parameters.LastCursor, cancellationToken).ConfigureAwait(false);
            session = await desk.GrantAsync(account, call, clientId, prefix, parameters.Ack is true, InlineBytes(parameters.InlineMediaBytes),
                cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await recorded.ConfigureAwait(false);
        }

        var (pending, dead) = status.Backlog(account);
        return new ConnectResult
        {
            AccountId = account.DisplayId,
            PushEvent = session.PushEvent,
            Online = true,
            IsPrimary = session.IsPrimary,
            ActiveConnections = account.ActiveConnections,
            Pending = pending,
            DeadLetter = dead,
            Diagnostics = status.Diagnostics(account),
            RuntimeFlags = StatusReporter.Flags(account, session),
            Waiters = status.Waiters(account),
            LeaseId = session.LeaseId,
            ConnectionEpoch = session.Epoch,
            AcceptedAt = session.ConnectedAt,
            ServerPid = Environment.ProcessId,
            BridgeId = status.BridgeId,
            Resume = resume,
            Now = time.GetUtcNow().ToUnixTimeMilliseconds(),
        };
    }

    private static int? InlineBytes(long? asked) => asked switch
    {
        null => null,
        < 0 or > MaxInlineBytes => throw Refusals.Invalid("invalid-inline-media-bytes", $"inlineMediaBytes must be 0 to {MaxInlineBytes}"),
        _ => (int)asked,
    };

    /// <summary>Says what a cursor is good for. It never withholds anything: what is unacked is pushed whatever the cursor says.</summary>
    private async ValueTask<ResumeResult?> ResumeAsync(BncrAccount account, string? lastCursor, CancellationToken cancellationToken)
    {
        if (InboundValidator.Blank(lastCursor) is not { } text) return null;
        if (!PushCursor.TryParse(text, out var cursor)) return new ResumeResult(false, "cursor-malformed");
        if (cursor.Store != records.StoreId) return new ResumeResult(false, "cursor-of-another-store");
        var entry = await deliveries.FindAsync(cursor.MessageId, cancellationToken).ConfigureAwait(false);
        if (entry is not null)
            return entry.Lane.Channel == BncrChannel.ChannelId && entry.Lane.Account == account.Key ? new ResumeResult(true, null)
                : new ResumeResult(false, "cursor-too-old");

        // What was accepted so lately would still be there: the store was restored from a backup of before.
        return cursor.AcceptedAt > (time.GetUtcNow() - deliveries.Retention).ToUnixTimeMilliseconds()
            ? new ResumeResult(false, "cursor-newer-than-store")
            : new ResumeResult(false, "cursor-too-old");
    }
}
