using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Storage;

namespace ChannelBridge.Core.Access.Devices;

/// <summary>
/// <c>device.pair.list|approve|reject|remove|rename</c> and <c>device.token.rotate|revoke</c>. Who has <c>operator.admin</c> and no limits manages all devices, anybody
/// else the one that it is.
/// </summary>
internal sealed class DeviceMethods(DevicePairing pairing, DeviceStore store, LiveDevices live, AccessAudit audit, DeviceEvents events) : IMethodSource
{
    /// <summary>The only role that a device can have here.</summary>
    public const string Role = "operator";

    private const int MostLabel = 64;

    /// <inheritdoc/>
    public IEnumerable<RpcMethod> Methods =>
    [
        RpcMethod.Create(
            "device.pair.list", Scopes.Read, "Lists the devices that are approved and the requests that wait; without operator.admin, the caller's own.",
            DeviceJson.Default.DeviceListParameters, DeviceJson.Default.DeviceListResult, ListAsync),
        RpcMethod.Create(
            "device.pair.approve", Scopes.Admin, "Approves a request: the device is in for the scopes that it asks for, and gets a token of its own with its next connection.",
            DeviceJson.Default.DeviceRequestParameters, DeviceJson.Default.DeviceApproveResult, ApproveAsync),
        RpcMethod.Create(
            "device.pair.reject", Scopes.Read, "Turns a request down; the device may ask again.",
            DeviceJson.Default.DeviceRequestParameters, DeviceJson.Default.DeviceRejectResult, RejectAsync),
        RpcMethod.Create(
            "device.pair.remove", Scopes.Read, "Takes a device's approval and its token away; what it has opened is closed within a second, on every host.",
            DeviceJson.Default.DeviceParameters, DeviceJson.Default.DeviceRemoveResult, RemoveAsync, actsAfterAnswer: true),
        RpcMethod.Create(
            "device.pair.rename", Scopes.Read, "Gives a device a name for operators.",
            DeviceJson.Default.DeviceRenameParameters, DeviceJson.Default.DeviceRenameResult, RenameAsync),
        RpcMethod.Create(
            "device.token.rotate", Scopes.Read,
            "Replaces a device's token, and what it has opened is closed. The device itself, connected by its token, reads the new one in the answer; else it gets it with its "
            + "next connection by an access token.",
            DeviceJson.Default.DeviceRotateParameters, DeviceJson.Default.DeviceRotateResult, RotateAsync, actsAfterAnswer: true),
        RpcMethod.Create(
            "device.token.revoke", Scopes.Read, "Ends a device's token, and what it has opened is closed within a second, on every host. Its approval stays.",
            DeviceJson.Default.DeviceRevokeParameters, DeviceJson.Default.DeviceRevokeResult, RevokeAsync, actsAfterAnswer: true),
    ];

    private async ValueTask<DeviceListResult> ListAsync(DeviceListParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var caller = call.Caller;
        var requests = (await store.ListRequestsAsync(cancellationToken).ConfigureAwait(false)).FindAll(request => Manages(caller, request.Claim.DeviceId));
        List<DeviceRecord> devices;
        if (ManagesAll(caller)) devices = await store.ListAsync(cancellationToken).ConfigureAwait(false);
        else devices = caller.DeviceId is { } own && await store.ReadAsync(own, cancellationToken).ConfigureAwait(false) is { } found ? [found.Record] : [];
        var connected = live.Connected();
        return new DeviceListResult(
            [
                .. requests.Select(request => new DeviceRequestView(
                    request.RequestId, request.Claim.DeviceId, request.Reason, Role, request.Scopes, request.Claim.ClientId, request.Claim.ClientMode, request.Token,
                    request.At, request.ExpiresAt)
                {
                    DisplayName = request.Claim.DisplayName,
                    Platform = request.Claim.Platform,
                    DeviceFamily = request.Claim.DeviceFamily.Length == 0 ? null : request.Claim.DeviceFamily,
                    RemoteIp = request.Claim.Address,
                }),
            ],
            [.. devices.Select(device => DeviceView.Of(device, connected.Contains(device.DeviceId)))]);
    }

