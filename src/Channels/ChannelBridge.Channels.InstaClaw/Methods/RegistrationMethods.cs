using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Channels.InstaClaw.Wire;

namespace ChannelBridge.Channels.InstaClaw.Methods;

/// <summary><c>instaclaw.registration.*</c>: what the user's form reads, confirms and cancels. No answer holds a secret.</summary>
internal sealed class RegistrationMethods(AccountBook accounts)
{
    public IEnumerable<RpcMethod> Methods =>
    [
        RpcMethod.Create(
            "instaclaw.registration.get", Scopes.Read, "Where an InstaClaw account's registration stands: the proposal that waits, or the profile.",
            InstaClawJson.Relaxed.AccountParams, InstaClawJson.Relaxed.RegistrationResult, Get),
        RpcMethod.Create(
            "instaclaw.registration.submit", Scopes.Write, "Confirms the proposed registration, with the form's changes, and registers at the platform.",
            InstaClawJson.Relaxed.SubmitParams, InstaClawJson.Relaxed.RegistrationResult, SubmitAsync),
        RpcMethod.Create(
            "instaclaw.registration.cancel", Scopes.Write, "Declines the proposed registration; after a while the agent is asked for another one.",
            InstaClawJson.Relaxed.CancelParams, InstaClawJson.Relaxed.CancelResult, CancelAsync),
    ];

    /// <summary>How an account stands.</summary>
    public static RegistrationResult Describe(InstaClawAccount account)
    {
        var state = account.Registrar.State;
        var profile = account.Files.ReadProfile();
        return new RegistrationResult
        {
            AccountId = account.Id,
            Status = profile is not null ? "registered"
                : state.Submitting ? "submitting"
                : state.Pending is not null ? "pending"
                : state.AgentRunning ? "proposing"
                : "unregistered",
            Connection = account.ConnectionName,
            AgentRunning = state.AgentRunning,
            Proposal = profile is null && state.Pending is { } pending ? ProposalView.Of(pending) : null,
            Profile = profile is null ? null : PublicProfile.Of(profile),
            LastError = account.Files.Problem is { } problem ? $"profile.json: {problem}" : state.LastError,
            NextProposalAt = profile is null ? state.NotBefore?.ToUnixTimeMilliseconds() : null,
        };
    }

    private async ValueTask<RegistrationResult> Get(AccountParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var account = accounts.Look(parameters.AccountId, call.Caller);
        await account.Registrar.LoadAsync(cancellationToken).ConfigureAwait(false);
        return Describe(account);
    }

    private async ValueTask<RegistrationResult> SubmitAsync(SubmitParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var account = accounts.Look(parameters.AccountId, call.Caller);
        await account.Registrar.SubmitAsync(parameters.Fields, parameters.ProposalId, parameters.SessionToken, cancellationToken).ConfigureAwait(false);
        return Describe(account);
    }

    private async ValueTask<CancelResult> CancelAsync(CancelParams parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var account = accounts.Look(parameters.AccountId, call.Caller);
        var cancelled = await account.Registrar.CancelAsync(parameters.ProposalId, cancellationToken).ConfigureAwait(false);
        return new CancelResult(account.Id, cancelled, Describe(account).Status);
    }
}
