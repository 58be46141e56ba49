using ChannelBridge.Abstractions.Access;
namespace ChannelBridge.Core.Access;

/// <summary>Knows the access tokens. Compares in constant time and never reveals a token.</summary>
public interface ITokenAuthority
{
    /// <summary>The caller that this token stands for, or null. Time doesn't depend on how much of the token was right.</summary>
    Caller? Authenticate(ReadOnlySpan<char> token, Door door);
}
