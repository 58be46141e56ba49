using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Connections;

namespace ChannelBridge.Tests.Unit.Bncr.Fakes;

/// <summary>A gateway whose decision a test makes.</summary>
internal sealed class FakeAdmission : IGatewayAdmission
{
    public AdmissionDecision Decision { get; set; } = new(AdmissionOutcome.Allow);

    public AdmissionRequest? Asked { get; private set; }

    public GatewayAccount Account { get; set; } = new() { AccountId = "Primary" };

    public ValueTask<AdmissionDecision> AdmitAsync(IClientConnection connection, AdmissionRequest request, CancellationToken cancellationToken = default)
    {
        Asked = request;
        return ValueTask.FromResult(Decision);
    }

    public GatewayAccount GetAccount(string channel, string accountId) => Account;
}
