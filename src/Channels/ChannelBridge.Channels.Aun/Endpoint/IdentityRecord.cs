using System.Text.Json.Serialization;

namespace ChannelBridge.Channels.Aun.Endpoint;

/// <summary>An identity as it is kept.</summary>
internal sealed record IdentityRecord
{
    /// <summary>Its AID.</summary>
    public required string Aid { get; init; }

    /// <summary>The public key: base64 of its SPKI.</summary>
    public required string PublicKey { get; init; }

    /// <summary>The certificate in force, PEM.</summary>
    public required string Certificate { get; init; }

    /// <summary>Its serial number in hexadecimal.</summary>
    public required string Serial { get; init; }

    /// <summary>Until when the certificate is valid (Unix ms); 0 in records of before this was kept: the certificate says it.</summary>
    public long EndsAt { get; init; }

    /// <summary>When it was registered (Unix ms).</summary>
    public long CreatedAt { get; init; }

    /// <summary>When it was revoked (Unix ms), or 0.</summary>
    public long RevokedAt { get; init; }

    /// <summary>True: the host holds the key; nobody logs in as it.</summary>
    public bool Held { get; init; }
}

/// <summary>A certificate that was revoked.</summary>
/// <param name="Aid">Whose it was.</param>
/// <param name="At">When (Unix ms).</param>
internal sealed record RevokedRecord(string Aid, long At);

/// <summary>A line of refresh tokens: each is good for one use and gives the next.</summary>
/// <param name="Aid">Whose.</param>
/// <param name="Hash">The SHA-256 of the secret that is good now, base64.</param>
internal sealed record FamilyRecord(string Aid, string Hash);

/// <summary>A code with which an AID may connect, or be registered, once.</summary>
/// <param name="Hash">The SHA-256 of the code, base64.</param>
/// <param name="Until">Until when it is good (Unix ms).</param>
/// <param name="Failures">Wrong codes that were tried.</param>
internal sealed record PairingRecord(string Hash, long Until, int Failures);

/// <summary>Serialization of what is kept.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(IdentityRecord))]
[JsonSerializable(typeof(RevokedRecord))]
[JsonSerializable(typeof(FamilyRecord))]
[JsonSerializable(typeof(PairingRecord))]
internal sealed partial class EndpointJson : JsonSerializerContext;
