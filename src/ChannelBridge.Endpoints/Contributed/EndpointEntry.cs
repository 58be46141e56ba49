using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Endpoints.Connections;
using ChannelBridge.Endpoints.Http;
using Microsoft.AspNetCore.Http;

namespace ChannelBridge.Endpoints.Contributed;

/// <summary>Lets requests in at channels' endpoints: origin, access and rates, in this order.</summary>
internal readonly struct EndpointEntry(EndpointRuntime runtime, HttpAccess access)
{
    /// <summary>Decides about a request, and answers it when it isn't let in.</summary>
    /// <returns>The caller, or null: the request is answered.</returns>
    public async ValueTask<Entered?> EnterAsync(
        HttpContext context, RouteTable.Route route, EndpointRequest request, EndpointAccess rule, bool anyOrigin, EndpointRate? rate)
    {
        Caller? caller = null;
        ReadOnlyMemory<byte>? bodyHash = null;
        if (rule.Needed != Scopes.None && runtime.AuthenticatorOf(context.Request, out var credentials) is { } authenticator)
        {
            if (!anyOrigin && access.CheckOrigin(context) is { } foreign) return await RefuseAsync(context, 403, foreign).ConfigureAwait(false);
            var verdict = await authenticator.AuthenticateAsync(credentials, route.Channel, request, context.RequestAborted).ConfigureAwait(false);
            caller = verdict.Caller;
            if (caller is not null && !(caller.Scopes.Covers(rule.Needed) && caller.MayUseChannel(route.Channel)))
                verdict = new AccessVerdict { Status = 403, Message = "This endpoint isn't for you.", Identity = caller.Name };
            if (verdict.Caller is null || verdict.Caller.Revoked.IsCancellationRequested) return await RefuseAsync(context, route, verdict).ConfigureAwait(false);
            if (access.CheckRate(context, caller) is { } tooFast) return await RefuseAsync(context, 429, tooFast).ConfigureAwait(false);
            bodyHash = verdict.BodyHash;
        }
        else if (rule.Needed != Scopes.None)
        {
            caller = access.Enter(context, rule.Needed, route.Channel, anyOrigin, out var fault);
            if (caller is null)
                return await RefuseAsync(context, ErrorBody.StatusOf(fault!.Code), fault, fault.Code == ErrorCodes.Unauthorized ? "Bearer" : null)
                    .ConfigureAwait(false);
        }
        else
        {
            if (!anyOrigin && access.CheckOrigin(context) is { } foreign) return await RefuseAsync(context, 403, foreign).ConfigureAwait(false);
            if (rule.Check is { } check)
            {
                var verdict = await check(request, context.RequestAborted).ConfigureAwait(false);
                caller = verdict.Caller;
                bodyHash = verdict.BodyHash;
                if (caller is null || caller.Revoked.IsCancellationRequested) return await RefuseAsync(context, route, verdict).ConfigureAwait(false);
            }

            if (access.CheckRate(context, caller) is { } tooFast) return await RefuseAsync(context, 429, tooFast).ConfigureAwait(false);
        }

        if (rate is null || runtime.Rates.TryTakeOperation(route.Operation, NameOf(context, caller), rate, out var wait)) return new Entered(caller, bodyHash);
        return await RefuseAsync(context, 429, HttpAccess.TooMany(wait)).ConfigureAwait(false);
    }

    // Two doors may know one name as two people.
    private static string NameOf(HttpContext context, Caller? caller) => caller is not null
        ? $"{caller.Door} {caller.Name}"
        : context.Connection.RemoteIpAddress is { } address ? Limits.RateLimits.Group(address).ToString() : "";

    private static async ValueTask<Entered?> RefuseAsync(HttpContext context, int status, BridgeException fault, string? challenge = null)
    {
        await DoorExchange.RefuseAsync(context, status, fault, challenge).ConfigureAwait(false);
        return null;
    }

    private ValueTask<Entered?> RefuseAsync(HttpContext context, RouteTable.Route route, AccessVerdict verdict)
    {
        var address = context.Connection.RemoteIpAddress;
        var tooMany = runtime.Attempts.Check(address, verdict.Identity);
        runtime.Attempts.Failed(Door.Listener, address, verdict.Identity, $"refused by the channel {route.Channel}");
        if (tooMany is not null) return RefuseAsync(context, 429, tooMany);
        return verdict.Status == 403
            ? RefuseAsync(context, 403, new BridgeException(ErrorCodes.Forbidden, verdict.Message), verdict.Challenge)
            : RefuseAsync(context, 401, new BridgeException(ErrorCodes.Unauthorized, verdict.Message), verdict.Challenge);
    }

    /// <summary>Who was let in.</summary>
    /// <param name="Caller">The caller; null at an anonymous endpoint.</param>
    /// <param name="BodyHash">The SHA-256 that the body must have, or null.</param>
    internal sealed record Entered(Caller? Caller, ReadOnlyMemory<byte>? BodyHash);
}
