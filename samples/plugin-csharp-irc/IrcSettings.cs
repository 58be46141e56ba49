using System.Text.Json.Serialization;

namespace IrcSample;

/// <summary>What stands under <c>Plugins:cbirc:Settings</c>; the manifest has its schema.</summary>
public sealed record IrcSettings
{
    /// <summary>Name or address of the server.</summary>
    public required string Server { get; init; }

    /// <summary>The port; null: 6697, or 6667 without TLS.</summary>
    public int? Port { get; init; }

    /// <summary>Whether the connection is encrypted.</summary>
    public bool Tls { get; set; } = true;

    /// <summary>The nick; with <c>_</c> behind it while somebody else has it.</summary>
    public required string Nick { get; init; }

    /// <summary>The server's password, or null.</summary>
    public string? Password { get; init; }

    /// <summary>Rooms to join.</summary>
    public IReadOnlyList<string> Rooms { get; set; } = [];
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(IrcSettings))]
internal sealed partial class IrcJson : JsonSerializerContext;
