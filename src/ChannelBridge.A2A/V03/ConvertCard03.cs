using ChannelBridge.A2A.Json;

namespace ChannelBridge.A2A.V03;

/// <summary>Between the card of 1.0 and a card in 0.3's shape, or in both.</summary>
internal static class ConvertCard03
{
    public static AgentCard From(Card03 card) => new()
    {
        Name = card.Name ?? "",
        Description = card.Description ?? "",
        SupportedInterfaces = Interfaces(card),
        Provider = card.Provider,
        Version = card.Version ?? "",
        DocumentationUrl = card.DocumentationUrl,
        IconUrl = card.IconUrl,
        Capabilities = new AgentCapabilities
        {
            Streaming = card.Capabilities?.Streaming,
            PushNotifications = card.Capabilities?.PushNotifications,
            Extensions = card.Capabilities?.Extensions,
            ExtendedAgentCard = card.Capabilities?.ExtendedAgentCard ?? card.SupportsAuthenticatedExtendedCard,
        },
        SecuritySchemes = card.SecuritySchemes?.Where(static pair => pair.Value is not null).ToDictionary(
            static pair => pair.Key, static pair => Scheme(pair.Value)),
        SecurityRequirements = Requirements(card.Security, card.SecurityRequirements),
        DefaultInputModes = card.DefaultInputModes ?? [],
        DefaultOutputModes = card.DefaultOutputModes ?? [],
        Skills = Check.Map(card.Skills, "skills", Skill) ?? [],
        Signatures = card.Signatures,
    };

    /// <summary>The card for both: the first interface of 0.3 is its <c>url</c>; those of 1.0 stand beside it.</summary>
    public static Card03 To(AgentCard card)
    {
        var old = card.SupportedInterfaces.Where(static place => Versions.Normalise(place.ProtocolVersion) == Versions.V03).ToList();
        var first = old.FirstOrDefault();
        return new Card03
        {
            ProtocolVersion = first is null ? null : "0.3.0",
            Name = card.Name,
            Description = card.Description,
            Url = first?.Url,
            PreferredTransport = first?.ProtocolBinding,
            AdditionalInterfaces = first is null
                ? null
                : [.. old.Select(static place => new Interface03 { Url = place.Url, Transport = place.ProtocolBinding })],
            SupportedInterfaces = card.SupportedInterfaces,
            Provider = card.Provider,
            Version = card.Version,
            DocumentationUrl = card.DocumentationUrl,
            IconUrl = card.IconUrl,
            Capabilities = new Capabilities03
            {
                Streaming = card.Capabilities.Streaming,
                PushNotifications = card.Capabilities.PushNotifications,
                Extensions = card.Capabilities.Extensions,
                ExtendedAgentCard = card.Capabilities.ExtendedAgentCard,
            },
            SecuritySchemes = card.SecuritySchemes?.ToDictionary(static pair => pair.Key, static pair => Scheme(pair.Value)),
            Security = card.SecurityRequirements is { } needed ? Check.Map(needed, Security) : null,
            SecurityRequirements = card.SecurityRequirements,
            DefaultInputModes = card.DefaultInputModes,
            DefaultOutputModes = card.DefaultOutputModes,
            Skills = Check.Map(card.Skills, Skill),
            SupportsAuthenticatedExtendedCard = card.Capabilities.ExtendedAgentCard,
            Signatures = card.Signatures,
        };
    }

    private static List<AgentInterface> Interfaces(Card03 card)
    {
        var places = new List<AgentInterface>();
        foreach (var place in card.SupportedInterfaces ?? [])
        {
            if (place is { Url.Length: > 0 }) places.Add(place with { ProtocolVersion = Versions.Normalise(place.ProtocolVersion) });
        }

        var version = Versions.Normalise(card.ProtocolVersion);
        if (card.Url is { Length: > 0 } url) Add(url, card.PreferredTransport);
        foreach (var place in card.AdditionalInterfaces ?? [])
        {
            if (place is { Url: { Length: > 0 } other }) Add(other, place.Transport);
        }

        return places;

        void Add(string address, string? binding)
        {
            var place = new AgentInterface
            {
                Url = address,
                ProtocolBinding = binding is { Length: > 0 } said ? said : Bindings.JsonRpc,
                ProtocolVersion = version,
            };
            if (
                !places.Exists(
                    known => known.Url == place.Url && known.ProtocolBinding == place.ProtocolBinding && known.ProtocolVersion == version))
            {
                places.Add(place);
            }
        }
    }

    private static AgentSkill Skill(Skill03 skill, string path) => new()
    {
        Id = skill.Id ?? "",
        Name = skill.Name ?? "",
        Description = skill.Description ?? "",
        Tags = skill.Tags ?? [],
        Examples = skill.Examples,
        InputModes = skill.InputModes,
        OutputModes = skill.OutputModes,
        SecurityRequirements = Requirements(skill.Security, skill.SecurityRequirements),
    };

