using System.Text.Json;

namespace ChannelBridge.A2A;

/// <summary>What an agent says of itself, and where it answers.</summary>
public sealed record AgentCard
{
    /// <summary>Its name.</summary>
    public string Name { get; init => field = value ?? ""; } = "";

    /// <summary>What it is for.</summary>
    public string Description { get; init => field = value ?? ""; } = "";

    /// <summary>Where it answers, the one it likes best first.</summary>
    public IReadOnlyList<AgentInterface> SupportedInterfaces { get; init => field = value ?? []; } = [];

    /// <summary>Who runs it.</summary>
    public AgentProvider? Provider { get; init; }

    /// <summary>The agent's own version.</summary>
    public string Version { get; init => field = value ?? ""; } = "";

    /// <summary>Where its documentation is.</summary>
    public string? DocumentationUrl { get; init; }

    /// <summary>What it can do of what the protocol leaves open.</summary>
    public AgentCapabilities Capabilities { get; init => field = value ?? new(); } = new();

    /// <summary>How a client may prove itself, by name.</summary>
    public IReadOnlyDictionary<string, SecurityScheme>? SecuritySchemes { get; init; }

    /// <summary>Which of these are needed: any one of the list.</summary>
    public IReadOnlyList<SecurityRequirement>? SecurityRequirements { get; init; }

    /// <summary>The media types that it takes.</summary>
    public IReadOnlyList<string> DefaultInputModes { get; init => field = value ?? []; } = [];

    /// <summary>The media types that it gives.</summary>
    public IReadOnlyList<string> DefaultOutputModes { get; init => field = value ?? []; } = [];

    /// <summary>What it can do.</summary>
    public IReadOnlyList<AgentSkill> Skills { get; init => field = value ?? []; } = [];

    /// <summary>Signatures of the card (JWS), kept as they are.</summary>
    public IReadOnlyList<CardSignature>? Signatures { get; init; }

    /// <summary>Its picture.</summary>
    public string? IconUrl { get; init; }
}

/// <summary>A place where an agent answers, and by which words.</summary>
public sealed record AgentInterface
{
    /// <summary>The address.</summary>
    public string Url { get; init => field = value ?? ""; } = "";

    /// <summary>One of <see cref="Bindings"/>, or another that this library doesn't speak.</summary>
    public string ProtocolBinding { get; init => field = value ?? ""; } = "";

    /// <summary>What to name as the tenant in requests.</summary>
    public string? Tenant { get; init; }

    /// <summary>The version, <c>Major.Minor</c>.</summary>
    public string ProtocolVersion { get; init => field = value ?? ""; } = "";
}

/// <summary>The names of the transports.</summary>
public static class Bindings
{
    /// <summary>JSON-RPC 2.0 over HTTP.</summary>
    public const string JsonRpc = "JSONRPC";

    /// <summary>Plain HTTP with JSON.</summary>
    public const string Rest = "HTTP+JSON";
}

/// <summary>Who runs an agent.</summary>
public sealed record AgentProvider
{
    /// <summary>Its site.</summary>
    public string Url { get; init => field = value ?? ""; } = "";

    /// <summary>Its name.</summary>
    public string Organization { get; init => field = value ?? ""; } = "";
}

/// <summary>What an agent can do of what the protocol leaves open.</summary>
public sealed record AgentCapabilities
{
    /// <summary>Streams events.</summary>
    public bool? Streaming { get; init; }

    /// <summary>Sends push notifications.</summary>
    public bool? PushNotifications { get; init; }

    /// <summary>Extensions of the protocol.</summary>
    public IReadOnlyList<AgentExtension>? Extensions { get; init; }

    /// <summary>Has another card for those who are known.</summary>
    public bool? ExtendedAgentCard { get; init; }
}

/// <summary>An extension of the protocol.</summary>
public sealed record AgentExtension
{
    /// <summary>Its name.</summary>
    public string Uri { get; init => field = value ?? ""; } = "";

    /// <summary>How the agent uses it.</summary>
    public string? Description { get; init; }

    /// <summary>True when a client must know it.</summary>
    public bool Required { get; init; }

    /// <summary>Its settings: a JSON object.</summary>
    public JsonElement? Params { get; init; }
}

/// <summary>Something that an agent can do.</summary>
public sealed record AgentSkill
{
    /// <summary>Its id.</summary>
    public string Id { get; init => field = value ?? ""; } = "";

    /// <summary>Its name.</summary>
    public string Name { get; init => field = value ?? ""; } = "";

    /// <summary>What it is.</summary>
    public string Description { get; init => field = value ?? ""; } = "";

    /// <summary>Key words.</summary>
    public IReadOnlyList<string> Tags { get; init => field = value ?? []; } = [];

    /// <summary>What one might ask.</summary>
    public IReadOnlyList<string>? Examples { get; init; }

    /// <summary>The media types that it takes, where they aren't the agent's.</summary>
    public IReadOnlyList<string>? InputModes { get; init; }

    /// <summary>The media types that it gives, where they aren't the agent's.</summary>
    public IReadOnlyList<string>? OutputModes { get; init; }

    /// <summary>Which proofs it needs, where they aren't the agent's.</summary>
    public IReadOnlyList<SecurityRequirement>? SecurityRequirements { get; init; }
}

/// <summary>A signature of a card.</summary>
public sealed record CardSignature
{
    /// <summary>The protected header, base64url.</summary>
    public string Protected { get; init => field = value ?? ""; } = "";

    /// <summary>The signature, base64url.</summary>
    public string Signature { get; init => field = value ?? ""; } = "";

    /// <summary>The unprotected header: a JSON object.</summary>
    public JsonElement? Header { get; init; }
}
