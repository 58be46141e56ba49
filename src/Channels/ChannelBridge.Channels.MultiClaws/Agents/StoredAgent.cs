using System.Text.Json.Serialization;

namespace ChannelBridge.Channels.MultiClaws.Agents;

/// <summary>An added agent as it is kept.</summary>
internal sealed record StoredAgent
{
    public required string Url { get; init; }

    public required string Name { get; init; }

    public string? Description { get; init; }

    public IReadOnlyList<string>? Skills { get; init; }

    /// <summary>The key by which it knows us, sealed with the host's key; null: it asks for none.</summary>
    public byte[]? SealedKey { get; init; }

    public long AddedAtMs { get; init; }

    public long LastSeenAtMs { get; init; }
}

/// <summary>Serialization of what is kept.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(StoredAgent))]
internal sealed partial class AgentJson : JsonSerializerContext;
