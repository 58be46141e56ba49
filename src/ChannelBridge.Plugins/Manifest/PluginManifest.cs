using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChannelBridge.Plugins.Manifest;

/// <summary>A plugin's <c>channelbridge.plugin.json</c>, checked: what it is and what it offers.</summary>
public sealed record PluginManifest
{
    /// <summary>The file's name.</summary>
    public const string FileName = "channelbridge.plugin.json";

    /// <summary>The plugin's name.</summary>
    public required string Id { get; init; }

    /// <summary>The plugin's version.</summary>
    public required string Version { get; init; }

    /// <summary>The version of the plugin protocol that it speaks.</summary>
    public required int Protocol { get; init; }

    /// <summary>What it is, in one sentence.</summary>
    public string? Summary { get; init; }

    /// <summary>Its channels.</summary>
    public required IReadOnlyList<ManifestChannel> Channels { get; init; }

    /// <summary>How its process is started.</summary>
    public required ManifestRun Run { get; init; }

    /// <summary>Its methods.</summary>
    public IReadOnlyList<ManifestMethod> Methods { get; set; } = [];

    /// <summary>Its tools.</summary>
    public IReadOnlyList<ManifestTool> Tools { get; set; } = [];

    /// <summary>Its HTTP endpoints.</summary>
    public IReadOnlyList<ManifestEndpoint> Endpoints { get; set; } = [];

    /// <summary>Its WebSocket endpoints.</summary>
    public IReadOnlyList<ManifestSocket> Sockets { get; set; } = [];

    /// <summary>The events that it may publish.</summary>
    public IReadOnlyList<string> Events { get; set; } = [];

    /// <summary>The JSON Schema of its settings, or null when it has none.</summary>
    public JsonElement? Settings { get; init; }

    /// <summary>What it may do beyond its own channels.</summary>
    public ManifestPermissions Permissions { get; set; } = new();
}

/// <summary>A channel of a plugin.</summary>
public sealed record ManifestChannel
{
    /// <summary>The channel's id.</summary>
    public required string Id { get; init; }

    /// <summary>The name that people see, or null for the id.</summary>
    public string? Label { get; init; }

    /// <summary>False for a channel that only answers.</summary>
    public bool Send { get; set; } = true;

    /// <summary>False for a channel that the OpenClaw gateway isn't to have.</summary>
    public bool Gateway { get; set; } = true;

    /// <summary>The account that is there without being set up, as a gateway shows it.</summary>
    public string Account { get; set; } = "Main";
}

/// <summary>How a plugin's process is started: one of the two.</summary>
public sealed record ManifestRun
{
    /// <summary>An assembly of the folder, for the .NET runtime.</summary>
    public string? Dotnet { get; init; }

    /// <summary>Arguments of the assembly.</summary>
    public IReadOnlyList<string> Arguments { get; set; } = [];

    /// <summary>A program of the folder or of the PATH, and its arguments.</summary>
    public IReadOnlyList<string>? Command { get; init; }
}

/// <summary>A method of a plugin.</summary>
public sealed record ManifestMethod
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>The scope that the caller needs.</summary>
    public required string Scope { get; init; }

    /// <summary>One sentence for people.</summary>
    public required string Summary { get; init; }

    /// <summary>JSON Schema of the parameters, or null for any.</summary>
    public JsonElement? Params { get; init; }

    /// <summary>JSON Schema of the result, or null for any.</summary>
    public JsonElement? Result { get; init; }
}

/// <summary>A tool of a plugin.</summary>
public sealed record ManifestTool
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>What it does, in words for the agent.</summary>
    public required string Summary { get; init; }

    /// <summary>JSON Schema of the arguments, or null for any.</summary>
    public JsonElement? Arguments { get; init; }
}

/// <summary>An HTTP endpoint of a plugin.</summary>
public sealed record ManifestEndpoint
{
    /// <summary>The verbs, in upper case.</summary>
    public required IReadOnlyList<string> Verbs { get; init; }

    /// <summary>The template of its path.</summary>
    public required string Path { get; init; }

    /// <summary>Who is let in: <c>anonymous</c>, <c>plugin</c> (its own check), or the scope that a token needs.</summary>
    public required string Access { get; init; }

    /// <summary><c>listener</c>, <c>own</c> or <c>both</c>.</summary>
    public string Place { get; set; } = "listener";

    /// <summary><c>bytes</c>, or <c>json</c>: other bodies are answered 400.</summary>
    public string Body { get; set; } = "bytes";

    /// <summary>The largest body.</summary>
    public int MaxBodyBytes { get; set; } = 1024 * 1024;

    /// <summary>How often a caller may come, or null.</summary>
    public ManifestRate? Rate { get; init; }

    /// <summary>True where pages of any origin may ask.</summary>
    public bool AnyOrigin { get; init; }
}

/// <summary>A WebSocket endpoint of a plugin.</summary>
public sealed record ManifestSocket
{
    /// <summary>The template of its path.</summary>
    public required string Path { get; init; }

    /// <summary>Who is let in at the handshake, as for <see cref="ManifestEndpoint.Access"/>.</summary>
    public required string Access { get; init; }

    /// <summary><c>listener</c>, <c>own</c> or <c>both</c>.</summary>
    public string Place { get; set; } = "listener";

    /// <summary>The subprotocols that are spoken, the best one first.</summary>
    public IReadOnlyList<string> Subprotocols { get; set; } = [];

    /// <summary>The largest message of a client.</summary>
    public int MaxMessageBytes { get; set; } = 1024 * 1024;

    /// <summary>How often a caller may connect, or null.</summary>
    public ManifestRate? Rate { get; init; }

    /// <summary>True where pages of any origin may connect.</summary>
    public bool AnyOrigin { get; init; }
}

/// <summary>How often one caller may come.</summary>
/// <param name="PerSecond">The lasting rate.</param>
/// <param name="Burst">How many may come at once.</param>
public sealed record ManifestRate(double PerSecond, int Burst);

/// <summary>What a plugin may do beyond its own channels.</summary>
public sealed record ManifestPermissions
{
    /// <summary>Agents that its messages may name.</summary>
    public IReadOnlyList<string> Agents { get; set; } = [];

    /// <summary>Namespaces of records beyond its own.</summary>
    public IReadOnlyList<string> Records { get; set; } = [];
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PluginManifest))]
internal sealed partial class ManifestJson : JsonSerializerContext;
