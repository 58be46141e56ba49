using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Storage;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Access.Devices;

/// <summary>
/// Lets devices in: a key that was proven is approved once, by an operator or by the rule for loopback, for some scopes. A device that has its approval costs one read
/// of the store for each connection; what is written is a request, an approval and a new token.
/// </summary>
internal sealed partial class DevicePairing(
    DeviceStore store, LiveDevices live, AccessAudit audit, DeviceEvents events, DeviceOptions options, ILogger<DevicePairing> logger) : IDisposable
{
    private const int Tries = 3;

    // One decision that writes at a time: bounds are counted before they are used up.
    private readonly SemaphoreSlim _deciding = new(1, 1);

    /// <summary>The settings.</summary>
    public DeviceOptions Options => options;

    /// <summary>Decides about a device that shows an access token.</summary>
    /// <param name="claim">The device; its key is proven.</param>
    /// <param name="caller">The access token's caller.</param>
    /// <param name="granted">What it asks for and the access token has.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public async ValueTask<DeviceAdmission> AdmitAsync(DeviceClaim claim, Caller caller, Scopes granted, CancellationToken cancellationToken)
    {
        var seen = live.Seen;
        var found = await store.ReadAsync(claim.DeviceId, cancellationToken).ConfigureAwait(false);
        if (found is { Record.IsTokenDue: false } known && ReasonFor(claim, known.Record, granted) is null) return In(known.Record, caller with { Scopes = granted }, seen);
        await _deciding.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            for (var tries = 0; tries < Tries; tries++)
            {
                seen = live.Seen;
                found = await store.ReadAsync(claim.DeviceId, cancellationToken).ConfigureAwait(false);
                var reason = ReasonFor(claim, found?.Record, granted);
                var isApproved = reason is null;
                if (reason is not null && IsOwnerHere(claim, caller))
                {
                    await CheckRoomAsync(found?.Record, cancellationToken).ConfigureAwait(false);
                    isApproved = true;
                }

                if (!isApproved) return await AskAsync(claim, caller, granted, reason!, found?.Record, cancellationToken).ConfigureAwait(false);
                if (reason is null && !found!.Value.Record.IsTokenDue) return In(found.Value.Record, caller with { Scopes = granted }, seen);
                var record = reason is null
                    ? found!.Value.Record
                    : Approve(found?.Record, new Wish(claim, granted, DeviceLimits.Of(caller)), caller.Name);
                var (token, hash) = DeviceTokens.Make();
                var now = store.Now();
                record = record with
                {
                    // Until it is known to have arrived.
                    IsTokenDue = true,
                    Token = new DeviceTokenRecord(hash, record.Scopes, record.Token?.CreatedAt ?? now)
                    {
                        FormerHash = record.Token?.FormerHash ?? record.Token?.Hash,
                        RotatedAt = record.Token is null ? 0 : now,
                    },
                };
                RecordWrite[] along = reason is null ? [] : [audit.Record("device-approved", caller.Name, claim.DeviceId, "by itself: loopback and the first token")];
                // What is committed must reach the client: from here on nobody gives up.
                if (!await store.PutAsync(record, found?.Version ?? 0, along, CancellationToken.None).ConfigureAwait(false)) continue;
                if (reason is not null)
                {
                    LogApproved(claim.DeviceId, caller.Name);
                    events.Resolved(null, claim.DeviceId, "approved");
                }

                return In(record, caller with { Scopes = granted }, seen) with { IssuedToken = token, IssuedAt = now };
            }
        }
        finally
        {
            _deciding.Release();
        }

        throw BridgeException.Unavailable("the device is being changed by others; connect again", TimeSpan.FromSeconds(1));
    }

    /// <summary>Decides about a device that shows its own token.</summary>
    /// <param name="claim">The device; its key is proven.</param>
    /// <param name="token">What it shows.</param>
    /// <param name="asked">The scopes that it asks for; none: what its token has.</param>
    /// <param name="door">The door.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public async ValueTask<DeviceAdmission> AdmitAsync(DeviceClaim claim, string token, Scopes asked, Door door, CancellationToken cancellationToken)
    {
        var seen = live.Seen;
        if (await store.ReadAsync(claim.DeviceId, cancellationToken).ConfigureAwait(false) is not { Record: var record } || !DeviceTokens.Holds(record, token))
            return new DeviceAdmission();
        var owned = DeviceScopes.Read(record.Token!.Scopes);
        if (asked == Scopes.None) asked = owned;
        if (!owned.Covers(asked)) return new DeviceAdmission { Mismatch = owned };
        var caller = new Caller(DeviceTokens.CallerName(claim.DeviceId), asked, door);
        caller = record.Limits?.ApplyTo(caller) ?? caller;
        if (!claim.DiffersFrom(record))
        {
            if (record.IsTokenDue) await ArrivedAsync(claim.DeviceId, token).ConfigureAwait(false);
            return In(record, caller, seen);
        }

        await _deciding.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await AskAsync(claim, caller, asked, PairingNeed.Metadata, record, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _deciding.Release();
        }
    }

    /// <summary>
    /// A device has a token that was issued to it: it has called something since, or shows it. Until then its next connection gets another one, and the one before holds.
    /// </summary>
    public async Task ArrivedAsync(string deviceId, string token)
    {
        try
        {
            if (await store.ReadAsync(deviceId, CancellationToken.None).ConfigureAwait(false) is not ({ IsTokenDue: true, Token: { } issued } record, var version)) return;
            if (issued.Hash != DeviceTokens.HashOf(token)) return;
            await store.PutAsync(record with { IsTokenDue = false, Token = issued with { FormerHash = null } }, version, [], CancellationToken.None).ConfigureAwait(false);
        }
        catch (BridgeException)
        {
            // It is noticed another time.
        }
    }

    /// <summary>True when a device has a token of its own that holds: it may be told to show that.</summary>
    public async ValueTask<bool> HasTokenAsync(string deviceId, CancellationToken cancellationToken) =>
        await store.ReadAsync(deviceId, cancellationToken).ConfigureAwait(false) is { Record.Token: { Hash: not null, RevokedAt: 0 } };

    /// <summary>An operator approves a request. Its device gets a token with its next connection.</summary>
    /// <exception cref="BridgeException"><c>NOT_FOUND</c>, <c>QUOTA_EXCEEDED</c>.</exception>
    public async ValueTask<DeviceRecord> ApproveAsync(string requestId, string by, CancellationToken cancellationToken)
    {
        await _deciding.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            for (var tries = 0; tries < Tries; tries++)
            {
                var request = await RequestAsync(requestId, cancellationToken).ConfigureAwait(false);
                var found = await store.ReadAsync(request.Claim.DeviceId, cancellationToken).ConfigureAwait(false);
                await CheckRoomAsync(found?.Record, cancellationToken).ConfigureAwait(false);
                var record = Approve(found?.Record, new Wish(request.Claim, DeviceScopes.Read(request.Scopes), request.Limits), by) with { IsTokenDue = true };
                RecordWrite[] along = [DeviceStore.Delete(request), audit.Record("device-approved", by, record.DeviceId, request.Reason)];
                if (!await store.PutAsync(record, found?.Version ?? 0, along, cancellationToken).ConfigureAwait(false)) continue;
                LogApproved(record.DeviceId, by);
                events.Resolved(requestId, record.DeviceId, "approved");
                return record;
            }
        }
        finally
        {
            _deciding.Release();
        }

        throw new BridgeException(ErrorCodes.Conflict, "Somebody else changed this device just now; look at it again.");
    }

    /// <summary>A request is turned down.</summary>
    public async ValueTask RejectAsync(DeviceRequest request, string by, CancellationToken cancellationToken)
    {
        await store.WriteAsync([DeviceStore.Delete(request), audit.Record("device-rejected", by, request.Claim.DeviceId)], cancellationToken).ConfigureAwait(false);
        events.Resolved(request.RequestId, request.Claim.DeviceId, "rejected");
    }

    /// <summary>A request that waits.</summary>
    /// <exception cref="BridgeException"><c>NOT_FOUND</c>.</exception>
    public async ValueTask<DeviceRequest> RequestAsync(string requestId, CancellationToken cancellationToken) =>
        await store.ReadRequestAsync(requestId, cancellationToken).ConfigureAwait(false)
        ?? throw new BridgeException(ErrorCodes.NotFound, "No such request waits; device.pair.list has those that do, and a device that tries again makes another one.");

    /// <inheritdoc/>
    public void Dispose() => _deciding.Dispose();

    private DeviceAdmission In(DeviceRecord record, Caller caller, long seen)
    {
        var grant = live.Add(record, seen, caller.Revoked);
        return new DeviceAdmission { Caller = caller with { DeviceId = record.DeviceId, Revoked = grant.Ended }, Grant = grant };
    }

    private static string? ReasonFor(DeviceClaim claim, DeviceRecord? record, Scopes granted) =>
        record is null ? PairingNeed.NotPaired
        : claim.DiffersFrom(record) ? PairingNeed.Metadata
        : record.Approved.Covers(granted) ? null : PairingNeed.Scope;

    // Whoever has the first token may approve it: as the gateway does on its own machine.
    private bool IsOwnerHere(DeviceClaim claim, Caller caller) => options.AutoApproveLoopback && claim.IsLoopback && caller.Name == AccessToken.FirstName;

    private DeviceRecord Approve(DeviceRecord? known, Wish wish, string by)
    {
        var now = store.Now();
        var (claim, scopes, limits) = wish;
        return new DeviceRecord
        {
            DeviceId = claim.DeviceId,
            PublicKey = claim.PublicKey,
            DisplayName = claim.DisplayName ?? known?.DisplayName,
            Label = known?.Label,
            ClientId = claim.ClientId,
            ClientMode = claim.ClientMode,
            Platform = claim.Platform,
            DeviceFamily = claim.DeviceFamily,
            Scopes = (scopes | (known?.Approved ?? Scopes.None)).ToNames(),
            Limits = limits,
            CreatedAt = known?.CreatedAt ?? now,
            ApprovedAt = now,
            ApprovedBy = by,
            Epoch = known?.Epoch ?? Guid.NewGuid().ToString("N"),
            Token = known?.Token,
        };
    }

    private async ValueTask CheckRoomAsync(DeviceRecord? known, CancellationToken cancellationToken)
    {
        if (known is null && (await store.ListAsync(cancellationToken).ConfigureAwait(false)).Count >= options.MostDevices)
            throw new BridgeException(ErrorCodes.QuotaExceeded, $"There are {options.MostDevices} devices already; remove those that are no longer used.");
    }

    private async ValueTask<DeviceAdmission> AskAsync(
        DeviceClaim claim, Caller caller, Scopes granted, string reason, DeviceRecord? known, CancellationToken cancellationToken)
    {
        var now = store.Now();
        var wish = new DeviceRequest
        {
            RequestId = Guid.NewGuid().ToString(),
            Reason = reason,
            Claim = claim,
            Scopes = granted.ToNames(),
            Limits = DeviceLimits.Of(caller),
            Token = caller.Name,
            At = now,
            ExpiresAt = now + (long)options.RequestLife.TotalMilliseconds,
        };
        var waiting = await store.ListRequestsAsync(cancellationToken).ConfigureAwait(false);
        if (waiting.Find(request => request.IsSameAs(wish)) is { } same) return Need(reason, same.RequestId, granted, known);
        var own = waiting.FindAll(request => request.Claim.DeviceId == claim.DeviceId);
        var over = own.Take(Math.Max(0, own.Count - options.MostRequestsPerDevice + 1)).ToList();
        if (waiting.Count - over.Count >= options.MostRequests)
        {
            LogTooMany(waiting.Count);
            return Need(reason, null, granted, known);
        }

        await store.WriteAsync(
            [store.Put(wish), .. over.Select(DeviceStore.Delete), audit.Record("device-asked", claim.Address ?? caller.Name, claim.DeviceId, reason)],
            cancellationToken).ConfigureAwait(false);
        LogAsked(claim.DeviceId, reason, wish.RequestId, claim.Address);
        foreach (var superseded in over) events.Resolved(superseded.RequestId, claim.DeviceId, "rejected");
        events.Requested(wish);
        return Need(reason, wish.RequestId, granted, known);
    }

    private static DeviceAdmission Need(string reason, string? requestId, Scopes granted, DeviceRecord? known) =>
        new() { Need = new PairingNeed(reason, requestId, granted, known?.Approved ?? Scopes.None) };

    private sealed record Wish(DeviceClaim Claim, Scopes Scopes, DeviceLimits? Limits);

    [LoggerMessage(LogEvents.DevicePairingAsked, LogLevel.Warning,
        "Device {Device} waits for an approval ({Reason}): channelbridge devices approve {Request}; it connects from {Address}")]
    private partial void LogAsked(string device, string reason, string request, string? address);

    [LoggerMessage(LogEvents.DevicePairingApproved, LogLevel.Information, "Device {Device} was approved by '{By}'")]
    private partial void LogApproved(string device, string by);

    [LoggerMessage(LogEvents.DevicePairingTooMany, LogLevel.Warning, "{Count} devices wait for an approval; no further one is noted down until some are approved or rejected")]
    private partial void LogTooMany(int count);
}
