using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Channels.Bncr.Leases;
using ChannelBridge.Channels.Bncr.Routing;
using ChannelBridge.Channels.Bncr.Wire;

namespace ChannelBridge.Channels.Bncr.Methods;

/// <summary><c>bncr.account.forget</c>: takes an account that is used no longer out of the lists, with the conversations that have written to it.</summary>
internal sealed class ForgetMethod(BncrAccounts accounts, StatusReporter status, RouteBook routes)
{
    public async ValueTask<ForgetResult> InvokeAsync(LeaseParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        if (string.IsNullOrWhiteSpace(parameters.AccountId)) throw Refusals.Invalid("account-id", "accountId is missing; it names the account to forget");
        var account = accounts.Look(parameters.AccountId, call.Caller);
        if (account.ActiveConnections > 0)
            throw Refusals.Make(ErrorCodes.Conflict, "account-connected", $"account {account.DisplayId} has a connected client; end it first");
        var (pending, dead) = status.Backlog(account);
        if (pending + dead > 0)
        {
            throw Refusals.Make(
                ErrorCodes.Conflict, "account-not-empty",
                $"account {account.DisplayId} has {pending} messages that wait and {dead} dead letters; deliver, replay or discard them first");
        }

        var conversations = await routes.ForgetAsync(account, cancellationToken).ConfigureAwait(false);
        return new ForgetResult(account.DisplayId, await accounts.ForgetAsync(account).ConfigureAwait(false), conversations);
    }
}
