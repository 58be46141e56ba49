using System.Security.Cryptography;
using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Core.Access;

/// <summary>
/// Knows the access tokens by their SHA-256 hashes. Every check compares with every token in constant time, so its duration tells neither how
/// much of a token was right nor which one it was.
/// </summary>
public sealed class TokenAuthority : ITokenAuthority
{
    private readonly AccessToken[] _tokens;

    /// <summary>Takes the tokens; they stay as they are for the life of the authority.</summary>
    /// <exception cref="ArgumentException">Two tokens have the same name, or two names the same token.</exception>
    public TokenAuthority(IEnumerable<AccessToken> tokens)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        _tokens = [.. tokens];
        for (var i = 0; i < _tokens.Length; i++)
        {
            for (var j = 0; j < i; j++)
            {
                if (string.Equals(_tokens[i].Name, _tokens[j].Name, StringComparison.OrdinalIgnoreCase))
                    throw new ArgumentException($"Two access tokens are named '{_tokens[i].Name}'; give each its own name.", nameof(tokens));
                if (CryptographicOperations.FixedTimeEquals(_tokens[i].HashBytes, _tokens[j].HashBytes))
                    throw new ArgumentException(
                        $"The access tokens '{_tokens[j].Name}' and '{_tokens[i].Name}' are the same; a caller could be either.", nameof(tokens));
            }
        }
    }

    /// <summary>The tokens' names and rights, for diagnostics.</summary>
    public IReadOnlyList<AccessToken> Tokens => _tokens;

    /// <inheritdoc/>
    public Caller? Authenticate(ReadOnlySpan<char> token, Door door)
    {
        if (token.IsEmpty || token.Length > AccessToken.MaxLength) return null;
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        AccessToken.ComputeHash(token, hash);
        AccessToken? match = null;
        foreach (var known in _tokens)
        {
            if (CryptographicOperations.FixedTimeEquals(hash, known.HashBytes)) match = known;
        }

        return match is null ? null : new Caller(match.Name, match.Scopes, door) { Accounts = match.Accounts };
    }
}
