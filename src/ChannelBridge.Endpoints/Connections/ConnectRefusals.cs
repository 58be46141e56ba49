using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Core.Access.Devices;
using ChannelBridge.Protocol.OpenClaw;

namespace ChannelBridge.Endpoints.Connections;

/// <summary>Why a <c>connect</c> was refused.</summary>
/// <param name="Error">What the client is told: the top code says little, <c>details.code</c> says more.</param>
/// <param name="CloseCode">The WebSocket close code.</param>
/// <param name="IsFailedAuthentication">True for a wrong token or device: it is logged and counted.</param>
internal sealed record ConnectRefusal(BridgeException Error, int CloseCode = 1008, bool IsFailedAuthentication = false)
{
    /// <summary>The reason of a wrong token, for the audit.</summary>
    public const string WrongToken = "a wrong or missing token";

    /// <summary>The identity that the attempt named, for the counts and the audit; null for none.</summary>
    public string? Identity { get; init; }

    /// <summary>Why, for the audit.</summary>
    public string Reason { get; init; } = WrongToken;
}

/// <summary>The refusals of a <c>connect</c>, as the gateway says them.</summary>
internal static class ConnectRefusals
{
    private const string NotPaired = "NOT_PAIRED";
    private const string NextSettings = "update_auth_configuration";
    private const string NextCredentials = "update_auth_credentials";
    private const string NextReview = "review_auth_configuration";
    private const string NextWait = "wait_then_retry";
    private const string NextDeviceToken = "retry_with_device_token";

    /// <summary>No common version.</summary>
    public static ConnectRefusal Protocol(ConnectParams connect) => new(
        Invalid("protocol mismatch", new JsonObject
        {
            ["code"] = OpenClawNames.ConnectErrors.ProtocolMismatch,
            ["clientMinProtocol"] = connect.MinProtocol,
            ["clientMaxProtocol"] = connect.MaxProtocol,
            ["expectedProtocol"] = OpenClawNames.Protocol,
        }),
        CloseCode: 1002);

    /// <summary>The settings let devices in only.</summary>
    public static ConnectRefusal DeviceRequired() => new(
        new BridgeException(NotPaired, "device identity required: this host lets in clients with a device key only")
        {
            Details = new JsonObject { ["code"] = OpenClawNames.ConnectErrors.DeviceRequired, ["recommendedNextStep"] = NextSettings },
        });

    /// <summary>The device isn't what it says it is.</summary>
    public static ConnectRefusal WrongDevice(DeviceFault fault, string device) => new(
        Invalid(fault.Message, new JsonObject { ["code"] = fault.Code, ["reason"] = fault.Reason }), IsFailedAuthentication: true)
    {
        Identity = device,
        Reason = fault.Message,
    };

    /// <summary>Too many have failed.</summary>
    public static ConnectRefusal TooMany(BridgeException tooMany) => new(
        new BridgeException(ErrorCodes.InvalidRequest, "unauthorized: too many failed authentication attempts (retry later)")
        {
            Retryable = true,
            RetryAfter = tooMany.RetryAfter,
            Details = Details(OpenClawNames.ConnectErrors.RateLimited, "rate_limited", NextWait),
        });

    /// <summary>The access token isn't one.</summary>
    /// <param name="connect">What was sent.</param>
    /// <param name="canRetry">True when the device has a token of its own that holds.</param>
    public static ConnectRefusal WrongToken(ConnectParams connect, bool canRetry) => new(
        Invalid(
            canRetry ? "unauthorized: gateway token mismatch (retry with the device token)" : "unauthorized: gateway token mismatch (provide gateway auth token)",
            Details(OpenClawNames.ConnectErrors.TokenMismatch, "token_mismatch", canRetry ? NextDeviceToken : NextCredentials, canRetry)),
        IsFailedAuthentication: true)
    {
        Identity = connect.Device?.Id,
    };

