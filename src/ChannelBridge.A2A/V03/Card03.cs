using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChannelBridge.A2A.V03;

/// <summary>
/// A card in either shape, or in both at once: 0.3's <c>url</c>, <c>preferredTransport</c> and <c>additionalInterfaces</c>, and 1.0's
/// <c>supportedInterfaces</c>. A card that has both serves clients of either version.
/// </summary>
internal sealed record Card03
{
    public string? ProtocolVersion { get; init; }

    public string? Name { get; init; }

    public string? Description { get; init; }

    public string? Url { get; init; }

    public string? PreferredTransport { get; init; }

    public IReadOnlyList<Interface03>? AdditionalInterfaces { get; init; }

    public IReadOnlyList<AgentInterface>? SupportedInterfaces { get; init; }

    public AgentProvider? Provider { get; init; }

    public string? Version { get; init; }

    public string? DocumentationUrl { get; init; }

    public string? IconUrl { get; init; }

    public Capabilities03? Capabilities { get; init; }

    public IReadOnlyDictionary<string, Scheme03>? SecuritySchemes { get; init; }

    public IReadOnlyList<IReadOnlyDictionary<string, IReadOnlyList<string>>>? Security { get; init; }

    public IReadOnlyList<SecurityRequirement>? SecurityRequirements { get; init; }

    public IReadOnlyList<string>? DefaultInputModes { get; init; }

    public IReadOnlyList<string>? DefaultOutputModes { get; init; }

    public IReadOnlyList<Skill03>? Skills { get; init; }

    public bool? SupportsAuthenticatedExtendedCard { get; init; }

    public IReadOnlyList<CardSignature>? Signatures { get; init; }
}

internal sealed record Interface03
{
    public string? Url { get; init; }

    public string? Transport { get; init; }
}

internal sealed record Capabilities03
{
    public bool? Streaming { get; init; }

    public bool? PushNotifications { get; init; }

    public bool? ExtendedAgentCard { get; init; }

    public IReadOnlyList<AgentExtension>? Extensions { get; init; }
}

internal sealed record Skill03
{
    public string? Id { get; init; }

    public string? Name { get; init; }

    public string? Description { get; init; }

    public IReadOnlyList<string>? Tags { get; init; }

    public IReadOnlyList<string>? Examples { get; init; }

    public IReadOnlyList<string>? InputModes { get; init; }

    public IReadOnlyList<string>? OutputModes { get; init; }

    public IReadOnlyList<IReadOnlyDictionary<string, IReadOnlyList<string>>>? Security { get; init; }

    public IReadOnlyList<SecurityRequirement>? SecurityRequirements { get; init; }
}

/// <summary>A scheme: 0.3 tells them apart by <c>type</c>, 1.0 by the member that is there.</summary>
internal sealed record Scheme03
{
    public string? Type { get; init; }

    public string? Description { get; init; }

    public string? In { get; init; }

    public string? Name { get; init; }

    public string? Scheme { get; init; }

    public string? BearerFormat { get; init; }

    public JsonElement? Flows { get; init; }

    public string? Oauth2MetadataUrl { get; init; }

    public string? OpenIdConnectUrl { get; init; }

    public ApiKeyScheme? ApiKeySecurityScheme { get; init; }

    public HttpAuthScheme? HttpAuthSecurityScheme { get; init; }

    public OAuth2Scheme? Oauth2SecurityScheme { get; init; }

    public OpenIdConnectScheme? OpenIdConnectSecurityScheme { get; init; }

    public MutualTlsScheme? MtlsSecurityScheme { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(Card03))]
internal sealed partial class CardJson03 : JsonSerializerContext
{
    public static CardJson03 Relaxed => Holder.Value;

    /// <summary>Made when it is first used: before that the generated part may not be there yet.</summary>
    private static class Holder
    {
        public static readonly CardJson03 Value = new(
            new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, TypeInfoResolver = null });
    }
}
