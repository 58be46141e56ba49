using System.Text.Json.Serialization;

namespace ChannelBridge.Channels.Juji.Endpoint;

/// <summary>A member as it is kept.</summary>
internal sealed record AgentRecord
{
    /// <summary>Its id, from 1.</summary>
    public required long Id { get; init; }

    /// <summary>Its public key in hexadecimal, lower case, or null.</summary>
    public string? PublicKey { get; init; }

    /// <summary>Its wallet, or null.</summary>
    public string? Wallet { get; init; }

    /// <summary>Its name, or null.</summary>
    public string? Name { get; init; }

    /// <summary>Where it says that it answers itself, or null; nobody is called there.</summary>
    public string? Endpoint { get; init; }

    /// <summary>The SHA-256 of its token in hexadecimal; null for the host's own agent, which doesn't connect.</summary>
    public string? TokenHash { get; init; }

    /// <summary>Tokens that hold for a while yet.</summary>
    public IReadOnlyList<FormerToken> Former { get; init; } = [];

    /// <summary>When it first registered (Unix ms).</summary>
    public long RegisteredAt { get; init; }
}

/// <summary>A token that was replaced.</summary>
/// <param name="Hash">Its SHA-256 in hexadecimal.</param>
/// <param name="Until">Until when it holds (Unix ms).</param>
internal sealed record FormerToken(string Hash, long Until);

/// <summary>What an agent says when it registers.</summary>
internal sealed record RegisterRequest
{
    [JsonPropertyName("public_key")]
    public string? PublicKey { get; init; }

    [JsonPropertyName("wallet_address")]
    public string? Wallet { get; init; }

    [JsonPropertyName("name")]
    public string? Name { get; init; }

    [JsonPropertyName("endpoint")]
    public string? Endpoint { get; init; }
}

/// <summary>Serialization of what is kept and taken.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(AgentRecord))]
[JsonSerializable(typeof(RegisterRequest))]
internal sealed partial class EndpointJson : JsonSerializerContext;
