using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Endpoints.Connections;
using ChannelBridge.Endpoints.Doors;
using ChannelBridge.Endpoints.Limits;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Endpoints.Http;

/// <summary>Who may come in by HTTP: a bearer token with the scope, within the rates, and not from a foreign page.</summary>
internal sealed partial class HttpAccess(EndpointRuntime runtime)
{
    private const string Scheme = "Bearer ";

    private readonly ILogger _logger = runtime.Logger;

    /// <summary>Lets a request in, or says why not.</summary>
    /// <param name="context">The request.</param>
    /// <param name="scope">What it needs.</param>
    /// <param name="channel">The channel that it needs it for, or null: it is the host's own path, which no peer has a right to.</param>
    /// <param name="anyOrigin">True where pages of any origin may ask.</param>
    /// <param name="fault">Why not, or null.</param>
    public Caller? Enter(HttpContext context, Scopes scope, string? channel, bool anyOrigin, out BridgeException? fault)
    {
        fault = anyOrigin ? null : CheckOrigin(context);
        if (fault is not null) return null;
        var address = context.Connection.RemoteIpAddress;
        var token = Bearer(context.Request);
        var caller = token is null ? null : runtime.Tokens.Authenticate(token, Door.Listener);
        if (caller is null)
        {
            // A right token was let in above, whatever others have tried from the same address.
            fault = runtime.Attempts.Check(address, null)
                ?? new BridgeException(ErrorCodes.Unauthorized, token is null ? "Send the host's token: Authorization: Bearer …" : "This host doesn't know the token.");
            runtime.Attempts.Failed(Door.Listener, address, null, token is null ? "no token" : "a wrong token");
            LogRefused(context.Request.Path, address, token is null ? "no token" : "a wrong token");
            return null;
        }

        if (caller.Scopes.Covers(scope) && (channel is null ? !caller.Scopes.IsPeerOnly() : caller.MayUseChannel(channel)))
        {
            fault = CheckRate(context, caller);
            return fault is null ? caller : null;
        }

        fault = new BridgeException(
            ErrorCodes.Forbidden,
            caller.Scopes.Covers(scope) ? "The token isn't for this channel." : $"The token lacks the scope {scope.ToNames()[0]}.");
        runtime.Attempts.Failed(Door.Listener, address, caller.Name, "a token without the right");
        LogRefused(context.Request.Path, address, "a token without the right");
        return null;
    }

    /// <summary>The error of a foreign page, or null.</summary>
    public BridgeException? CheckOrigin(HttpContext context) => OriginPolicy.Allows(context.Request, runtime.Options.AllowedOrigins)
        ? null
        : new BridgeException(ErrorCodes.Forbidden, "This page's origin may not connect; the setting Listen:AllowedOrigins says which may.");

    /// <summary>The error of a caller, or of an address without one, that is too fast; or null.</summary>
    public BridgeException? CheckRate(HttpContext context, Caller? caller)
    {
        var token = caller is null ? null : runtime.Rates.ForToken(caller.Name);
        if (token is not null && !token.TryTake(out var wait)) return TooMany(wait);
        var address = runtime.Rates.ForAddress(context.Connection.RemoteIpAddress);
        return address is not null && !address.TryTake(out wait) ? TooMany(wait) : null;
    }

    /// <summary>The error of a client that has sent too much.</summary>
    public static BridgeException TooMany(TimeSpan wait) => RateLimits.TooFast("Too many requests; try again in a moment.", wait);

    /// <summary>The bearer token that a request brings, or null.</summary>
    public static string? Bearer(HttpRequest request)
    {
        var header = request.Headers.Authorization.ToString();
        return header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) && header[Scheme.Length..].Trim() is { Length: > 0 } token ? token : null;
    }

    [LoggerMessage(4501, LogLevel.Warning, "Refused a request to {Path} from {Address}: {Reason}")]
    private partial void LogRefused(string path, System.Net.IPAddress? address, string reason);
}
