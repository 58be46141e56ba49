namespace ChannelBridge.Protocol.OpenClaw;

/// <summary>The params of <c>connect</c>, the first request of every OpenClaw client (protocol 4).</summary>
public sealed record ConnectParams
{
    /// <summary>The oldest protocol that the client speaks; at least 1.</summary>
    public required int MinProtocol { get; init; }

    /// <summary>The newest protocol that the client speaks; at least 1.</summary>
    public required int MaxProtocol { get; init; }

    /// <summary>What the client is.</summary>
    public required ConnectClient Client { get; init; }

    /// <summary>What the client can do; null when it didn't say.</summary>
    public IReadOnlyList<string>? Caps { get; init; }

    /// <summary>Commands that a node offers.</summary>
    public IReadOnlyList<string>? Commands { get; init; }

    /// <summary>Permissions that a node was given by its system.</summary>
    public IReadOnlyDictionary<string, bool>? Permissions { get; init; }

    /// <summary>The <c>PATH</c> of a node.</summary>
    public string? PathEnv { get; init; }

    /// <summary>The role; null means <c>operator</c>.</summary>
    public string? Role { get; init; }

    /// <summary>The scopes that the client asks for; null or empty when it didn't ask.</summary>
    public IReadOnlyList<string>? Scopes { get; init; }

    /// <summary>The client's device identity.</summary>
    public ConnectDevice? Device { get; init; }

    /// <summary>The client's credentials.</summary>
    public ConnectAuth? Auth { get; init; }

    /// <summary>The client's language.</summary>
    public string? Locale { get; init; }

    /// <summary>The client's user agent.</summary>
    public string? UserAgent { get; init; }
}

/// <summary>What a client says of itself.</summary>
public sealed record ConnectClient
{
    /// <summary>One of <see cref="OpenClawNames.ClientIds"/>.</summary>
    public required string Id { get; init; }

    /// <summary>A name for people.</summary>
    public string? DisplayName { get; init; }

    /// <summary>The client's version.</summary>
    public required string Version { get; init; }

    /// <summary>The client's build; at most 96 characters.</summary>
    public string? BuildId { get; init; }

    /// <summary>The platform, e.g. <c>linux</c>.</summary>
    public required string Platform { get; init; }

    /// <summary>The kind of device.</summary>
    public string? DeviceFamily { get; init; }

    /// <summary>The model of the device.</summary>
    public string? ModelIdentifier { get; init; }

    /// <summary>The IANA time zone; at most 64 characters.</summary>
    public string? TimeZone { get; init; }

    /// <summary>One of <see cref="OpenClawNames.ClientModes"/>.</summary>
    public required string Mode { get; init; }

    /// <summary>Tells instances of the same client apart.</summary>
    public string? InstanceId { get; init; }
}

/// <summary>A device identity: an Ed25519 key and a signature over the connect parameters.</summary>
/// <param name="Id">The SHA-256 of the raw key, hex.</param>
/// <param name="PublicKey">The raw key, base64url.</param>
/// <param name="Signature">The signature, base64url.</param>
/// <param name="SignedAt">When it was signed (Unix milliseconds).</param>
/// <param name="Nonce">The nonce of the challenge.</param>
public sealed record ConnectDevice(string Id, string PublicKey, string Signature, long SignedAt, string Nonce);

/// <summary>Credentials. Never logged.</summary>
public sealed record ConnectAuth
{
    /// <summary>The access token.</summary>
    public string? Token { get; init; }

    /// <summary>A password; the host knows none.</summary>
    public string? Password { get; init; }

    /// <summary>The token of a paired device.</summary>
    public string? DeviceToken { get; init; }

    /// <summary>A set-up code of the gateway; the host issues none.</summary>
    public string? BootstrapToken { get; init; }

    /// <summary>Nothing but the type's name: secrets stay out of logs.</summary>
    public override string ToString() => nameof(ConnectAuth);
}
