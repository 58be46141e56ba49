using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Core.Access;

/// <summary>A token in the store: its hash and what it allows.</summary>
internal sealed record TokenRecord
{
    /// <summary>The namespace of the tokens.</summary>
    public const string Namespace = "access.tokens";

    public required string Name { get; init; }

    /// <summary>SHA-256, hexadecimal.</summary>
    public required string Hash { get; init; }

    public string? FormerHash { get; init; }

    public long FormerUntil { get; init; }

    public required IReadOnlyList<string> Scopes { get; init; }

    public IReadOnlyList<string>? Channels { get; init; }

    public IReadOnlyList<string>? Accounts { get; init; }

    public IReadOnlyList<string>? Platforms { get; init; }

    public IReadOnlyList<string>? Methods { get; init; }

    public long ExpiresAt { get; init; }

    public long CreatedAt { get; init; }

    public string? CreatedBy { get; init; }

    public TokenGrant ToGrant() => new()
    {
        Name = Name,
        Scopes = Scopes.Aggregate(Abstractions.Access.Scopes.None, (all, name) => all | ScopeNames.Parse(name)),
        Channels = Channels,
        Accounts = Accounts,
        Platforms = Platforms,
        Methods = Methods,
        ExpiresAt = ExpiresAt == 0 ? null : ExpiresAt,
    };

    public static TokenRecord Of(TokenGrant grant, string hash, string by, long now) => new()
    {
        Name = grant.Name,
        Hash = hash,
        Scopes = grant.Scopes.ToNames(),
        Channels = Lower(grant.Channels),
        Accounts = grant.Accounts,
        Platforms = Lower(grant.Platforms),
        Methods = grant.Methods,
        ExpiresAt = grant.ExpiresAt ?? 0,
        CreatedAt = now,
        CreatedBy = by,
    };

    private static IReadOnlyList<string>? Lower(IReadOnlyList<string>? names) => names is null ? null : [.. names.Select(name => name.ToLowerInvariant())];
}

/// <summary>When a token was last used.</summary>
internal sealed record TokenUse(long At)
{
    /// <summary>The namespace; apart from the tokens, so that a use changes no token.</summary>
    public const string Namespace = "access.uses";
}

/// <summary>One line of the audit.</summary>
/// <param name="At">When (Unix ms).</param>
/// <param name="Action"><c>refused</c>, <c>made</c>, <c>rotated</c>, <c>revoked</c>, <c>omitted</c>, or <c>device-…</c>.</param>
/// <param name="By">Who did it; of a refused attempt, its address.</param>
/// <param name="Name">The token; of a refused attempt, the identity that it named.</param>
/// <param name="Door">The door of an attempt.</param>
/// <param name="Reason">Why, or how many of one kind aren't listed.</param>
internal sealed record AccessLine(long At, string Action, string? By, string? Name, string? Door, string? Reason)
{
    /// <summary>The namespace.</summary>
    public const string Namespace = "audit.access";
}

/// <summary>Source-generated serialisation of the records and of the methods' parameters and results.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(TokenListParameters))]
[JsonSerializable(typeof(TokenListResult))]
[JsonSerializable(typeof(TokenAddParameters))]
[JsonSerializable(typeof(TokenMadeResult))]
[JsonSerializable(typeof(TokenRotateParameters))]
[JsonSerializable(typeof(TokenRevokeParameters))]
[JsonSerializable(typeof(TokenRevokeResult))]
[JsonSerializable(typeof(TokenAuditParameters))]
[JsonSerializable(typeof(TokenAuditResult))]
internal sealed partial class AccessJson : JsonSerializerContext;

/// <summary>Source-generated serialisation of what is in the store; members of later versions are passed over.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TokenRecord))]
[JsonSerializable(typeof(TokenUse))]
[JsonSerializable(typeof(AccessLine))]
internal sealed partial class AccessRecordJson : JsonSerializerContext;
