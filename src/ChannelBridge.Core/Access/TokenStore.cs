using System.Security.Cryptography;
using System.Text;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Core.Access;

/// <inheritdoc cref="ITokenStore"/>
internal sealed class TokenStore(StoredTokens stored, TokenAuthority settings, AccessAudit audit, AccessOptions options, TimeProvider time) : ITokenStore
{
    private const int MaxNameLength = 64;
    private const int MaxListItems = 256;
    private static readonly TimeSpan MaxGrace = TimeSpan.FromDays(30);

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<TokenInfo>> ListAsync(CancellationToken cancellationToken = default)
    {
        var uses = await stored.ReadUsesAsync(cancellationToken).ConfigureAwait(false);
        var now = Now();
        var list = settings.Tokens.Select(Describe).ToList();
        foreach (var (record, _) in await stored.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            list.Add(Describe(record, uses.GetValueOrDefault(StoredTokens.KeyOf(record.Name)), now));
        return list;
    }

    /// <inheritdoc/>
    public async ValueTask<MadeToken> AddAsync(TokenGrant grant, string by, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(grant);
        Check(grant);
        if (IsOfSettings(grant.Name)) throw Taken(grant.Name);
        if ((await stored.ReadAllAsync(cancellationToken).ConfigureAwait(false)).Count >= options.MostTokens)
            throw new BridgeException(ErrorCodes.QuotaExceeded, $"There are {options.MostTokens} tokens already; revoke some first.");
        var (secret, hash) = MakeSecret();
        var record = TokenRecord.Of(grant, hash, by, Now());
        return await stored.PutAsync(record, 0, audit.Record("made", by, grant.Name, string.Join(", ", grant.Scopes.ToNames())), cancellationToken).ConfigureAwait(false)
            ? new MadeToken(Describe(record, 0, Now()), secret)
            : throw Taken(grant.Name);
    }

    /// <inheritdoc/>
    public async ValueTask<MadeToken> RotateAsync(string name, TimeSpan? grace, string by, CancellationToken cancellationToken = default)
    {
        var held = grace ?? options.Grace;
        if (held < TimeSpan.Zero || held > MaxGrace) throw BridgeException.Invalid("A former secret holds for 0 seconds to 30 days.");
        var (record, version) = await FindAsync(name, cancellationToken).ConfigureAwait(false);
        var (secret, hash) = MakeSecret();
        var former = held > TimeSpan.Zero;
        var next = record with { Hash = hash, FormerHash = former ? record.Hash : null, FormerUntil = former ? Now() + (long)held.TotalMilliseconds : 0 };
        return await stored.PutAsync(next, version, audit.Record("rotated", by, record.Name), cancellationToken).ConfigureAwait(false)
            ? new MadeToken(Describe(next, 0, Now()), secret)
            : throw new BridgeException(ErrorCodes.Conflict, $"Somebody else changed the token '{record.Name}' just now; look at it again.");
    }

    /// <inheritdoc/>
    public async ValueTask RevokeAsync(string name, string by, CancellationToken cancellationToken = default)
    {
        var (record, _) = await FindAsync(name, cancellationToken).ConfigureAwait(false);
        await stored.DeleteAsync(record.Name, audit.Record("revoked", by, record.Name), cancellationToken).ConfigureAwait(false);
    }

    private static TokenInfo Describe(AccessToken token) => new(
        new TokenGrant
        {
            Name = token.Name,
            Scopes = token.Scopes,
            Channels = List(token.Channels),
            Accounts = List(token.Accounts),
            Platforms = List(token.Platforms),
            Methods = List(token.Methods),
        },
        token.Name == AccessToken.FirstName ? TokenSource.First : TokenSource.Settings);

    private static TokenInfo Describe(TokenRecord record, long usedAt, long now) => new(record.ToGrant(), TokenSource.Store)
    {
        CreatedAt = record.CreatedAt,
        CreatedBy = record.CreatedBy,
        LastUsedAt = usedAt == 0 ? null : usedAt,
        FormerUntil = record.FormerHash is not null && record.FormerUntil > now ? record.FormerUntil : null,
    };

    private static List<string>? List(IReadOnlySet<string>? names) => names is null ? null : [.. names.Order(StringComparer.Ordinal)];

    private static (string Secret, string Hash) MakeSecret()
    {
        var secret = "cb_" + Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)).TrimEnd('=').Replace('+', '-').Replace('/', '_');
        return (secret, Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(secret))));
    }

    private static BridgeException Taken(string name) => new(ErrorCodes.Conflict, $"There is a token named '{name}' already; choose another name, or rotate or revoke that one.");

    private void Check(TokenGrant grant)
    {
        if (grant.Name.Length is 0 or > MaxNameLength || !grant.Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'))
            throw BridgeException.Invalid($"A token's name has 1 to {MaxNameLength} letters, digits, '.', '_' and '-'.");
        if (string.Equals(grant.Name, "local", StringComparison.OrdinalIgnoreCase) || string.Equals(grant.Name, AccessToken.FirstName, StringComparison.OrdinalIgnoreCase))
            throw BridgeException.Invalid($"The name '{grant.Name}' is taken by the host itself; choose another.");
        if (grant.Scopes == Scopes.None || (grant.Scopes & ~(Scopes.All | Scopes.Peer)) != Scopes.None)
            throw BridgeException.Invalid("A token has some of the scopes operator.read, operator.write, operator.admin, link and peer.");
        if (grant.ExpiresAt <= Now()) throw BridgeException.Invalid("A token ends in the future.");
        foreach (var list in new[] { grant.Channels, grant.Accounts, grant.Platforms, grant.Methods })
        {
            if (list is not null && (list.Count is 0 or > MaxListItems || list.Any(item => item.Length is 0 or > MaxListItems)))
                throw BridgeException.Invalid($"A limit names 1 to {MaxListItems} items of 1 to {MaxListItems} characters; leave it out for no limit.");
        }
    }

    private async ValueTask<(TokenRecord Record, long Version)> FindAsync(string name, CancellationToken cancellationToken)
    {
        if (await stored.ReadAsync(name, cancellationToken).ConfigureAwait(false) is { } found) return found;
        throw IsOfSettings(name)
            ? new BridgeException(ErrorCodes.Conflict, $"The token '{name}' stands in the settings and is changed there.")
            : new BridgeException(ErrorCodes.NotFound, $"There is no token named '{name}'.");
    }

    private bool IsOfSettings(string name) => settings.Tokens.Any(token => string.Equals(token.Name, name, StringComparison.OrdinalIgnoreCase));

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();
}
