using System.Text.Json;

namespace ChannelBridge.A2A;

/// <summary>Something that a task has made.</summary>
public sealed record A2AArtifact
{
    /// <summary>Its id, unique in its task.</summary>
    public string ArtifactId { get; init => field = value ?? ""; } = "";

    /// <summary>Its name.</summary>
    public string? Name { get; init; }

    /// <summary>What it is.</summary>
    public string? Description { get; init; }

    /// <summary>Its content.</summary>
    public IReadOnlyList<A2APart> Parts { get; init => field = value ?? []; } = [];

    /// <summary>Whatever else the agent says of it: a JSON object.</summary>
    public JsonElement? Metadata { get; init; }

    /// <summary>The extensions that took part in it.</summary>
    public IReadOnlyList<string>? Extensions { get; init; }
}