    /// <summary>There is no access token; what else was sent isn't one either.</summary>
    public static ConnectRefusal Missing(ConnectParams connect)
    {
        var auth = connect.Auth;
        var (code, reason, message, next) =
            !string.IsNullOrEmpty(auth?.DeviceToken)
            ? (OpenClawNames.ConnectErrors.DeviceTokenMismatch, "device_token_mismatch",
                "unauthorized: device token rejected (provide gateway token)", connect.Device is null ? NextSettings : NextCredentials)
            : !string.IsNullOrEmpty(auth?.Password)
            ? (OpenClawNames.ConnectErrors.PasswordMismatch, "password_mismatch", "unauthorized: this host knows no passwords (provide its token)", NextSettings)
            : !string.IsNullOrEmpty(auth?.BootstrapToken)
            ? (OpenClawNames.ConnectErrors.BootstrapTokenInvalid, "bootstrap_token_invalid",
                "unauthorized: this host takes no setup codes (provide its token)", NextSettings)
            : (OpenClawNames.ConnectErrors.TokenMissing, "token_missing", "unauthorized: gateway token missing (provide gateway auth token)", NextSettings);
        return new ConnectRefusal(Invalid(message, Details(code, reason, next)), IsFailedAuthentication: true) { Identity = connect.Device?.Id };
    }

    /// <summary>The access token has nothing of what was asked for.</summary>
    public static ConnectRefusal NoScope(Caller caller) => new(
        Invalid(
            $"unauthorized: the token has none of the requested scopes; it has {string.Join(", ", (caller.Scopes & ~(Scopes.Link | Scopes.Peer)).ToNames())}",
            Details(OpenClawNames.ConnectErrors.ScopeMismatch, "scope_mismatch", NextReview)),
        IsFailedAuthentication: caller.Scopes.IsPeerOnly());

    /// <summary>The device's token is good, but not for what was asked for.</summary>
    public static ConnectRefusal ScopeMismatch(Scopes owned) => new(
        Invalid(
            $"unauthorized: the device token doesn't cover the requested scopes; it has {string.Join(", ", owned.ToNames())} (connect with the access token to ask for more)",
            Details(OpenClawNames.ConnectErrors.ScopeMismatch, "scope_mismatch", NextReview)));

    /// <summary>An operator must approve first.</summary>
    public static ConnectRefusal Pairing(PairingNeed need, DeviceClaim claim)
    {
        var requirement = need.Reason switch
        {
            PairingNeed.NotPaired => "device is not approved yet",
            PairingNeed.Scope => "device asks for more scopes than are approved",
            _ => "device says another platform or family than was approved",
        };
        var details = new JsonObject { ["code"] = OpenClawNames.ConnectErrors.PairingRequired, ["reason"] = need.Reason };
        if (need.RequestId is { } id) details["requestId"] = id;
        details["remediationHint"] = need.RequestId is null
            ? "Too many requests wait already: approve or reject some with channelbridge devices, then connect again."
            : $"Approve it on the host: channelbridge devices approve {need.RequestId}";
        details["recommendedNextStep"] = NextWait;
        details["retryable"] = true;
        details["pauseReconnect"] = false;
        details["deviceId"] = claim.DeviceId;
        details["requestedRole"] = DeviceMethods.Role;
        details["requestedScopes"] = Names(need.Requested);
        details["approvedRoles"] = need.Reason == PairingNeed.NotPaired ? [] : new JsonArray(DeviceMethods.Role);
        details["approvedScopes"] = Names(need.Approved);
        return new ConnectRefusal(new BridgeException(NotPaired, $"pairing required: {requirement}") { Retryable = true, Details = details });
    }

    /// <summary>The request can't be answered otherwise.</summary>
    public static BridgeException Invalid(string message, JsonObject? details) => new(ErrorCodes.InvalidRequest, message) { Details = details };

    private static JsonArray Names(Scopes scopes) => [.. scopes.ToNames().Select(name => JsonValue.Create(name))];

    private static JsonObject Details(string code, string reason, string next, bool canRetry = false) => new()
    {
        ["code"] = code,
        ["authReason"] = reason,
        ["canRetryWithDeviceToken"] = canRetry,
        ["recommendedNextStep"] = next,
    };
}