    private async ValueTask<DeviceApproveResult> ApproveAsync(DeviceRequestParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        if (!ManagesAll(call.Caller)) throw Denied();
        var device = await pairing.ApproveAsync(parameters.RequestId.Trim(), call.Caller.Name, cancellationToken).ConfigureAwait(false);
        return new DeviceApproveResult(parameters.RequestId.Trim(), DeviceView.Of(device, live.Connected().Contains(device.DeviceId)));
    }

    private async ValueTask<DeviceRejectResult> RejectAsync(DeviceRequestParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        // Whether there is another's request is no business of a caller that may not see it.
        if (!ManagesAll(call.Caller) && call.Caller.DeviceId is null) throw Denied();
        var request = await pairing.RequestAsync(parameters.RequestId.Trim(), cancellationToken).ConfigureAwait(false);
        if (!Manages(call.Caller, request.Claim.DeviceId)) throw Denied();
        await pairing.RejectAsync(request, call.Caller.Name, cancellationToken).ConfigureAwait(false);
        return new DeviceRejectResult(request.RequestId, request.Claim.DeviceId);
    }

    private async ValueTask<DeviceRemoveResult> RemoveAsync(DeviceParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var (device, _) = await FindAsync(parameters.DeviceId, call.Caller, cancellationToken).ConfigureAwait(false);
        var requests = await store.ListRequestsAsync(cancellationToken).ConfigureAwait(false);
        RecordWrite[] along =
        [
            .. requests.Where(request => request.Claim.DeviceId == device.DeviceId).Select(DeviceStore.Delete),
            audit.Record("device-removed", call.Caller.Name, device.DeviceId),
        ];
        await store.DeleteAsync(device.DeviceId, along, cancellationToken).ConfigureAwait(false);
        events.Changed(device.DeviceId, "removed");
        CloseAfterAnswer(call);
        return new DeviceRemoveResult(device.DeviceId);
    }

    private async ValueTask<DeviceRenameResult> RenameAsync(DeviceRenameParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var label = parameters.Label.Trim();
        if (label.Length is 0 or > MostLabel || label.Any(char.IsControl)) throw BridgeException.Invalid($"label has 1 to {MostLabel} characters");
        var (device, version) = await FindAsync(parameters.DeviceId, call.Caller, cancellationToken).ConfigureAwait(false);
        await ChangeAsync(device with { Label = label }, version, null, cancellationToken).ConfigureAwait(false);
        events.Changed(device.DeviceId, "renamed");
        return new DeviceRenameResult(device.DeviceId, label);
    }

    private async ValueTask<DeviceRotateResult> RotateAsync(DeviceRotateParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        CheckRole(parameters.Role);
        var (device, version) = await FindAsync(parameters.DeviceId, call.Caller, cancellationToken).ConfigureAwait(false);
        var scopes = parameters.Scopes is { } names ? ReadScopes(names) : DeviceScopes.Read(device.Token?.Scopes ?? device.Scopes);
        if (!device.Approved.Covers(scopes))
            throw new BridgeException(ErrorCodes.Forbidden, $"the device is approved for {string.Join(", ", device.Scopes)}; more scopes need an approval");
        CheckScopes(call.Caller, scopes);
        var now = store.Now();
        var isOwn = call.Caller.DeviceId == device.DeviceId && call.Caller.Name == DeviceTokens.CallerName(device.DeviceId);
        var (token, hash) = DeviceTokens.Make();
        var next = device with
        {
            Epoch = Guid.NewGuid().ToString("N"),
            IsTokenDue = !isOwn,
            Token = new DeviceTokenRecord(isOwn ? hash : null, scopes.ToNames(), device.Token?.CreatedAt ?? now) { RotatedAt = now },
        };
        await ChangeAsync(next, version, audit.Record("device-token-rotated", call.Caller.Name, device.DeviceId), cancellationToken).ConfigureAwait(false);
        events.Changed(device.DeviceId, "token-rotated");
        CloseAfterAnswer(call);
        return new DeviceRotateResult(device.DeviceId, Role, next.Token.Scopes, now, isOwn ? "in-band" : "next-connect", isOwn ? token : null);
    }

