using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Core.Access.Devices;
using ChannelBridge.Identity;
using ChannelBridge.Protocol.OpenClaw;

namespace ChannelBridge.Endpoints.Connections;

/// <summary>Why a <c>connect</c> was refused.</summary>
/// <param name="Error">What the client is told: the top code is always <c>INVALID_REQUEST</c>, <c>details.code</c> says more.</param>
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

/// <summary>Decides about a well-formed <c>connect</c> in the words of the gateway, so that its clients know what to do next.</summary>
internal static class ConnectPolicy
{
    private const string NextSettings = "update_auth_configuration";
    private const string NextCredentials = "update_auth_credentials";

    /// <summary>
    /// Checks protocol, role, device and credentials. A device must be what it says it is; what it may do is what its token may.
    /// </summary>
    /// <returns>The refusal, or null when the client is in.</returns>
    public static ConnectRefusal? Check(
        ConnectParams connect, EndpointRuntime runtime, ConnectionOrigin origin, Challenge challenge, out Caller? caller, out Scopes granted)
    {
        caller = null;
        granted = Scopes.None;
        if (connect.MinProtocol > OpenClawNames.Protocol || connect.MaxProtocol < OpenClawNames.Protocol)
        {
            return new ConnectRefusal(
                Invalid("protocol mismatch", new JsonObject
                {
                    ["code"] = OpenClawNames.ConnectErrors.ProtocolMismatch,
                    ["clientMinProtocol"] = connect.MinProtocol,
                    ["clientMaxProtocol"] = connect.MaxProtocol,
                    ["expectedProtocol"] = OpenClawNames.Protocol,
                }),
                CloseCode: 1002);
        }

        if (connect.Role is not (null or "operator")) return new ConnectRefusal(Invalid("invalid role", null));
        if (connect.Device is not null && CheckDevice(connect, runtime, origin, challenge) is { } wrong) return wrong;
        caller = string.IsNullOrEmpty(connect.Auth?.Token) ? null : runtime.Tokens.Authenticate(connect.Auth.Token, origin.Door);
        if (caller is null)
        {
            // A right token was let in above, whatever others have tried from the same address.
            if (runtime.Attempts.Check(origin.Address, null) is { } tooMany) return TooMany(tooMany);
            if (string.IsNullOrEmpty(connect.Auth?.Token)) return Missing(connect.Auth);
            return new ConnectRefusal(
                Invalid(
                    "unauthorized: gateway token mismatch (provide gateway auth token)",
                    Details(OpenClawNames.ConnectErrors.TokenMismatch, "token_mismatch", NextCredentials)),
                IsFailedAuthentication: true);
        }

        granted = Grant(caller.Scopes & ~(Scopes.Link | Scopes.Peer), connect.Scopes);
        return granted != Scopes.None
            ? null
            : new ConnectRefusal(Invalid(
                $"unauthorized: the token has none of the requested scopes; it has {string.Join(", ", (caller.Scopes & ~(Scopes.Link | Scopes.Peer)).ToNames())}",
                Details(OpenClawNames.ConnectErrors.ScopeMismatch, "scope_mismatch", "review_auth_configuration")),
                IsFailedAuthentication: caller.Scopes.IsPeerOnly());
    }

    private static ConnectRefusal? CheckDevice(ConnectParams connect, EndpointRuntime runtime, ConnectionOrigin origin, Challenge challenge)
    {
        DeviceFault? fault;
        try
        {
            fault = DeviceVerification.Check(connect, challenge);
        }
        catch (IdentityException missing)
        {
            return new ConnectRefusal(new BridgeException(ErrorCodes.Unavailable, $"the device can't be verified: {missing.Message}"));
        }

        if (fault is null) return null;
        // A right signature was let on above, whatever others have tried in the device's name or from its address.
        var device = connect.Device!.Id;
        if (runtime.Attempts.Check(origin.Address, device) is { } tooMany) return TooMany(tooMany);
        return new ConnectRefusal(
            Invalid(fault.Message, new JsonObject { ["code"] = fault.Code, ["reason"] = fault.Reason }),
            IsFailedAuthentication: true)
        {
            Identity = device,
            Reason = fault.Message,
        };
    }

    private static ConnectRefusal TooMany(BridgeException tooMany) =>
        new(new BridgeException(ErrorCodes.InvalidRequest, "unauthorized: too many failed authentication attempts (retry later)")
        {
            Retryable = true,
            RetryAfter = tooMany.RetryAfter,
            Details = Details(OpenClawNames.ConnectErrors.RateLimited, "rate_limited", "wait_then_retry"),
        });

    // What was asked for and the token has; everything it has when nothing was asked for. Scopes of the gateway that the host doesn't know are nobody's.
    private static Scopes Grant(Scopes owned, IReadOnlyList<string>? asked)
    {
        if (asked is not { Count: > 0 }) return owned;
        var granted = Scopes.None;
        foreach (var name in asked)
        {
            var scope = ScopeNames.Parse(name);
            if (scope != Scopes.None && owned.Covers(scope)) granted |= scope;
        }

        return granted;
    }

    private static ConnectRefusal Missing(ConnectAuth? auth)
    {
        var (code, reason, message) =
            !string.IsNullOrEmpty(auth?.Password)
                ? (OpenClawNames.ConnectErrors.PasswordMismatch, "password_mismatch",
                    "unauthorized: this host knows no passwords (provide its token)")
            : !string.IsNullOrEmpty(auth?.BootstrapToken)
            ? (OpenClawNames.ConnectErrors.BootstrapTokenInvalid, "bootstrap_token_invalid",
                "unauthorized: this host takes no setup codes (provide its token)")
            : !string.IsNullOrEmpty(auth?.DeviceToken)
            ? (OpenClawNames.ConnectErrors.DeviceTokenMismatch, "device_token_mismatch",
                "unauthorized: device token rejected (provide gateway token)")
            : (OpenClawNames.ConnectErrors.TokenMissing, "token_missing", "unauthorized: gateway token missing (provide gateway auth token)");
        return new ConnectRefusal(Invalid(message, Details(code, reason, NextSettings)), IsFailedAuthentication: true);
    }

    private static JsonObject Details(string code, string reason, string next) => new()
    {
        ["code"] = code,
        ["authReason"] = reason,
        ["canRetryWithDeviceToken"] = false,
        ["recommendedNextStep"] = next,
    };

    private static BridgeException Invalid(string message, JsonObject? details) => new(ErrorCodes.InvalidRequest, message) { Details = details };
}
