using System.Net;
using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Core.Access;

/// <summary>Takes down what happens to access: attempts refused, tokens made, rotated, revoked. Never waits and never throws.</summary>
public interface IAccessAudit
{
    /// <summary>An attempt was refused.</summary>
    /// <param name="door">The door.</param>
    /// <param name="address">The remote address, or null.</param>
    /// <param name="identity">The identity that the attempt named, or null.</param>
    /// <param name="reason">Why.</param>
    void Refused(Door door, IPAddress? address, string? identity, string reason);
}
