using System.Security.Cryptography;
using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Core.Access;

/// <summary>
/// Knows the access tokens by their SHA-256 hashes: those of the settings, which stay as they are, and those of the store. One is found by its hash and compared in
/// constant time, so the duration of a check tells nothing about a token.
/// </summary>
public sealed class TokenAuthority : ITokenAuthority
{
    private readonly AccessToken[] _tokens;
    private readonly TokenTable<AccessToken> _table;
    private readonly StoredTokens? _stored;

    /// <summary>Takes the tokens of the settings; they stay as they are for the life of the authority.</summary>
    /// <exception cref="ArgumentException">Two tokens have the same name, or two names the same token.</exception>
    public TokenAuthority(IEnumerable<AccessToken> tokens)
        : this(tokens, null)
    {
    }

    internal TokenAuthority(IEnumerable<AccessToken> tokens, StoredTokens? stored)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        _stored = stored;
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

        _table = new TokenTable<AccessToken>(_tokens.Select(token => (token.HashBytes, token)));
    }

    /// <summary>The names and rights of the settings' tokens, for diagnostics.</summary>
    public IReadOnlyList<AccessToken> Tokens => _tokens;

    /// <inheritdoc/>
    public Caller? Authenticate(ReadOnlySpan<char> token, Door door)
    {
        if (token.IsEmpty || token.Length > AccessToken.MaxLength) return null;
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        AccessToken.ComputeHash(token, hash);
        var match = _table.Find(hash);
        return match is null
            ? _stored?.Find(hash, door)
            : new Caller(match.Name, match.Scopes, door) { Accounts = match.Accounts, Channels = match.Channels, Platforms = match.Platforms, Methods = match.Methods };
    }
}
