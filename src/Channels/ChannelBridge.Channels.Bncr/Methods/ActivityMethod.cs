using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Channels.Bncr.Leases;
using ChannelBridge.Channels.Bncr.Wire;

namespace ChannelBridge.Channels.Bncr.Methods;

/// <summary><c>bncr.activity</c>: a sign of life, which also wakes the flush.</summary>
internal sealed class ActivityMethod(BncrAccounts accounts, LeaseTable desk, StatusReporter status, BncrOptions options, TimeProvider time)
{
    public ValueTask<ActivityResult> InvokeAsync(ActivityParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var account = accounts.Resolve(parameters.AccountId, call.Caller);
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        if (LeaseTable.IsStale(account, parameters.LeaseId, parameters.ConnectionEpoch))
        {
            account.Stats.CountStale(StaleKind.Activity, now);
            return ValueTask.FromResult(new ActivityResult { AccountId = account.DisplayId, Accepted = false, Stale = true, Ignored = true });
        }

        var prefix = EventPrefixes.Choose(call.Caller.Door, null, options.EventPrefix);
        var clientId = InboundValidator.ClientId(parameters.ClientId);
        desk.Touch(account, call.Connection, clientId, prefix, parameters.LeaseId, parameters.ConnectionEpoch, parameters.Ack is true);
        account.Stats.CountActivity();
        desk.Wake(account);
        var (pending, dead) = status.Backlog(account);
        return ValueTask.FromResult(new ActivityResult
        {
            AccountId = account.DisplayId,
            ActiveConnections = account.ActiveConnections,
            Pending = pending,
            DeadLetter = dead,
            Now = now,
        });
    }
}
