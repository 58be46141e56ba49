using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Access;

namespace ChannelBridge.Core.Access.Devices;

/// <summary>A device that an operator, or the rule for loopback, has approved.</summary>
internal sealed record DeviceRecord
{
    /// <summary>The namespace; the key is the device's id.</summary>
    public const string Namespace = "access.devices";

    public required string DeviceId { get; init; }

    public required string PublicKey { get; init; }

    public string? DisplayName { get; init; }

    /// <summary>The operator's name for it.</summary>
    public string? Label { get; init; }

    public required string ClientId { get; init; }

    public required string ClientMode { get; init; }

    /// <summary>What it was approved as: another platform or family needs an approval of its own.</summary>
    public string? Platform { get; init; }

    public string? DeviceFamily { get; init; }

    /// <summary>What was approved, by wire names.</summary>
    public required IReadOnlyList<string> Scopes { get; init; }

    /// <summary>The limits of the access token with which it asked; they hold for its own token, too.</summary>
    public DeviceLimits? Limits { get; init; }

    public long CreatedAt { get; init; }

    public long ApprovedAt { get; init; }

    public string? ApprovedBy { get; init; }

    /// <summary>New whenever what the device has opened must end.</summary>
    public required string Epoch { get; init; }

    public DeviceTokenRecord? Token { get; init; }

    /// <summary>True: its next connection with an access token gets a new token of its own. It stays so until one has arrived.</summary>
    public bool IsTokenDue { get; init; }

    [JsonIgnore]
    public Scopes Approved => DeviceScopes.Read(Scopes);
}

/// <summary>The token of a device, as its hash.</summary>
/// <param name="Hash">SHA-256, hexadecimal; null when it is revoked, or withdrawn until the next one.</param>
/// <param name="Scopes">What it allows, by wire names.</param>
/// <param name="CreatedAt">When the first one was made (Unix ms).</param>
internal sealed record DeviceTokenRecord(string? Hash, IReadOnlyList<string> Scopes, long CreatedAt)
{
    /// <summary>The hash of the token before: it holds until the new one has arrived, for an answer may be lost.</summary>
    public string? FormerHash { get; init; }

    public long RotatedAt { get; init; }

    public long RevokedAt { get; init; }
}

/// <summary>What an access token is limited to; null: not limited.</summary>
internal sealed record DeviceLimits(
    IReadOnlyList<string>? Channels, IReadOnlyList<string>? Accounts, IReadOnlyList<string>? Platforms, IReadOnlyList<string>? Methods)
{
    public static DeviceLimits? Of(Caller caller) => caller.Channels is null && caller.Accounts is null && caller.Platforms is null && caller.Methods is null
        ? null
        : new DeviceLimits(List(caller.Channels), List(caller.Accounts), List(caller.Platforms), List(caller.Methods));

    public Caller ApplyTo(Caller caller) => caller with
    {
        Channels = Channels?.ToHashSet(StringComparer.Ordinal),
        Accounts = Accounts?.ToHashSet(StringComparer.Ordinal),
        Platforms = Platforms?.ToHashSet(StringComparer.Ordinal),
        Methods = Methods?.ToHashSet(StringComparer.Ordinal),
    };

    public static bool Same(DeviceLimits? one, DeviceLimits? other) => one is null ? other is null : other is not null
        && Same(one.Channels, other.Channels) && Same(one.Accounts, other.Accounts) && Same(one.Platforms, other.Platforms) && Same(one.Methods, other.Methods);

    private static bool Same(IReadOnlyList<string>? one, IReadOnlyList<string>? other) => one is null ? other is null : other is not null
        && one.SequenceEqual(other, StringComparer.Ordinal);

    private static string[]? List(IReadOnlySet<string>? names) => names is null ? null : [.. names.Order(StringComparer.Ordinal)];
}

/// <summary>What a device asks for and nobody has approved yet.</summary>
internal sealed record DeviceRequest
{
    /// <summary>The namespace; the key is the request's id, indexed by the device's.</summary>
    public const string Namespace = "access.device-requests";

    public required string RequestId { get; init; }

    public required string Reason { get; init; }

    public required DeviceClaim Claim { get; init; }

    public required IReadOnlyList<string> Scopes { get; init; }

    public DeviceLimits? Limits { get; init; }

    /// <summary>The name of the access token with which it asked.</summary>
    public required string Token { get; init; }

    public required long At { get; init; }

    public required long ExpiresAt { get; init; }

    /// <summary>True when it is the same wish: the device isn't told another id for it.</summary>
    public bool IsSameAs(DeviceRequest other) => Reason == other.Reason && Token == other.Token && Claim.IsSameAs(other.Claim)
        && Scopes.SequenceEqual(other.Scopes, StringComparer.Ordinal) && DeviceLimits.Same(Limits, other.Limits);
}

/// <summary>A device that has proven its key, and what its client says of itself.</summary>
/// <param name="DeviceId">The device.</param>
/// <param name="PublicKey">Its key, base64url.</param>
/// <param name="ClientId">The client's id.</param>
/// <param name="ClientMode">The client's mode.</param>
/// <param name="Platform">Its platform, in lower case.</param>
/// <param name="DeviceFamily">Its family, in lower case; empty for none.</param>
internal sealed record DeviceClaim(string DeviceId, string PublicKey, string ClientId, string ClientMode, string Platform, string DeviceFamily)
{
    public string? DisplayName { get; init; }

    public string? Address { get; init; }

    /// <summary>True when it connects from this machine itself.</summary>
    [JsonIgnore]
    public bool IsLoopback { get; init; }

    public bool IsSameAs(DeviceClaim other) => DeviceId == other.DeviceId && ClientId == other.ClientId && ClientMode == other.ClientMode
        && Platform == other.Platform && DeviceFamily == other.DeviceFamily;

    /// <summary>True when it isn't what was approved: a key that was carried to another machine should be seen.</summary>
    public bool DiffersFrom(DeviceRecord record) =>
        (!string.IsNullOrEmpty(record.Platform) && record.Platform != Platform) || (!string.IsNullOrEmpty(record.DeviceFamily) && record.DeviceFamily != DeviceFamily);
}

/// <summary>The scopes that a device can have.</summary>
internal static class DeviceScopes
{
    /// <summary>All of them: the link's role and a peer's are no device's.</summary>
    public const Scopes All = Scopes.Read | Scopes.Write | Scopes.Admin;

    /// <summary>Reads wire names; others are nobody's.</summary>
    public static Scopes Read(IEnumerable<string> names) => names.Aggregate(Scopes.None, (all, name) => all | ScopeNames.Parse(name)) & All;
}

/// <summary>Source-generated serialisation of what is in the store; members of later versions are passed over.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DeviceRecord))]
[JsonSerializable(typeof(DeviceRequest))]
internal sealed partial class DeviceRecordJson : JsonSerializerContext;
