namespace ChannelBridge.Abstractions.Access;

/// <summary>What a token is to allow.</summary>
public sealed record TokenGrant
{
    /// <summary>Its name: 1 to 64 letters, digits, <c>.</c>, <c>_</c> and <c>-</c>, unique without case.</summary>
    public required string Name { get; init; }

    /// <summary>What it allows.</summary>
    public required Scopes Scopes { get; init; }

    /// <summary>The channels that it is limited to; null: every channel.</summary>
    public IReadOnlyList<string>? Channels { get; init; }

    /// <summary>The accounts that it is limited to; null: every account.</summary>
    public IReadOnlyList<string>? Accounts { get; init; }

    /// <summary>The platforms that it is limited to; null: every platform.</summary>
    public IReadOnlyList<string>? Platforms { get; init; }

    /// <summary>The methods that it is limited to, <c>bncr.*</c> for all that begin so; null: every method that its scopes allow.</summary>
    public IReadOnlyList<string>? Methods { get; init; }

    /// <summary>When it ends (Unix ms); null: never.</summary>
    public long? ExpiresAt { get; init; }
}

/// <summary>Where a token comes from.</summary>
public enum TokenSource
{
    /// <summary>The first token.</summary>
    First,

    /// <summary>The settings.</summary>
    Settings,

    /// <summary>The store: it may be changed while the host runs.</summary>
    Store,
}

/// <summary>A token as it is known; its secret never is.</summary>
/// <param name="Grant">What it allows.</param>
/// <param name="Source">Where it comes from.</param>
public sealed record TokenInfo(TokenGrant Grant, TokenSource Source)
{
    /// <summary>When it was made (Unix ms); null where that isn't known.</summary>
    public long? CreatedAt { get; init; }

    /// <summary>Who made it, or null.</summary>
    public string? CreatedBy { get; init; }

    /// <summary>When it was last used (Unix ms), a minute behind; null: not yet, or not known.</summary>
    public long? LastUsedAt { get; init; }

    /// <summary>Until when its former secret holds (Unix ms); null when there is none.</summary>
    public long? FormerUntil { get; init; }
}

/// <summary>A token that was just made, with its secret, which is told this once.</summary>
/// <param name="Info">The token.</param>
/// <param name="Secret">The secret.</param>
public sealed record MadeToken(TokenInfo Info, string Secret)
{
    /// <inheritdoc/>
    public override string ToString() => Info.Grant.Name;
}

/// <summary>
/// The access tokens that live in the store, beside those of the settings. A change holds on every host within a second; connections and streams of a token that is
/// revoked or has expired are closed then.
/// </summary>
public interface ITokenStore
{
    /// <summary>All tokens by name, those of the settings among them.</summary>
    ValueTask<IReadOnlyList<TokenInfo>> ListAsync(CancellationToken cancellationToken = default);

    /// <summary>Makes a token.</summary>
    /// <param name="grant">What it is to allow.</param>
    /// <param name="by">Who makes it, for the audit.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="Errors.BridgeException"><c>INVALID_REQUEST</c>, <c>CONFLICT</c>: there is one of that name, <c>QUOTA_EXCEEDED</c>.</exception>
    ValueTask<MadeToken> AddAsync(TokenGrant grant, string by, CancellationToken cancellationToken = default);

    /// <summary>Gives a token another secret. The former one holds for a while, so that its user can change over.</summary>
    /// <param name="name">The token.</param>
    /// <param name="grace">For how long the former secret holds; null: 10 minutes.</param>
    /// <param name="by">Who does it, for the audit.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <exception cref="Errors.BridgeException"><c>NOT_FOUND</c>, <c>CONFLICT</c>: it is of the settings, or somebody changed it just now.</exception>
    ValueTask<MadeToken> RotateAsync(string name, TimeSpan? grace, string by, CancellationToken cancellationToken = default);

    /// <summary>Ends a token.</summary>
    /// <exception cref="Errors.BridgeException"><c>NOT_FOUND</c>, <c>CONFLICT</c>: it is of the settings.</exception>
    ValueTask RevokeAsync(string name, string by, CancellationToken cancellationToken = default);
}
