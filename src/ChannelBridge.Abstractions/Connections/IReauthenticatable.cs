using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Abstractions.Connections;

/// <summary>
/// A connection whose caller may show a better token after it was opened: every JSON-RPC connection. <c>auth.authenticate</c> and
/// <c>link.hello</c> use it after the token authority has accepted the token.
/// </summary>
public interface IReauthenticatable
{
    /// <summary>Replaces the caller. Requests that run already keep the caller that they started with.</summary>
    void SetCaller(Caller caller);
}
