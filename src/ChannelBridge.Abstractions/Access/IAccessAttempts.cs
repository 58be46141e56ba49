using System.Net;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Abstractions.Access;

/// <summary>
/// Counts failed attempts to authenticate, for each address and for each identity that an attempt named (a device, an agent's id), and writes one audit record for
/// each. Whoever authenticates by other means than the host's tokens uses it, too. Look at the secret first and ask <see cref="Check"/> only when it is wrong: the
/// right one is never refused for others' failures.
/// </summary>
public interface IAccessAttempts
{
    /// <summary>The error (<c>RATE_LIMITED</c>) for who has failed too often, or null.</summary>
    /// <param name="address">The remote address; null for local doors.</param>
    /// <param name="identity">The identity that the attempt names, or null.</param>
    BridgeException? Check(IPAddress? address, string? identity);

    /// <summary>Counts a failed attempt.</summary>
    /// <param name="door">The door.</param>
    /// <param name="address">The remote address; null for local doors.</param>
    /// <param name="identity">The identity that the attempt named, or null; never a secret.</param>
    /// <param name="reason">Why it failed, in a few words without anything of what was sent.</param>
    void Failed(Door door, IPAddress? address, string? identity, string reason);
}
