using System.Text.Json;

namespace ChannelBridge.A2A;

/// <summary>A way by which a client may prove itself: exactly one of its members is there.</summary>
public sealed record SecurityScheme
{
    /// <summary>A key in a header, a query or a cookie.</summary>
    public ApiKeyScheme? ApiKeySecurityScheme { get; init; }

    /// <summary>The <c>Authorization</c> header.</summary>
    public HttpAuthScheme? HttpAuthSecurityScheme { get; init; }

    /// <summary>OAuth 2.</summary>
    public OAuth2Scheme? Oauth2SecurityScheme { get; init; }

    /// <summary>OpenID Connect.</summary>
    public OpenIdConnectScheme? OpenIdConnectSecurityScheme { get; init; }

    /// <summary>A client's certificate.</summary>
    public MutualTlsScheme? MtlsSecurityScheme { get; init; }
}

/// <summary>A key in a header, a query or a cookie.</summary>
public sealed record ApiKeyScheme
{
    /// <summary>What it is.</summary>
    public string? Description { get; init; }

    /// <summary><c>header</c>, <c>query</c> or <c>cookie</c>.</summary>
    public string Location { get; init => field = value ?? ""; } = "";

    /// <summary>Its name there.</summary>
    public string Name { get; init => field = value ?? ""; } = "";
}

/// <summary>The <c>Authorization</c> header.</summary>
public sealed record HttpAuthScheme
{
    /// <summary>What it is.</summary>
    public string? Description { get; init; }

    /// <summary>Its first word, as <c>bearer</c>.</summary>
    public string Scheme { get; init => field = value ?? ""; } = "";

    /// <summary>What a bearer's token looks like.</summary>
    public string? BearerFormat { get; init; }
}

/// <summary>OAuth 2.</summary>
public sealed record OAuth2Scheme
{
    /// <summary>What it is.</summary>
    public string? Description { get; init; }

    /// <summary>The flows, as both versions write them: a JSON object.</summary>
    public JsonElement? Flows { get; init; }

    /// <summary>Where the server's metadata is.</summary>
    public string? Oauth2MetadataUrl { get; init; }
}

/// <summary>OpenID Connect.</summary>
public sealed record OpenIdConnectScheme
{
    /// <summary>What it is.</summary>
    public string? Description { get; init; }

    /// <summary>Where to discover it.</summary>
    public string OpenIdConnectUrl { get; init => field = value ?? ""; } = "";
}

/// <summary>A client's certificate.</summary>
public sealed record MutualTlsScheme
{
    /// <summary>What it is.</summary>
    public string? Description { get; init; }
}

/// <summary>A set of schemes that are needed together.</summary>
public sealed record SecurityRequirement
{
    /// <summary>Scopes by the scheme's name.</summary>
    public IReadOnlyDictionary<string, ScopeList> Schemes { get; init => field = value ?? new Dictionary<string, ScopeList>(); } =
        new Dictionary<string, ScopeList>();
}

/// <summary>Scopes.</summary>
public sealed record ScopeList
{
    /// <summary>The scopes.</summary>
    public IReadOnlyList<string>? List { get; init; }
}
