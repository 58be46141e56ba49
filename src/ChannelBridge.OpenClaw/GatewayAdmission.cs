using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.OpenClaw;

/// <inheritdoc cref="IGatewayAdmission"/>
internal sealed class GatewayAdmission(LinkSession session) : IGatewayAdmission
{
    public bool IsConnected => session.Current is not null;

    public bool Governs(string channel, string agent) => agent == OpenClawAgent.AgentName && session.Owns(channel);

    public ValueTask<AdmissionDecision> AdmitAsync(IClientConnection connection, AdmissionRequest request, CancellationToken cancellationToken = default) =>
        AdmitAsync(request, cancellationToken);

    public async ValueTask<AdmissionDecision> AdmitAsync(AdmissionRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var answer = await session.Require().CallAsync(
            "link.admit",
            new AdmitParameters
            {
                Channel = request.Channel,
                AccountId = request.AccountId,
                Subject = request.Subject,
                SenderId = request.SenderId,
                ConversationId = request.ConversationId,
                Route = request.Route,
                IsGroup = request.IsGroup,
                IsCommand = request.IsCommand,
            },
            LinkJson.Relaxed.AdmitParameters,
            LinkJson.Relaxed.AdmitResult,
            cancellationToken).ConfigureAwait(false);
        return answer.Decision switch
        {
            "allow" => new AdmissionDecision(AdmissionOutcome.Allow),
            "pairing" => new AdmissionDecision(AdmissionOutcome.Pairing, answer.Reason ?? "pairing required", answer.ReplyText, answer.ReplyKey),
            "block" => new AdmissionDecision(AdmissionOutcome.Block, answer.Reason ?? "blocked by the gateway's policy"),
            // Fail closed, and don't accept what nobody has judged.
            _ => throw new BridgeException(ErrorCodes.Internal, "The plugin returned an unknown decision; update the host or the plugin."),
        };
    }

    public GatewayAccount GetAccount(string channel, string accountId)
    {
        if (session.Find(channel, accountId) is not { } account) return new GatewayAccount { AccountId = accountId };
        return new GatewayAccount
        {
            AccountId = account.AccountId,
            Name = account.Name,
            Enabled = account.Enabled,
            AgentId = account.AgentId ?? "main",
            RequireAck = account.OutboundRequireAck.ValueKind switch
            {
                System.Text.Json.JsonValueKind.True => true,
                System.Text.Json.JsonValueKind.False => false,
                _ => null,
            },
        };
    }
}