    private static Skill03 Skill(AgentSkill skill) => new()
    {
        Id = skill.Id,
        Name = skill.Name,
        Description = skill.Description,
        Tags = skill.Tags,
        Examples = skill.Examples,
        InputModes = skill.InputModes,
        OutputModes = skill.OutputModes,
        Security = skill.SecurityRequirements is { } needed ? Check.Map(needed, Security) : null,
        SecurityRequirements = skill.SecurityRequirements,
    };

    private static IReadOnlyList<SecurityRequirement>? Requirements(
        IReadOnlyList<IReadOnlyDictionary<string, IReadOnlyList<string>>>? old,
        IReadOnlyList<SecurityRequirement>? current) =>
        current ?? Check.Map(old, "security", static (needed, _) => new SecurityRequirement
        {
            Schemes = needed.ToDictionary(static pair => pair.Key, static pair => new ScopeList { List = pair.Value }),
        });

    private static IReadOnlyDictionary<string, IReadOnlyList<string>> Security(SecurityRequirement needed) =>
        needed.Schemes.ToDictionary(static pair => pair.Key, static pair => pair.Value?.List ?? []);

    private static SecurityScheme Scheme(Scheme03 scheme) => scheme switch
    {
        { Type: "apiKey" } => new SecurityScheme
        {
            ApiKeySecurityScheme = new ApiKeyScheme
            {
                Description = scheme.Description,
                Location = scheme.In ?? "",
                Name = scheme.Name ?? "",
            },
        },
        { Type: "http" } => new SecurityScheme
        {
            HttpAuthSecurityScheme = new HttpAuthScheme
            {
                Description = scheme.Description,
                Scheme = scheme.Scheme ?? "",
                BearerFormat = scheme.BearerFormat,
            },
        },
        { Type: "oauth2" } => new SecurityScheme
        {
            Oauth2SecurityScheme = new OAuth2Scheme
            {
                Description = scheme.Description,
                Flows = scheme.Flows,
                Oauth2MetadataUrl = scheme.Oauth2MetadataUrl,
            },
        },
        { Type: "openIdConnect" } => new SecurityScheme
        {
            OpenIdConnectSecurityScheme = new OpenIdConnectScheme
            {
                Description = scheme.Description,
                OpenIdConnectUrl = scheme.OpenIdConnectUrl ?? "",
            },
        },
        { Type: "mutualTLS" } => new SecurityScheme { MtlsSecurityScheme = new MutualTlsScheme { Description = scheme.Description } },
        _ => new SecurityScheme
        {
            ApiKeySecurityScheme = scheme.ApiKeySecurityScheme,
            HttpAuthSecurityScheme = scheme.HttpAuthSecurityScheme,
            Oauth2SecurityScheme = scheme.Oauth2SecurityScheme,
            OpenIdConnectSecurityScheme = scheme.OpenIdConnectSecurityScheme,
            MtlsSecurityScheme = scheme.MtlsSecurityScheme,
        },
    };

    /// <summary>Both shapes at once: readers of either version find theirs.</summary>
    private static Scheme03 Scheme(SecurityScheme scheme)
    {
        var both = new Scheme03
        {
            ApiKeySecurityScheme = scheme.ApiKeySecurityScheme,
            HttpAuthSecurityScheme = scheme.HttpAuthSecurityScheme,
            Oauth2SecurityScheme = scheme.Oauth2SecurityScheme,
            OpenIdConnectSecurityScheme = scheme.OpenIdConnectSecurityScheme,
            MtlsSecurityScheme = scheme.MtlsSecurityScheme,
        };
        return scheme switch
        {
            { ApiKeySecurityScheme: { } key } =>
                both with { Type = "apiKey", Description = key.Description, In = key.Location, Name = key.Name },
            { HttpAuthSecurityScheme: { } http } =>
                both with { Type = "http", Description = http.Description, Scheme = http.Scheme, BearerFormat = http.BearerFormat },
            { Oauth2SecurityScheme: { } oauth } => both with
            {
                Type = "oauth2",
                Description = oauth.Description,
                Flows = oauth.Flows,
                Oauth2MetadataUrl = oauth.Oauth2MetadataUrl,
            },
            { OpenIdConnectSecurityScheme: { } open } =>
                both with { Type = "openIdConnect", Description = open.Description, OpenIdConnectUrl = open.OpenIdConnectUrl },
            { MtlsSecurityScheme: { } tls } => both with { Type = "mutualTLS", Description = tls.Description },
            _ => both,
        };
    }
}
