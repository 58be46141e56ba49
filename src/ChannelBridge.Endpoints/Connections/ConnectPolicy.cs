using System.Net;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Core.Access.Devices;
using ChannelBridge.Identity;
using ChannelBridge.Protocol.OpenClaw;

namespace ChannelBridge.Endpoints.Connections;

/// <summary>What was decided about a <c>connect</c>: the client is in, or why not.</summary>
internal sealed record ConnectOutcome
{
    /// <summary>The client, with what was granted; null when it was refused.</summary>
    public Caller? Caller { get; init; }

    /// <summary>How it authenticated, for <c>hello-ok</c>.</summary>
    public string Method { get; init; } = "token";

    /// <summary>The device's part: what the connection relies on, and a new token; null without a device.</summary>
    public DeviceAdmission? Device { get; init; }

    /// <summary>Why it was refused; null when it is in.</summary>
    public ConnectRefusal? Refusal { get; init; }

    /// <summary>A refusal as an outcome.</summary>
    public static implicit operator ConnectOutcome(ConnectRefusal refusal) => new() { Refusal = refusal };
}

/// <summary>Decides about a well-formed <c>connect</c> in the words of the gateway, so that its clients know what to do next.</summary>
internal static class ConnectPolicy
{
    private const Scopes NeverGranted = Scopes.Link | Scopes.Peer;

    /// <summary>
    /// Checks protocol, role, device and credentials. A device must be what it says it is and be approved for what it asks for; it shows an access token, or its own.
    /// </summary>
    public static async ValueTask<ConnectOutcome> CheckAsync(
        ConnectParams connect, EndpointRuntime runtime, ConnectionOrigin origin, Challenge challenge, CancellationToken cancellationToken)
    {
        if (connect.MinProtocol > OpenClawNames.Protocol || connect.MaxProtocol < OpenClawNames.Protocol) return ConnectRefusals.Protocol(connect);
        if (connect.Role is not (null or "operator")) return new ConnectRefusal(ConnectRefusals.Invalid("invalid role", null));
        if (connect.Device is null && runtime.Devices is { Options.Require: true }) return ConnectRefusals.DeviceRequired();
        if (connect.Device is not null && CheckDevice(connect, runtime, origin, challenge) is { } wrong) return wrong;
        var devices = connect.Device is null ? null : runtime.Devices;
        var caller = string.IsNullOrEmpty(connect.Auth?.Token) ? null : runtime.Tokens.Authenticate(connect.Auth.Token, origin.Door);
        if (caller is null)
        {
            if (devices is not null && await ByDeviceTokenAsync(connect, devices, origin, cancellationToken).ConfigureAwait(false) is { } decided) return decided;
            // A right token was let in above, whatever others have tried from the same address.
            if (runtime.Attempts.Check(origin.Address, connect.Device?.Id) is { } tooMany) return ConnectRefusals.TooMany(tooMany);
            if (string.IsNullOrEmpty(connect.Auth?.Token) || !string.IsNullOrEmpty(connect.Auth.DeviceToken)) return ConnectRefusals.Missing(connect);
            var canRetry = devices is not null && await devices.HasTokenAsync(connect.Device!.Id, cancellationToken).ConfigureAwait(false);
            return ConnectRefusals.WrongToken(connect, canRetry);
        }

        var granted = Grant(caller.Scopes & ~NeverGranted, connect.Scopes);
        if (granted == Scopes.None) return ConnectRefusals.NoScope(caller);
        if (devices is null) return new ConnectOutcome { Caller = caller with { Scopes = granted } };
        var claim = Claim(connect, origin);
        return Outcome(await devices.AdmitAsync(claim, caller, granted, cancellationToken).ConfigureAwait(false), claim, "token")!;
    }

    private static async ValueTask<ConnectOutcome?> ByDeviceTokenAsync(
        ConnectParams connect, DevicePairing devices, ConnectionOrigin origin, CancellationToken cancellationToken)
    {
        // Some clients of the gateway send it in the place of the shared token.
        var shown = !string.IsNullOrEmpty(connect.Auth?.DeviceToken) ? connect.Auth.DeviceToken : connect.Auth?.Token;
        if (string.IsNullOrEmpty(shown)) return null;
        var claim = Claim(connect, origin);
        var asked = DeviceScopes.Read(connect.Scopes ?? []);
        return Outcome(await devices.AdmitAsync(claim, shown, asked, origin.Door, cancellationToken).ConfigureAwait(false), claim, "device-token");
    }

    private static ConnectOutcome? Outcome(DeviceAdmission admission, DeviceClaim claim, string method) => admission switch
    {
        { Caller: { } caller } => new ConnectOutcome { Caller = caller, Device = admission, Method = method },
        { Need: { } need } => ConnectRefusals.Pairing(need, claim),
        { Mismatch: { } owned } => ConnectRefusals.ScopeMismatch(owned),
        _ => null,
    };

    private static DeviceClaim Claim(ConnectParams connect, ConnectionOrigin origin) => new(
        connect.Device!.Id, connect.Device.PublicKey.TrimEnd('='), connect.Client.Id, connect.Client.Mode, DeviceProof.Normalize(connect.Client.Platform),
        DeviceProof.Normalize(connect.Client.DeviceFamily))
    {
        DisplayName = connect.Client.DisplayName,
        Address = origin.Address?.ToString(),
        IsLoopback = origin is { Address: { } address, IsForwarded: false } && IPAddress.IsLoopback(address),
    };

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
        return runtime.Attempts.Check(origin.Address, device) is { } tooMany ? ConnectRefusals.TooMany(tooMany) : ConnectRefusals.WrongDevice(fault, device);
    }

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
}
