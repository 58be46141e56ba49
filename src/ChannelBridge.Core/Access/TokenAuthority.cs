using System.Security.Cryptography;
using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Core.Access;

/// <summary>
/// Knows the access tokens by their SHA-256 hashes: those of the settings and those of the store. One is found by its hash and compared in constant time, so the
/// duration of a check tells nothing about a token.
/// </summary>
internal sealed class TokenAuthority : ITokenAuthority
{
    private readonly Lock _gate = new();
    private readonly StoredTokens? _stored;
    private volatile Known _known;

    /// <summary>Takes the tokens of the settings.</summary>
    /// <exception cref="ArgumentException">Two tokens have the same name, or two names the same token.</exception>
    public TokenAuthority(IEnumerable<AccessToken> tokens)
        : this(tokens, null)
    {
    }

    internal TokenAuthority(IEnumerable<AccessToken> tokens, StoredTokens? stored)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        _stored = stored;
        _known = new Known([.. Checked(tokens).Select(token => new Held(token, new CancellationTokenSource()))]);
    }

    /// <summary>The names and rights of the settings' tokens, for diagnostics.</summary>
    public IReadOnlyList<AccessToken> Tokens => [.. _known.Tokens.Select(held => held.Token)];

    /// <summary>Takes the tokens of settings that were read again. What was opened with one that is gone, or that allows something else now, is closed.</summary>
    /// <returns>How many of the former tokens ended.</returns>
    /// <exception cref="ArgumentException">As for the constructor; nothing is changed.</exception>
    public int Replace(IEnumerable<AccessToken> tokens)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        var next = Checked(tokens);
        Held[] ended;
        lock (_gate)
        {
            var former = _known.Tokens;
            Held[] kept = [.. next.Select(token => Array.Find(former, held => held.Token.IsSameAs(token)) ?? new Held(token, new CancellationTokenSource()))];
            ended = [.. former.Except(kept)];
            _known = new Known(kept);
        }

        foreach (var held in ended) held.Ended.Cancel();
        return ended.Length;
    }

    /// <inheritdoc/>
    public Caller? Authenticate(ReadOnlySpan<char> token, Door door)
    {
        if (token.IsEmpty || token.Length > AccessToken.MaxLength) return null;
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        AccessToken.ComputeHash(token, hash);
        if (_known.Table.Find(hash) is not { } held) return _stored?.Find(hash, door);
        var match = held.Token;
        return new Caller(match.Name, match.Scopes, door)
        {
            Accounts = match.Accounts,
            Channels = match.Channels,
            Platforms = match.Platforms,
            Methods = match.Methods,
            Revoked = held.Ended.Token,
        };
    }

    private static AccessToken[] Checked(IEnumerable<AccessToken> tokens)
    {
        AccessToken[] all = [.. tokens];
        for (var i = 0; i < all.Length; i++)
        {
            for (var j = 0; j < i; j++)
            {
                if (string.Equals(all[i].Name, all[j].Name, StringComparison.OrdinalIgnoreCase))
                    throw new ArgumentException($"Two access tokens are named '{all[i].Name}'; give each its own name.", nameof(tokens));
                if (CryptographicOperations.FixedTimeEquals(all[i].HashBytes, all[j].HashBytes))
                    throw new ArgumentException($"The access tokens '{all[j].Name}' and '{all[i].Name}' are the same; a caller could be either.", nameof(tokens));
            }
        }

        return all;
    }

    /// <summary>A token of the settings, and what ends with it. The source isn't disposed: connections may still hold its token.</summary>
    private sealed record Held(AccessToken Token, CancellationTokenSource Ended);

    private sealed class Known(Held[] tokens)
    {
        public Held[] Tokens { get; } = tokens;

        public TokenTable<Held> Table { get; } = new(tokens.Select(held => (held.Token.HashBytes, held)));
    }
}
