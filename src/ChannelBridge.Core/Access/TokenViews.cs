using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Core.Access;

/// <summary>Nothing.</summary>
public sealed record TokenListParameters;

/// <summary>The tokens.</summary>
/// <param name="Tokens">By name, those of the settings first.</param>
public sealed record TokenListResult(IReadOnlyList<TokenView> Tokens);

/// <summary>A token that is to be made.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Scopes">Wire names of what it allows.</param>
/// <param name="Channels">The channels that it is limited to, or absent.</param>
/// <param name="Accounts">The accounts that it is limited to, or absent.</param>
/// <param name="Platforms">The platforms that it is limited to, or absent.</param>
/// <param name="Methods">The methods that it is limited to, or absent.</param>
/// <param name="ExpiresAt">When it ends (Unix ms), or absent.</param>
public sealed record TokenAddParameters(
    string Name,
    IReadOnlyList<string> Scopes,
    IReadOnlyList<string>? Channels = null,
    IReadOnlyList<string>? Accounts = null,
    IReadOnlyList<string>? Platforms = null,
    IReadOnlyList<string>? Methods = null,
    long? ExpiresAt = null);

/// <summary>A token and its new secret.</summary>
/// <param name="Token">The token.</param>
/// <param name="Secret">The secret, told this once.</param>
public sealed record TokenMadeResult(TokenView Token, string Secret)
{
    /// <inheritdoc/>
    public override string ToString() => Token.Name;
}

/// <summary>A token that is to have another secret.</summary>
/// <param name="Name">The token.</param>
/// <param name="GraceSeconds">For how long the former secret holds, or absent: 600.</param>
public sealed record TokenRotateParameters(string Name, long? GraceSeconds = null);

/// <summary>A token that is to end.</summary>
/// <param name="Name">The token.</param>
public sealed record TokenRevokeParameters(string Name);

/// <summary>It has ended.</summary>
/// <param name="Revoked">True.</param>
public sealed record TokenRevokeResult(bool Revoked);

/// <summary>Which part of the audit.</summary>
/// <param name="Limit">The newest so many, 1 to 1000, or absent: 100.</param>
public sealed record TokenAuditParameters(int? Limit = null);

/// <summary>The audit.</summary>
/// <param name="Entries">The newest first.</param>
public sealed record TokenAuditResult(IReadOnlyList<TokenAuditView> Entries);

/// <summary>One line of the audit.</summary>
/// <param name="At">When (Unix ms).</param>
/// <param name="Action"><c>refused</c>, <c>made</c>, <c>rotated</c>, <c>revoked</c>, <c>omitted</c>, or <c>device-…</c>.</param>
/// <param name="By">Who did it; of a refused attempt, its address.</param>
/// <param name="Name">The token; of a refused attempt, the identity that it named.</param>
/// <param name="Door">The door of an attempt.</param>
/// <param name="Reason">Why.</param>
public sealed record TokenAuditView(long At, string Action, string? By, string? Name, string? Door, string? Reason);

/// <summary>A token as operators see it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Source"><c>first</c>, <c>settings</c> or <c>store</c>; only the last can be changed here.</param>
/// <param name="Scopes">What it allows.</param>
public sealed record TokenView(string Name, string Source, IReadOnlyList<string> Scopes)
{
    /// <summary>The channels that it is limited to, or absent.</summary>
    public IReadOnlyList<string>? Channels { get; init; }

    /// <summary>The accounts that it is limited to, or absent.</summary>
    public IReadOnlyList<string>? Accounts { get; init; }

    /// <summary>The platforms that it is limited to, or absent.</summary>
    public IReadOnlyList<string>? Platforms { get; init; }

    /// <summary>The methods that it is limited to, or absent.</summary>
    public IReadOnlyList<string>? Methods { get; init; }

    /// <summary>When it ends (Unix ms), or absent.</summary>
    public long? ExpiresAt { get; init; }

    /// <summary>When it was made (Unix ms), where known.</summary>
    public long? CreatedAt { get; init; }

    /// <summary>Who made it, where known.</summary>
    public string? CreatedBy { get; init; }

    /// <summary>When it was last used (Unix ms), where known.</summary>
    public long? LastUsedAt { get; init; }

    /// <summary>Until when its former secret holds (Unix ms), or absent.</summary>
    public long? FormerUntil { get; init; }

    /// <summary>A view of a token.</summary>
    public static TokenView Of(TokenInfo info)
    {
        ArgumentNullException.ThrowIfNull(info);
        return new TokenView(info.Grant.Name, info.Source.ToString().ToLowerInvariant(), info.Grant.Scopes.ToNames())
        {
            Channels = info.Grant.Channels,
            Accounts = info.Grant.Accounts,
            Platforms = info.Grant.Platforms,
            Methods = info.Grant.Methods,
            ExpiresAt = info.Grant.ExpiresAt,
            CreatedAt = info.CreatedAt,
            CreatedBy = info.CreatedBy,
            LastUsedAt = info.LastUsedAt,
            FormerUntil = info.FormerUntil,
        };
    }
}
