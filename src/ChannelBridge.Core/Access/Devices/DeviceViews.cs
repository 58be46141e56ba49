using System.Text.Json.Serialization;

namespace ChannelBridge.Core.Access.Devices;

/// <summary>Nothing.</summary>
public sealed record DeviceListParameters;

/// <summary>The devices.</summary>
/// <param name="Pending">Requests that wait for an operator, the oldest first.</param>
/// <param name="Paired">Devices that are approved, by id.</param>
public sealed record DeviceListResult(IReadOnlyList<DeviceRequestView> Pending, IReadOnlyList<DeviceView> Paired);

/// <summary>A request that is meant.</summary>
/// <param name="RequestId">Its id.</param>
public sealed record DeviceRequestParameters(string RequestId);

/// <summary>A request was approved.</summary>
/// <param name="RequestId">Its id.</param>
/// <param name="Device">The device as it is now.</param>
public sealed record DeviceApproveResult(string RequestId, DeviceView Device);

/// <summary>A request was rejected.</summary>
/// <param name="RequestId">Its id.</param>
/// <param name="DeviceId">The device.</param>
public sealed record DeviceRejectResult(string RequestId, string DeviceId);

/// <summary>A device that is meant.</summary>
/// <param name="DeviceId">Its id.</param>
public sealed record DeviceParameters(string DeviceId);

/// <summary>A device was removed.</summary>
/// <param name="DeviceId">Its id.</param>
public sealed record DeviceRemoveResult(string DeviceId);

/// <summary>A device is to be called something.</summary>
/// <param name="DeviceId">Its id.</param>
/// <param name="Label">The operator's name for it, 1 to 64 characters.</param>
public sealed record DeviceRenameParameters(string DeviceId, string Label);

/// <summary>A device is called something.</summary>
/// <param name="DeviceId">Its id.</param>
/// <param name="Label">The operator's name for it.</param>
public sealed record DeviceRenameResult(string DeviceId, string Label);

/// <summary>A device's token that is to be replaced.</summary>
/// <param name="DeviceId">The device.</param>
/// <param name="Role">The role, or absent: <c>operator</c>, the only one there is.</param>
/// <param name="Scopes">What the next one is to allow, or absent: the same.</param>
public sealed record DeviceRotateParameters(string DeviceId, string? Role = null, IReadOnlyList<string>? Scopes = null);

/// <summary>A device's token was replaced.</summary>
/// <param name="DeviceId">The device.</param>
/// <param name="Role">The role.</param>
/// <param name="Scopes">What the next one allows.</param>
/// <param name="RotatedAtMs">When (Unix ms).</param>
/// <param name="TokenDelivery"><c>in-band</c>: it stands here; <c>next-connect</c>: the device gets it with its next connection by an access token.</param>
/// <param name="Token">The token, for the device itself only, this once.</param>
public sealed record DeviceRotateResult(string DeviceId, string Role, IReadOnlyList<string> Scopes, long RotatedAtMs, string TokenDelivery, string? Token = null)
{
    /// <inheritdoc/>
    public override string ToString() => DeviceId;
}

/// <summary>A device's token that is to end.</summary>
/// <param name="DeviceId">The device.</param>
/// <param name="Role">The role, or absent: <c>operator</c>, the only one there is.</param>
public sealed record DeviceRevokeParameters(string DeviceId, string? Role = null);

/// <summary>A device's token has ended.</summary>
/// <param name="DeviceId">The device.</param>
/// <param name="Role">The role.</param>
/// <param name="RevokedAtMs">When (Unix ms).</param>
public sealed record DeviceRevokeResult(string DeviceId, string Role, long RevokedAtMs);

/// <summary>A request as operators see it.</summary>
/// <param name="RequestId">Its id.</param>
/// <param name="DeviceId">The device.</param>
/// <param name="Reason"><c>not-paired</c>, <c>scope-upgrade</c> or <c>metadata-upgrade</c>.</param>
/// <param name="Role">The role that it asks for.</param>
/// <param name="Scopes">The scopes that it asks for.</param>
/// <param name="ClientId">What its client says it is.</param>
/// <param name="ClientMode">The client's mode.</param>
/// <param name="AccessToken">The name of the access token with which it asked; its limits will hold for the device's own, too.</param>
/// <param name="Ts">Since when it waits (Unix ms).</param>
/// <param name="ExpiresAtMs">Until when it waits (Unix ms).</param>
public sealed record DeviceRequestView(
    string RequestId, string DeviceId, string Reason, string Role, IReadOnlyList<string> Scopes, string ClientId, string ClientMode, string AccessToken, long Ts, long ExpiresAtMs)
{
    /// <summary>The client's name for people, or absent.</summary>
    public string? DisplayName { get; init; }

    /// <summary>The platform that it says.</summary>
    public string? Platform { get; init; }

    /// <summary>The family that it says, or absent.</summary>
    public string? DeviceFamily { get; init; }

    /// <summary>Where it connects from, or absent.</summary>
    public string? RemoteIp { get; init; }
}