    private async ValueTask<DeviceRevokeResult> RevokeAsync(DeviceRevokeParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        CheckRole(parameters.Role);
        var (device, version) = await FindAsync(parameters.DeviceId, call.Caller, cancellationToken).ConfigureAwait(false);
        var now = store.Now();
        CheckScopes(call.Caller, DeviceScopes.Read(device.Token?.Scopes ?? []));
        var next = device with
        {
            Epoch = Guid.NewGuid().ToString("N"),
            IsTokenDue = false,
            Token = new DeviceTokenRecord(null, device.Token?.Scopes ?? device.Scopes, device.Token?.CreatedAt ?? now)
            {
                RotatedAt = device.Token?.RotatedAt ?? 0,
                RevokedAt = now,
            },
        };
        await ChangeAsync(next, version, audit.Record("device-token-revoked", call.Caller.Name, device.DeviceId), cancellationToken).ConfigureAwait(false);
        events.Changed(device.DeviceId, "token-revoked");
        CloseAfterAnswer(call);
        return new DeviceRevokeResult(device.DeviceId, Role, now);
    }

    // A limited token could reach by a device what it itself may not.
    private static bool ManagesAll(Caller caller) => caller.Scopes.Covers(Scopes.Admin) && DeviceLimits.Of(caller) is null;

    private static bool Manages(Caller caller, string deviceId) => ManagesAll(caller) || caller.DeviceId == deviceId;

    private static void CheckRole(string? role)
    {
        if (role is not (null or Role)) throw BridgeException.Invalid($"a device has the role {Role} here and no other");
    }

    // Nobody keeps alive or ends by a device what he may not himself.
    private static void CheckScopes(Caller caller, Scopes scopes)
    {
        if (!ManagesAll(caller) && !caller.Scopes.Covers(scopes)) throw new BridgeException(ErrorCodes.Forbidden, "the device's token has scopes that this connection hasn't");
    }

    private static Scopes ReadScopes(IReadOnlyList<string> names)
    {
        var scopes = DeviceScopes.Read(names);
        return scopes != Scopes.None && names.All(name => (ScopeNames.Parse(name) & DeviceScopes.All) != Scopes.None)
            ? scopes
            : throw BridgeException.Invalid("scopes are some of operator.read, operator.write and operator.admin");
    }

    private static BridgeException Denied() => new(ErrorCodes.Forbidden, "without operator.admin, or with a limited token, only the own device is managed");

    private async ValueTask<(DeviceRecord Record, long Version)> FindAsync(string deviceId, Caller caller, CancellationToken cancellationToken)
    {
        deviceId = deviceId.Trim();
        if (!Manages(caller, deviceId)) throw Denied();
        return await store.ReadAsync(deviceId, cancellationToken).ConfigureAwait(false)
            ?? throw new BridgeException(ErrorCodes.NotFound, "There is no device with this id; device.pair.list has all.");
    }

    private async ValueTask ChangeAsync(DeviceRecord next, long version, RecordPut? line, CancellationToken cancellationToken)
    {
        if (!await store.PutAsync(next, version, line is null ? [] : [line], cancellationToken).ConfigureAwait(false))
            throw new BridgeException(ErrorCodes.Conflict, "Somebody else changed this device just now; look at it again.");
    }

    // The caller may be one of those that are closed: its answer goes first.
    private void CloseAfterAnswer(MethodCall call) => call.AfterAnswer(() => _ = live.RefreshAsync(CancellationToken.None));
}
