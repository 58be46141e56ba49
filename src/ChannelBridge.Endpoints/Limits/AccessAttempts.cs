using System.Net;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Core.Access;

namespace ChannelBridge.Endpoints.Limits;

/// <summary>Failed attempts of all doors and channels: counted, measured, and told to the audit where there is one.</summary>
internal sealed class AccessAttempts(RateLimits rates, IAccessAudit? audit) : IAccessAttempts
{
    /// <summary>All rates.</summary>
    public RateLimits Rates => rates;

    /// <inheritdoc/>
    public BridgeException? Check(IPAddress? address, string? identity) => rates.CheckAuthentication(address) ?? rates.CheckIdentity(identity);

    /// <inheritdoc/>
    public void Failed(Door door, IPAddress? address, string? identity, string reason)
    {
        rates.AuthenticationFailed(address);
        rates.IdentityFailed(identity);
        Telemetry.AuthFailures.Add(1, new KeyValuePair<string, object?>("channelbridge.door", Telemetry.NameOf(door)));
        audit?.Refused(door, address, identity, reason);
    }
}