/// <summary>A device as operators see it.</summary>
/// <param name="DeviceId">Its id: the SHA-256 of its key.</param>
/// <param name="PublicKey">Its key, base64url.</param>
/// <param name="Role">Its role.</param>
/// <param name="Scopes">The scopes that are approved.</param>
/// <param name="ClientId">What its client said it is.</param>
/// <param name="ClientMode">The client's mode.</param>
/// <param name="CreatedAtMs">When it was first approved (Unix ms).</param>
/// <param name="ApprovedAtMs">When it was last approved (Unix ms).</param>
/// <param name="Connected">True when it is connected to the host that answers.</param>
/// <param name="Tokens">Its tokens, one for each role.</param>
public sealed record DeviceView(
    string DeviceId, string PublicKey, string Role, IReadOnlyList<string> Scopes, string ClientId, string ClientMode, long CreatedAtMs, long ApprovedAtMs, bool Connected,
    IReadOnlyList<DeviceTokenView> Tokens)
{
    /// <summary>The client's name for people, or absent.</summary>
    public string? DisplayName { get; init; }

    /// <summary>The operator's name for it, or absent.</summary>
    public string? OperatorLabel { get; init; }

    /// <summary>The platform that it was approved with.</summary>
    public string? Platform { get; init; }

    /// <summary>The family that it was approved with, or absent.</summary>
    public string? DeviceFamily { get; init; }

    /// <summary>Who approved it.</summary>
    public string? ApprovedBy { get; init; }

    internal static DeviceView Of(DeviceRecord record, bool connected) => new(
        record.DeviceId, record.PublicKey, DeviceMethods.Role, record.Scopes, record.ClientId, record.ClientMode, record.CreatedAt, record.ApprovedAt, connected,
        record.Token is { } token ? [DeviceTokenView.Of(token, record.IsTokenDue)] : [])
    {
        DisplayName = record.DisplayName,
        OperatorLabel = record.Label,
        Platform = record.Platform,
        DeviceFamily = string.IsNullOrEmpty(record.DeviceFamily) ? null : record.DeviceFamily,
        ApprovedBy = record.ApprovedBy,
    };
}

/// <summary>A device's token, never its secret.</summary>
/// <param name="Role">The role.</param>
/// <param name="Scopes">What it allows.</param>
/// <param name="CreatedAtMs">When the first one was made (Unix ms).</param>
/// <param name="IsDue">True: the device gets a new one with its next connection by an access token.</param>
public sealed record DeviceTokenView(string Role, IReadOnlyList<string> Scopes, long CreatedAtMs, bool IsDue)
{
    /// <summary>When it was last replaced (Unix ms), or absent.</summary>
    public long? RotatedAtMs { get; init; }

    /// <summary>When it was revoked (Unix ms), or absent.</summary>
    public long? RevokedAtMs { get; init; }

    internal static DeviceTokenView Of(DeviceTokenRecord token, bool isDue) => new(DeviceMethods.Role, token.Scopes, token.CreatedAt, isDue)
    {
        RotatedAtMs = token.RotatedAt == 0 ? null : token.RotatedAt,
        RevokedAtMs = token.RevokedAt == 0 ? null : token.RevokedAt,
    };
}

/// <summary>Source-generated serialisation of the methods' parameters and results.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(DeviceListParameters))]
[JsonSerializable(typeof(DeviceListResult))]
[JsonSerializable(typeof(DeviceRequestParameters))]
[JsonSerializable(typeof(DeviceApproveResult))]
[JsonSerializable(typeof(DeviceRejectResult))]
[JsonSerializable(typeof(DeviceParameters))]
[JsonSerializable(typeof(DeviceRemoveResult))]
[JsonSerializable(typeof(DeviceRenameParameters))]
[JsonSerializable(typeof(DeviceRenameResult))]
[JsonSerializable(typeof(DeviceRotateParameters))]
[JsonSerializable(typeof(DeviceRotateResult))]
[JsonSerializable(typeof(DeviceRevokeParameters))]
[JsonSerializable(typeof(DeviceRevokeResult))]
internal sealed partial class DeviceJson : JsonSerializerContext;
