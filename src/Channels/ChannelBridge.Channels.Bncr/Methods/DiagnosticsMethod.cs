using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Channels.Bncr.Leases;
using ChannelBridge.Channels.Bncr.Wire;

namespace ChannelBridge.Channels.Bncr.Methods;

/// <summary><c>bncr.diagnostics</c>: an account's state; numbers and ids, never bodies.</summary>
internal sealed class DiagnosticsMethod(BncrAccounts accounts, StatusReporter status)
{
    public ValueTask<DiagnosticsResult> InvokeAsync(LeaseParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(status.Report(accounts.Look(parameters.AccountId, call.Caller)));
    }
}
